// What both sides of the waist ask of a plan and of a sample spec before they trust them: nothing
// that the capacity does not have, and every index and span in range.
#include <algorithm>
#include <utility>

#include "core/executor.h"
#include "core/step.h"

namespace quire {
namespace {

constexpr std::uint8_t kRowFlags = kRowHashLogits | kRowPool;

template <typename... Args>
Status bad(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "step plan: {}",
               fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Status bad_spec(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "sample spec: {}",
               fmt::format(format, std::forward<Args>(args)...));
}

using GroupBlock = std::pair<std::uint32_t, BlockId>;

Status validate_totals(const StepPlan& plan, const Capacity& capacity) {
  if (plan.step == 0) return bad("steps are counted from 1");
  if (plan.groups != capacity.groups.size()) {
    return bad("{} KV groups, the model has {}", plan.groups, capacity.groups.size());
  }
  if (plan.rows.size() > capacity.rows_max) {
    return bad("{} rows, at most {}", plan.rows.size(), capacity.rows_max);
  }
  if (plan.tokens.size() > capacity.tokens_max) {
    return bad("{} tokens, at most {}", plan.tokens.size(), capacity.tokens_max);
  }
  std::uint64_t wanted = 0, pooled = 0;
  for (const StepRow& row : plan.rows) {
    wanted += row.want_last;
    pooled += (row.flags & kRowPool) != 0;
  }
  if (wanted > capacity.logits_rows_max) {
    return bad("{} logits rows, at most {}", wanted, capacity.logits_rows_max);
  }
  if (pooled > capacity.pooled_max) {
    return bad("{} pooled rows, at most {}", pooled, capacity.pooled_max);
  }
  if (plan.tables.size() != plan.rows.size() * plan.groups) {
    return bad("{} block tables for {} rows of {} groups", plan.tables.size(), plan.rows.size(),
               plan.groups);
  }
  return ok_status();
}

// What only some models can do.
Status validate_wishes(const StepRow& row, std::size_t r, const Capacity& capacity) {
  if (row.adapter < 0 || static_cast<std::uint32_t>(row.adapter) > capacity.adapters) {
    return bad("row {}: adapter {} of {}", r, row.adapter, capacity.adapters);
  }
  if (row.lane >= capacity.lanes) return bad("row {}: lane {} of {}", r, row.lane, capacity.lanes);
  if ((row.flags & ~kRowFlags) != 0) return bad("row {}: flags {}", r, row.flags);
  const bool is_pooled = (row.flags & kRowPool) != 0;
  if (is_pooled && row.want_last > 0) {
    return bad("row {}: pooled, with {} logits", r, row.want_last);
  }
  if (row.lane != 0 ? row.encoder_tokens != row.tokens.count || row.want_last > 0
                    : (row.encoder_tokens > 0) != (capacity.lanes > 1)) {
    return bad("row {}: lane {}, {} tokens, {} logits, {} positions of an encoder", r, row.lane,
               row.tokens.count, row.want_last, row.encoder_tokens);
  }
  if (row.second_segment != 0 &&
      (capacity.segments < 2 || row.second_segment >= row.first_position + row.tokens.count)) {
    return bad("row {}: a second text at {} of {} positions", r, row.second_segment,
               row.first_position + row.tokens.count);
  }
  if (row.first_position != 0 && (is_pooled || row.lane != 0 || !capacity.is_causal)) {
    return bad("row {}: begins at {} what must be fed as a whole", r, row.first_position);
  }
  if (row.drafts > capacity.drafts_max || row.drafts >= row.tokens.count ||
      (row.drafts > 0 && row.want_last <= row.drafts)) {
    return bad("row {}: {} drafts of at most {}, {} tokens, {} logits", r, row.drafts,
               capacity.drafts_max, row.tokens.count, row.want_last);
  }
  return ok_status();
}

Status validate_row(const StepPlan& plan, std::size_t r, const Capacity& capacity,
                    std::uint64_t tokens_before) {
  const StepRow& row = plan.rows[r];
  if (row.tokens.begin != tokens_before || row.tokens.count == 0 ||
      tokens_before + row.tokens.count > plan.tokens.size()) {
    return bad("row {}: tokens [{}, +{}) do not follow the row before, within {}", r,
               row.tokens.begin, row.tokens.count, plan.tokens.size());
  }
  if (row.want_last > row.tokens.count) {
    return bad("row {}: wants {} logits of {} tokens", r, row.want_last, row.tokens.count);
  }
  const std::uint64_t end = std::uint64_t{row.first_position} + row.tokens.count;
  if (end > capacity.context_max) {
    return bad("row {}: ends at position {}, the context is {}", r, end, capacity.context_max);
  }
  QUIRE_RETURN_IF_ERROR(validate_wishes(row, r, capacity));
  for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
    const std::int64_t token = plan.tokens[row.tokens.begin + i];
    const bool is_promise = token < 0;
    // Only the newest token can be unknown, and a promise is for one token.
    if (is_promise ? capacity.depth < 2 || i != 0 || -1 - token >= capacity.logits_rows_max
                   : token >= capacity.vocab) {
      return bad("row {}: token {} at {}", r, token, i);
    }
  }
  return ok_status();
}

// Tables long enough for the row's positions; id 0 only for blocks behind the window.
Status validate_positions(const StepPlan& plan, std::size_t r, std::uint32_t g,
                          const KvGroup& group, std::vector<GroupBlock>& written) {
  const StepRow& row = plan.rows[r];
  const Span table = plan.table(r, g);
  const std::uint64_t end = std::uint64_t{row.first_position} + row.tokens.count;
  if (std::uint64_t{table.count} * group.block_tokens < end) {
    return bad("row {}: {} blocks of {} for {} positions", r, table.count, group.block_tokens, end);
  }
  const std::uint32_t visible =  // the first position of the window of the first token
      group.window != 0 && row.first_position >= group.window
          ? row.first_position - group.window + 1
          : 0;
  for (std::uint32_t i = 0; i < table.count; ++i) {
    const BlockId block = plan.blocks[table.begin + i];
    const bool is_behind =
        i >= sink_blocks(group) && (std::uint64_t{i} + 1) * group.block_tokens <= visible;
    if (block == 0 && !is_behind) return bad("row {}: block 0 at {} of group {}", r, i, g);
  }
  for (std::uint64_t i = row.first_position / group.block_tokens; i * group.block_tokens < end;
       ++i) {
    written.emplace_back(g, plan.blocks[table.begin + i]);
  }
  return ok_status();
}

// Blocks for the whole input of the encoder, which its own row writes.
Status validate_encoder(const StepPlan& plan, std::size_t r, std::uint32_t g, const KvGroup& group,
                        std::vector<GroupBlock>& written) {
  const StepRow& row = plan.rows[r];
  const Span table = plan.table(r, g);
  if (std::uint64_t{table.count} * group.block_tokens < row.encoder_tokens) {
    return bad("row {}: {} blocks of {} for {} positions of the encoder", r, table.count,
               group.block_tokens, row.encoder_tokens);
  }
  for (std::uint32_t i = 0; i < table.count; ++i) {
    const BlockId block = plan.blocks[table.begin + i];
    if (block == 0) return bad("row {}: block 0 at {} of group {}", r, i, g);
    if (row.lane != 0) written.emplace_back(g, block);
  }
  return ok_status();
}

// One entry, and one more for every draft.
Status validate_states(const StepPlan& plan, std::size_t r, std::uint32_t g,
                       std::vector<GroupBlock>& written) {
  const Span table = plan.table(r, g);
  if (table.count != 1 + plan.rows[r].drafts) {
    return bad("row {}: {} states in group {}, {} drafts", r, table.count, g, plan.rows[r].drafts);
  }
  for (std::uint32_t i = 0; i < table.count; ++i) {
    const BlockId block = plan.blocks[table.begin + i];
    if (block == 0) return bad("row {}: no block for state {} of group {}", r, i, g);
    written.emplace_back(g, block);
  }
  return ok_status();
}

Status validate_tables(const StepPlan& plan, std::size_t r, const Capacity& capacity,
                       std::vector<GroupBlock>& written) {
  for (std::uint32_t g = 0; g < plan.groups; ++g) {
    const KvGroup& group = capacity.groups[g];
    const Span table = plan.table(r, g);
    if (std::uint64_t{table.begin} + table.count > plan.blocks.size()) {
      return bad("row {}: table [{}, +{}) of {} blocks", r, table.begin, table.count,
                 plan.blocks.size());
    }
    for (std::uint32_t i = 0; i < table.count; ++i) {
      const BlockId block = plan.blocks[table.begin + i];
      if (block < 0 || static_cast<std::uint32_t>(block) >= group.blocks) {
        return bad("row {}: block {} at {} of group {}", r, block, i, g);
      }
    }
    if (holds_encoder(group)) {
      QUIRE_RETURN_IF_ERROR(validate_encoder(plan, r, g, group, written));
    } else if (plan.rows[r].lane != 0) {
      if (table.count > 0) return bad("row {}: an encoder's, with blocks of the text", r);
    } else {
      QUIRE_RETURN_IF_ERROR(holds_states(group)
                                ? validate_states(plan, r, g, written)
                                : validate_positions(plan, r, g, group, written));
    }
  }
  return ok_status();
}

// What one row writes, no other row names: rows of a step run in any order.
Status validate_writes(const StepPlan& plan, const Capacity& capacity,
                       std::vector<GroupBlock>& written) {
  std::sort(written.begin(), written.end());
  const auto twice = std::adjacent_find(written.begin(), written.end());
  if (twice != written.end()) return bad("block {} is written by two rows", twice->second);
  std::size_t named = 0;
  for (std::uint32_t g = 0; g < plan.groups; ++g) {
    std::vector<std::uint8_t> is_written(capacity.groups[g].blocks, 0);
    for (const GroupBlock& it : written) {
      if (it.first == g) is_written[static_cast<std::size_t>(it.second)] = 1;
    }
    for (std::size_t r = 0; r < plan.rows.size(); ++r) {
      const Span table = plan.table(r, g);
      for (std::uint32_t i = 0; i < table.count; ++i) {
        named += is_written[static_cast<std::size_t>(plan.blocks[table.begin + i])];
      }
    }
  }
  if (named != written.size()) return bad("a block is written by one row and read by another");
  return ok_status();
}

Status validate_copies(const StepPlan& plan, const Capacity& capacity) {
  std::vector<GroupBlock> sources, destinations;
  for (const BlockCopy& copy : plan.copies) {
    if (copy.group >= plan.groups) return bad("a copy in group {}", copy.group);
    const auto blocks = static_cast<BlockId>(capacity.groups[copy.group].blocks);
    if (copy.src_tier != 0 || copy.dst_tier != 0 || copy.src < 1 || copy.src >= blocks ||
        copy.dst < 1 || copy.dst >= blocks) {
      return bad("a copy from block {} (tier {}) to {} (tier {})", copy.src, copy.src_tier,
                 copy.dst, copy.dst_tier);
    }
    sources.emplace_back(copy.group, copy.src);
    destinations.emplace_back(copy.group, copy.dst);
  }
  std::sort(sources.begin(), sources.end());
  std::sort(destinations.begin(), destinations.end());
  if (std::adjacent_find(destinations.begin(), destinations.end()) != destinations.end()) {
    return bad("two copies have one destination");
  }
  for (const GroupBlock& destination : destinations) {
    if (std::binary_search(sources.begin(), sources.end(), destination)) {
      return bad("block {} is the source of a copy and the destination of one", destination.second);
    }
  }
  return ok_status();
}

}  // namespace

