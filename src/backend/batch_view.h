// BatchView: one step as flat arrays on the device. This is all that a model sees of a batch: it
// knows no requests. A *row* is one sequence's run of tokens; rows follow each other in the token
// arrays. Every array is valid for the duration of the step; written by runtime/step_inputs.
#pragma once

#include <cstdint>
#include <span>

namespace quire {

struct BatchView {
  std::span<const std::int32_t> token_ids;     // [tokens]
  std::span<const std::int32_t> positions;     // [tokens] position of each token in its sequence
  std::span<const std::int32_t> slots;         // [tokens] block * block_tokens + offset in it
  std::span<const std::int32_t> row_begin;     // [rows + 1] first token of each row
  std::span<const std::int32_t> kv_length;     // [rows] positions whose KV exists after this step
  std::span<const std::int32_t> table_begin;   // [rows + 1] into block_table
  std::span<const std::int32_t> block_table;   // block ids of every row, in position order
  std::span<const std::int32_t> logits_tokens; // [logits_rows] tokens whose logits are wanted

  int rows() const { return static_cast<int>(kv_length.size()); }
  int tokens() const { return static_cast<int>(token_ids.size()); }
  int logits_rows() const { return static_cast<int>(logits_tokens.size()); }
};

}  // namespace quire
