// Workload: who asks what and when, in virtual time. Made from a seed, or read from a production
// trace: Mooncake's JSON lines (equal hash_ids are equal blocks of the prompt) or Azure's CSV
// (arrival and lengths). A trace gives no text; prompts are made of tokens that are equal exactly
// where the trace says so. Plain values; prompts are built only when a request arrives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "base/status.h"

namespace quire {

struct SyntheticOptions {
  std::uint32_t requests = 1000;
  double requests_per_second = 4;          // Poisson arrivals
  std::uint32_t prompt_tokens_mean = 256;  // of what is the request's own; exponential
  std::uint32_t answer_tokens_mean = 128;  // exponential
  std::uint32_t shared_tokens = 512;       // of a prefix that some requests have in common
  std::uint32_t prefixes = 8;              // how many such prefixes there are
};

struct TraceOptions {
  std::uint32_t requests_max = 1000;
  double time_scale = 1;    // below 1: the requests come faster
  double length_scale = 1;  // below 1: shorter prompts and answers, for small machines
};

struct SimArrival {
  Nanos at{0};
  std::uint32_t tenant = 0;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t answer_tokens = 0;
  std::vector<std::uint64_t> segments;  // prompt tokens in runs that may be shared, by name
  std::uint32_t segment_tokens = 0;     // of each but the last
};

struct Workload {
  std::string name;
  std::vector<SimArrival> arrivals;  // in order of time
};

Workload make_workload(const SyntheticOptions& options, std::uint64_t seed);

// By the file's ending: .jsonl or .csv.
Result<Workload> read_trace(const std::string& path, const TraceOptions& options);
Result<Workload> parse_mooncake(std::string_view text, const TraceOptions& options);
Result<Workload> parse_azure(std::string_view text, const TraceOptions& options);

// Deals the requests out: `rates` says how many each tenant sends, relative to the others.
void assign_tenants(Workload& workload, const std::vector<double>& rates, std::uint64_t seed);

// The same tokens for the same segment names, whatever else the prompt has. [prompt_tokens]
std::vector<TokenId> prompt_of(const SimArrival& arrival, std::uint32_t vocab);

}  // namespace quire
