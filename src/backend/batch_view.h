// BatchView: one step as flat arrays on the device. This is all that a model sees of a batch: it
// knows no requests. A *row* is one sequence's run of tokens; rows follow each other in the token
// arrays. Rows of an encoder are a batch of their own, which is computed first. Every array is
// valid for the duration of the step; written by runtime/step_inputs.
#pragma once

#include <cstdint>
#include <span>

namespace quire {

// Where the rows' memory of one KV group is. Of a state group a row's table has c entries: entry 0
// holds the state before the row, and after it entry i the state after its token n - c + i.
struct GroupView {
  std::span<const std::int32_t> slots;        // [tokens] block * block_tokens + offset; no states
  std::span<const std::int32_t> lengths;      // [rows] positions that exist in it after this step
  std::span<const std::int32_t> table_begin;  // [rows + 1] into table
  std::span<const std::int32_t> table;        // block ids of every row, in position order
};

struct BatchView {
  std::span<const std::int32_t> token_ids;      // [tokens]
  std::span<const std::int32_t> positions;      // [tokens] position of each token in its sequence
  std::span<const std::int32_t> row_begin;      // [rows + 1] first token of each row
  std::span<const std::int32_t> logits_tokens;  // [logits_rows] tokens whose logits are wanted
  std::span<const std::int32_t> pooled_rows;    // [pooled] rows whose pooled vector is wanted
  std::span<const GroupView> groups;            // [groups of the model]
  const BatchView* encoder = nullptr;           // the encoder's lane; null: none in this step
  std::span<const std::int32_t> segments{};     // [tokens] 1: of the second text of a pair, else 0

  int rows() const { return row_begin.empty() ? 0 : static_cast<int>(row_begin.size()) - 1; }
  int tokens() const { return static_cast<int>(token_ids.size()); }
  int logits_rows() const { return static_cast<int>(logits_tokens.size()); }
};

}  // namespace quire
