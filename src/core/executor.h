// Executor: the seam between the wing that decides and the wing that computes. Four calls hide
// devices, ranks, overlap and time. Called by the engine thread alone.
//   depth 1:  launch(t) sample(t) finish(t)
//   depth 2:  ... sample(t) launch(t+1) finish(t) [commit t] sample(t+1) ...
// Implementations: runtime/local_executor, sim/sim_executor, engine/testing/script_executor.
#pragma once

#include <cstdint>
#include <vector>

#include "core/step.h"

namespace quire {

struct KvGroup {
  std::uint32_t layers = 0;
  std::uint32_t block_tokens = 32;
  std::uint32_t blocks = 0;  // ids 1..blocks-1 are allocatable; 0 is padding
  std::uint32_t window = 0;  // positions kept; 0: all
  std::uint64_t bytes_per_block = 0;
};

struct Capacity {
  std::vector<KvGroup> groups;     // at least one
  std::uint32_t rows_max = 0;      // per step
  std::uint32_t tokens_max = 0;    // per step
  std::uint32_t logits_rows_max = 0;
  std::uint32_t context_max = 0;   // positions per sequence
  std::uint32_t vocab = 0;
  std::uint32_t depth = 1;         // launched plans not yet finished, at most
  bool is_causal = true;
};

struct Ticket {
  StepId step = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual const Capacity& capacity() const = 0;
  virtual Ticket launch(const StepPlan& plan) = 0;
  virtual void sample(Ticket ticket, const SampleSpec& spec) = 0;
  virtual StepResult finish(Ticket ticket) = 0;  // tickets finish in launch order
};

}  // namespace quire
