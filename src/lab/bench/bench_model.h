// BenchModel: a model on a LocalExecutor, driven by handmade step plans instead of an engine: for
// benchmarks and hashes, where nothing may be decided, cached or waited for. A fixed number of
// sequences own a fixed run of KV blocks each. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/nanos.h"
#include "lab/bench/op_times.h"
#include "lab/model_cost.h"
#include "runtime/local_executor.h"

namespace quire {

struct BenchModelOptions {
  int threads = 0;  // 0: all cores
  std::string isa;  // empty: the best
  bool has_huge_pages = true;
  KvTypes kv_dtype;
  WeightScheme weights = WeightScheme::kAsStored;
  int sequences = 1;
  int context = 1024;     // positions of a sequence
  int step_tokens = 512;  // at most
  bool is_timing_ops = false;
};

// Tokens fed to one sequence.
struct Feed {
  int sequence = 0;
  std::uint32_t first_position = 0;
  std::span<const TokenId> tokens;
  bool is_wanting_logits = true;  // of the last token
};

class BenchModel {
 public:
  static Result<std::unique_ptr<BenchModel>> open(const Design& design,
                                                  const TensorFinder& find,
                                                  const BenchModelOptions& options);

  // Runs one step to its end, drawing greedily where logits are wanted. Returns the hashes of the
  // raw logits rows if asked, in the order of the feeds; an error if a logit is not finite.
  Result<std::vector<std::uint64_t>> step(std::span<const Feed> feeds, bool is_hashing = false);

  // The next step begins by copying the first `tokens` positions of a sequence to another one.
  void copy_sequence(int from, int to, int tokens);

  const ModelCost& cost() const { return cost_; }
  std::size_t packed_bytes() const { return packed_bytes_; }
  const BenchModelOptions& options() const { return options_; }
  Backend& backend() { return executor_->backend(); }
  OpTimes* op_times() { return op_times_.get(); }  // null: ops are not timed
  int vocab() const { return vocab_; }

 private:
  BenchModel() = default;
  BlockId block_of(std::size_t group, int sequence, int index) const {
    return 1 + sequence * group_blocks_[group] + index;
  }
  StepPlan plan_of(std::span<const Feed> feeds, bool is_hashing);

  BenchModelOptions options_;
  ModelCost cost_;
  TensorFinder find_;  // keeps the weights' memory
  std::unique_ptr<LocalExecutor> executor_;
  std::unique_ptr<OpTimes> op_times_;  // of the executor's backend, or null
  std::size_t packed_bytes_ = 0;
  int vocab_ = 0;
  int blocks_per_sequence_ = 0;      // of positions
  std::vector<int> group_blocks_;    // [groups] of a sequence
  std::vector<BlockCopy> copies_;  // of the next step
  StepId next_step_ = 1;
};

}  // namespace quire
