#include "runtime/step_inputs.h"

#include "base/check.h"

namespace quire {

StepInputs::StepInputs(const Capacity& capacity)
    : block_tokens_(capacity.groups.at(0).block_tokens) {
  token_ids_.reserve(capacity.tokens_max);
  positions_.reserve(capacity.tokens_max);
  slots_.reserve(capacity.tokens_max);
  row_begin_.reserve(capacity.rows_max + 1);
  kv_length_.reserve(capacity.rows_max);
  table_begin_.reserve(capacity.rows_max + 1);
  logits_tokens_.reserve(capacity.logits_rows_max);
}

void StepInputs::fill(const StepPlan& plan, std::span<const TokenId> promised) {
  token_ids_.clear();
  positions_.clear();
  slots_.clear();
  kv_length_.clear();
  block_table_.clear();
  logits_tokens_.clear();
  row_begin_.assign(1, 0);
  table_begin_.assign(1, 0);
  for (std::size_t r = 0; r < plan.rows.size(); ++r) add_row(plan, r, promised);
  view_ = {token_ids_, positions_, slots_,       row_begin_,
           kv_length_, table_begin_, block_table_, logits_tokens_};
}

void StepInputs::add_row(const StepPlan& plan, std::size_t r, std::span<const TokenId> promised) {
  const StepRow& row = plan.rows[r];
  const Span table = plan.table(r, 0);
  const BlockId* blocks = plan.blocks.data() + table.begin;
  for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
    const TokenId token = plan.tokens[row.tokens.begin + i];
    const std::uint32_t position = row.first_position + i;
    const std::uint32_t block = position / block_tokens_;
    QUIRE_CHECK(block < table.count, "position {} needs block {}, the table of sequence {} has {}",
                position, block, row.seq.value, table.count);
    if (token < 0) {
      const auto output = static_cast<std::size_t>(-1 - std::int64_t{token});
      QUIRE_CHECK(output < promised.size(), "promise {} of {} outputs", output, promised.size());
      token_ids_.push_back(promised[output]);
    } else {
      token_ids_.push_back(token);
    }
    positions_.push_back(static_cast<std::int32_t>(position));
    slots_.push_back(static_cast<std::int32_t>(blocks[block] * block_tokens_ +
                                               position % block_tokens_));
  }
  const auto end = static_cast<std::int32_t>(token_ids_.size());
  for (std::uint32_t i = row.want_last; i > 0; --i) {
    logits_tokens_.push_back(end - static_cast<std::int32_t>(i));
  }
  row_begin_.push_back(end);
  kv_length_.push_back(static_cast<std::int32_t>(row.first_position + row.tokens.count));
  block_table_.insert(block_table_.end(), blocks, blocks + table.count);
  table_begin_.push_back(static_cast<std::int32_t>(block_table_.size()));
}

}  // namespace quire