Status validate(const StepPlan& plan, const Capacity& capacity) {
  QUIRE_RETURN_IF_ERROR(validate_totals(plan, capacity));
  std::vector<SeqId> seqs;
  std::vector<GroupBlock> written;
  std::uint64_t tokens_before = 0;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    QUIRE_RETURN_IF_ERROR(validate_row(plan, r, capacity, tokens_before));
    QUIRE_RETURN_IF_ERROR(validate_tables(plan, r, capacity, written));
    tokens_before += plan.rows[r].tokens.count;
    seqs.push_back(plan.rows[r].seq);
  }
  if (tokens_before != plan.tokens.size()) {
    return bad("rows feed {} tokens of {}", tokens_before, plan.tokens.size());
  }
  std::sort(seqs.begin(), seqs.end());
  if (std::adjacent_find(seqs.begin(), seqs.end()) != seqs.end()) {
    return bad("a sequence has two rows");
  }
  QUIRE_RETURN_IF_ERROR(validate_writes(plan, capacity, written));
  return validate_copies(plan, capacity);
}

namespace {

Status validate_draw(const SampleRow& sample, std::size_t i, const Capacity& capacity) {
  if (sample.params == nullptr) return bad_spec("row {}: without parameters", i);
  if (sample.history.size() != sample.position || sample.prompt_count > sample.position) {
    return bad_spec("row {}: {} tokens before position {}, {} of them the prompt", i,
                    sample.history.size(), sample.position, sample.prompt_count);
  }
  if (!sample.mask.empty() && sample.mask.size() != (std::size_t{capacity.vocab} + 31) / 32) {
    return bad_spec("row {}: a mask of {} words for {} tokens", i, sample.mask.size(),
                    capacity.vocab);
  }
  const auto is_foreign = [&](TokenId token) {
    return token < 0 || static_cast<std::uint32_t>(token) >= capacity.vocab;
  };
  if (std::any_of(sample.banned.begin(), sample.banned.end(), is_foreign)) {
    return bad_spec("row {}: bans what is not in the vocabulary of {}", i, capacity.vocab);
  }
  return ok_status();
}

}  // namespace

