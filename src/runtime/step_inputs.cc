#include "runtime/step_inputs.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

StepInputs::StepInputs(const Capacity& capacity) : groups_(capacity.groups) {
  for (const KvGroup& group : groups_) {
    QUIRE_CHECK(group.block_tokens > 0, "group '{}' has blocks of no tokens", group.name);
  }
  for (Lane* lane : {&decoder_, &encoder_}) {
    lane->token_ids.reserve(capacity.tokens_max);
    lane->positions.reserve(capacity.tokens_max);
    lane->segments.reserve(capacity.tokens_max);
    lane->row_begin.reserve(capacity.rows_max + 1);
    lane->logits_tokens.reserve(capacity.logits_rows_max);
    lane->groups.resize(groups_.size());
    lane->views.resize(groups_.size());
  }
}

void StepInputs::Lane::clear() {
  token_ids.clear(), positions.clear(), segments.clear();
  logits_tokens.clear(), pooled_rows.clear();
  row_begin.assign(1, 0);
  for (GroupArrays& group : groups) {
    group.slots.clear(), group.lengths.clear(), group.table.clear();
    group.table_begin.assign(1, 0);
  }
}

void StepInputs::Lane::publish() {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    views[g] = {groups[g].slots, groups[g].lengths, groups[g].table_begin, groups[g].table};
  }
  view = {token_ids, positions, row_begin, logits_tokens, pooled_rows, views, nullptr, segments};
}

void StepInputs::fill(const StepPlan& plan, std::span<const TokenId> promised) {
  QUIRE_CHECK(plan.groups == groups_.size() && plan.tables.size() == plan.rows.size() * plan.groups,
              "step {}: {} tables of {} rows in {} groups, the model has {}", plan.step,
              plan.tables.size(), plan.rows.size(), plan.groups, groups_.size());
  decoder_.clear();
  encoder_.clear();
  for (std::size_t r = 0; r < plan.rows.size(); ++r) add_row(plan, r, promised);
  decoder_.publish();
  encoder_.publish();
  if (encoder_.view.tokens() > 0) decoder_.view.encoder = &encoder_.view;
}

void StepInputs::add_row(const StepPlan& plan, std::size_t r, std::span<const TokenId> promised) {
  const StepRow& row = plan.rows[r];
  QUIRE_CHECK(row.lane <= 1 && row.want_last <= row.tokens.count &&
                  std::size_t{row.tokens.begin} + row.tokens.count <= plan.tokens.size(),
              "sequence {} in lane {}: {} of {} tokens from {} on, of {}", row.seq.value, row.lane,
              row.want_last, row.tokens.count, row.tokens.begin, plan.tokens.size());
  Lane& lane = row.lane == 0 ? decoder_ : encoder_;
  for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
    const TokenId token = plan.tokens[row.tokens.begin + i];
    if (token < 0) {
      const auto output = static_cast<std::size_t>(-1 - std::int64_t{token});
      QUIRE_CHECK(output < promised.size(), "promise {} of {} outputs", output, promised.size());
      lane.token_ids.push_back(promised[output]);
    } else {
      lane.token_ids.push_back(token);
    }
    const std::uint32_t position = row.first_position + i;
    lane.positions.push_back(static_cast<std::int32_t>(position));
    lane.segments.push_back(row.second_segment > 0 && position >= row.second_segment ? 1 : 0);
  }
  const auto end = static_cast<std::int32_t>(lane.token_ids.size());
  for (std::uint32_t i = row.want_last; i > 0; --i) {
    lane.logits_tokens.push_back(end - static_cast<std::int32_t>(i));
  }
  if (row.flags & kRowPool) {
    lane.pooled_rows.push_back(static_cast<std::int32_t>(lane.row_begin.size()) - 1);
  }
  lane.row_begin.push_back(end);
  add_tables(plan, r, lane);
}

// A group that this lane does not write has no slots for its tokens.
void StepInputs::add_tables(const StepPlan& plan, std::size_t r, Lane& lane) {
  const StepRow& row = plan.rows[r];
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const KvGroup& group = groups_[g];
    GroupArrays& arrays = lane.groups[g];
    const Span table = plan.table(r, static_cast<std::uint32_t>(g));
    QUIRE_CHECK(std::size_t{table.begin} + table.count <= plan.blocks.size(),
                "a table of {} blocks from {} on, of {}", table.count, table.begin,
                plan.blocks.size());
    const BlockId* blocks = plan.blocks.data() + table.begin;
    arrays.table.insert(arrays.table.end(), blocks, blocks + table.count);
    arrays.table_begin.push_back(static_cast<std::int32_t>(arrays.table.size()));
    const std::uint32_t text = row.lane == 0 ? row.first_position + row.tokens.count : 0;
    arrays.lengths.push_back(
        static_cast<std::int32_t>(holds_encoder(group) ? row.encoder_tokens : text));
    const bool is_written = holds_encoder(group) == (row.lane == 1);
    if (holds_states(group) || !is_written) continue;
    for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
      const std::uint32_t position = row.first_position + i, block = position / group.block_tokens;
      QUIRE_CHECK(block < table.count,
                  "position {} needs block {}, the table of sequence {} has {}", position, block,
                  row.seq.value, table.count);
      arrays.slots.push_back(static_cast<std::int32_t>(blocks[block] * group.block_tokens +
                                                       position % group.block_tokens));
    }
  }
}

}  // namespace quire
