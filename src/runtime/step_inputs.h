// StepInputs: a StepPlan spelled out as the flat arrays of a BatchView: positions, which tokens
// want logits, and for every KV group slots and tables. Rows of an encoder's lane become a batch of
// their own. Buffers are sized once for the largest step and reused. Used by ModelRunner, one step
// at a time.
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

  // Valid until the next fill.
  const BatchView& view() const { return decoder_.view; }

 private:
  struct GroupArrays {
    std::vector<std::int32_t> slots, lengths, table_begin, table;
  };
  // One lane of the step.
  struct Lane {
    std::vector<std::int32_t> token_ids, positions, segments;  // [tokens]
    std::vector<std::int32_t> row_begin;             // [rows + 1]
    std::vector<std::int32_t> logits_tokens, pooled_rows;
    std::vector<GroupArrays> groups;
    std::vector<GroupView> views;                    // of the groups
    BatchView view;

    void clear();
    void publish();
  };

  void add_row(const StepPlan& plan, std::size_t r, std::span<const TokenId> promised);
  void add_tables(const StepPlan& plan, std::size_t r, Lane& lane);

  std::vector<KvGroup> groups_;
  Lane decoder_, encoder_;
};

}  // namespace quire
