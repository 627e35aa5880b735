// StepInputs: a StepPlan spelled out as the flat arrays of a BatchView: positions, KV slots, block
// tables, which tokens want logits. Buffers are sized once for the largest step and reused.
// Used by ModelRunner, one step at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/batch_view.h"
#include "core/executor.h"
#include "core/step.h"

namespace quire {

class StepInputs {
 public:
  explicit StepInputs(const Capacity& capacity);

  // `promised[i]` is what output i of the previous launched plan accepted; tokens -1-i resolve to
  // it.
  void fill(const StepPlan& plan, std::span<const TokenId> promised);

  // Tables of the first KV group. Valid until the next fill.
  const BatchView& view() const { return view_; }

 private:
  void add_row(const StepPlan& plan, std::size_t r, std::span<const TokenId> promised);

  std::uint32_t block_tokens_;
  std::vector<std::int32_t> token_ids_, positions_, slots_;       // [tokens]
  std::vector<std::int32_t> row_begin_, kv_length_, table_begin_; // [rows + 1], [rows], [rows + 1]
  std::vector<std::int32_t> block_table_, logits_tokens_;
  BatchView view_;
};

}  // namespace quire
