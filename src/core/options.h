// EngineOptions: everything an engine is configured with, as nested plain structs. Filled by apps/
// from the command line, by tests directly. What the executor can do (core/executor.h, Capacity)
// bounds what is asked here: the smaller of both holds.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "core/batching.h"

namespace quire {

struct SchedulerOptions {
  std::uint32_t rows_max = 64;      // sequences per step (--max-num-seqs)
  std::uint32_t tokens_max = 512;   // tokens per step (--max-num-batched-tokens)
  std::uint32_t context_max = 0;    // positions per sequence (--max-model-len); 0: the executor's
  bool is_prefix_caching = true;
  bool is_static_batching = false;  // admit only when nothing runs, for comparison
  // By how much a tenant that waits may lag, in prompt tokens by share (an answer's token counts
  // two), until it pushes out sequences of one that is ahead (sched/tenant_queues).
  std::uint32_t tenant_lag_max = 16384;
};

struct EngineOptions {
  SchedulerOptions scheduler;
  std::uint32_t queue_max = 256;      // requests of one tenant that may wait; more are refused
  DynamicBatching batching;           // who waits for company before the scheduler has him
  std::vector<TokenId> eos_ids;       // end a branch unless ignore_eos
  bool is_hashing_logits = false;     // tests: report a hash of each raw logits row
  bool is_checking_invariants = false;  // tests: the ledger's balance at every step
};

}  // namespace quire
