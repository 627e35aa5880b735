// Simulator: the shipped scheduler and EngineCore in virtual time. A workload arrives, SimExecutor
// says how long steps take, and the report tells what clients would have seen. Deterministic: the
// same options give the same plans, to the byte. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "core/options.h"
#include "sim/cost_model.h"
#include "sim/report.h"
#include "sim/workload.h"

namespace quire {

struct SimOptions {
  std::string trace_path;  // empty: synthetic
  TraceOptions trace;
  SyntheticOptions synthetic;
  std::uint64_t seed = 1;

  std::vector<double> tenant_rates{1};  // how many requests each tenant sends, relatively
  std::vector<std::uint32_t> tenant_shares;  // what each is due; empty: all the same
  bool is_telling_tenants = true;  // false: one queue for all of them, for comparison

  EngineOptions engine{.queue_max = 100'000};
  CostModel cost;
  std::uint32_t kv_blocks = 4096;
  std::uint32_t block_tokens = 32;
  std::uint32_t context_max = 32768;
  std::uint32_t vocab = 32000;
  std::uint32_t depth = 1;
};

Result<SimReport> simulate(const SimOptions& options);
// Of arrivals that have their tenants.
Result<SimReport> simulate(const SimOptions& options, Workload workload);

}  // namespace quire
