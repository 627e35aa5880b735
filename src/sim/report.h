// SimReport: what a simulation found, and its rendering for a terminal: throughput, the latencies
// that clients would have seen, what the cache saved, and the hash of all plans.
// Plain values; made by simulate(), printed by the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/nanos.h"

namespace quire {

struct Quantiles {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;  // seconds
};
Quantiles quantiles_of(std::vector<Nanos> samples);

struct TenantReport {
  std::uint32_t share = 1;
  std::uint64_t requests = 0;
  std::uint64_t finished = 0;
  std::uint64_t prompt_tokens = 0;  // computed, each once
  std::uint64_t generated_tokens = 0;
  std::uint64_t contended = 0;  // service while every tenant had somebody waiting
  Quantiles time_to_first_token;
  Nanos finished_at{0};  // its last request
};

struct SimReport {
  std::string workload;
  std::uint64_t requests = 0;
  std::uint64_t finished = 0;
  std::uint64_t refused = 0;  // they can never fit, or the queue was full
  Nanos elapsed{0};           // virtual
  std::uint64_t steps = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;
  std::uint64_t computed_tokens = 0;
  std::uint64_t prefix_cached_tokens = 0;
  std::uint64_t preemptions = 0;
  Quantiles time_to_first_token;
  Quantiles inter_token_latency;
  Quantiles request_time;
  double rows_mean = 0;               // sequences per step
  double blocks_referenced_mean = 0;  // share of the pool, 0..1
  double blocks_referenced_max = 0;
  std::vector<TenantReport> tenants;
  // By how much two tenants' service by share moved apart while both waited: a prompt token that is
  // computed is 1, a generated one 2.
  double drift_max = 0;
  std::uint64_t plans_hash = 0;  // of every plan, in order: same seed, same hash

  double tokens_per_second() const;  // generated
  double hit_rate() const;           // of prompt tokens
};

std::string render(const SimReport& report);

}  // namespace quire
