// LoadReport: the figures of a load: tokens per second, time to first token (TTFT), time between
// pieces of text (ITL), whole requests; as a table or as one JSON object. Failed requests
// are counted and otherwise left out. Pure functions, called by apps/bench_serve.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/load/load.h"
#include "lab/load/step_profile.h"

namespace quire {

// In seconds; zero when there is nothing.
struct Distribution {
  double mean = 0, p50 = 0, p99 = 0;
};

// Percentiles between ranks are interpolated.
Distribution distribution_of(std::vector<double> values);

struct LoadReport {
  WorkloadOptions workload;
  std::string model;
  bool is_ignoring_eos = false;
  int succeeded = 0, failed = 0;
  std::string first_error;
  double seconds = 0;
  long prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  double generated_per_second = 0;  // tokens
  double requests_per_second = 0;
  Distribution ttft, itl, request;  // itl: between pieces, of all requests together
  std::optional<StepProfile> profile;
};

LoadReport summarize(const WorkloadOptions& workload, const LoadResult& result);

std::string load_table(const LoadReport& report);
std::string load_json(const LoadReport& report);

}  // namespace quire