Status validate(const SampleSpec& spec, const StepPlan& plan, const Capacity& capacity) {
  if (spec.rows.size() != plan.logits_rows()) {
    return bad_spec("{} rows, the plan wants {}", spec.rows.size(), plan.logits_rows());
  }
  std::size_t i = 0;
  for (const StepRow& row : plan.rows) {
    const std::uint32_t first = row.first_position + row.tokens.count - row.want_last + 1;
    const std::size_t begin = i;
    for (std::uint32_t index = 0; index < row.want_last; ++index, ++i) {
      const SampleRow& sample = spec.rows[i];
      if (sample.is_discarded != spec.rows[begin].is_discarded) {
        return bad_spec("row {}: a branch has ended in part", i);
      }
      if (sample.is_discarded) continue;
      const bool is_draw = sample.target < 0;
      if (sample.position != first + index) {
        return bad_spec("row {}: for position {}, not {}", i, sample.position, first + index);
      }
      if (is_draw != (spec.rows[begin + row.want_last - 1].target < 0 &&
                      index + 1 + row.drafts >= row.want_last)) {
        return bad_spec("row {}: target {} at {} of {}, {} drafts", i, sample.target, index,
                        row.want_last, row.drafts);
      }
      if (!is_draw && static_cast<std::uint32_t>(sample.target) >= capacity.vocab) {
        return bad_spec("row {}: scores token {} of {}", i, sample.target, capacity.vocab);
      }
      QUIRE_RETURN_IF_ERROR(validate_draw(sample, i, capacity));
    }
  }
  return ok_status();
}

}  // namespace quire
