#include "backend/cpu/ops/attention_plan.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/check.h"
#include "kernels/kernel_table.h"

namespace quire {
namespace {

constexpr int kBlocksPerSplit = kSplitTokens / kBlockTokens;
constexpr int kSplitsMany = 8;  // a row of so many is cut, lest one worker be late with it

std::span<const std::int32_t> blocks_of(const GroupView& view, int row, int splits) {
  const auto begin = static_cast<std::size_t>(view.table_begin[static_cast<std::size_t>(row)]);
  return view.table.subspan(begin, static_cast<std::size_t>(splits * kBlocksPerSplit));
}

int tokens_per_item(const Attend& shape) {
  return std::max(1, kQueriesPerItem / (shape.heads / shape.kv_heads));
}

}  // namespace

void AttentionPlan::make(const Attend& shape, const BatchView& batch, const GroupView& view,
                         int threads) {
  const auto rows = static_cast<std::size_t>(batch.rows());
  QUIRE_CHECK(view.lengths.size() == rows && view.table_begin.size() == rows + 1,
              "{} lengths and {} tables of {} rows", view.lengths.size(), view.table_begin.size(),
              rows);
  QUIRE_CHECK(view.table.size() >= static_cast<std::size_t>(view.table_begin.back()),
              "tables to {} in {} blocks", view.table_begin.back(), view.table.size());
  items.clear();
  tokens.clear();
  parts.clear();
  part_of.assign(static_cast<std::size_t>(batch.tokens()), -1);
  splits_of.assign(static_cast<std::size_t>(batch.tokens()), 0);
  state_floats = 0;
  lasts.assign(batch.positions.begin(), batch.positions.end());
  if (!shape.is_causal) {
    for (int row = 0; row < batch.rows(); ++row) {
      const auto r = static_cast<std::size_t>(row);
      for (int t = batch.row_begin[r]; t < batch.row_begin[r + 1]; ++t) {
        std::int32_t& last = lasts[static_cast<std::size_t>(t)];
        const std::int32_t end = view.lengths[r] - 1;
        last = shape.ahead > 0 ? std::min(end, last + shape.ahead) : end;
      }
    }
  }
  const bool is_scarce = batch.rows() * shape.kv_heads < 4 * threads;
  find_cut_rows(shape, batch, view, is_scarce);
  for (int row = 0; row < batch.rows(); ++row) {
    const auto r = static_cast<std::size_t>(row);
    const int begin = batch.row_begin[r], end = batch.row_begin[r + 1];
    if (end > begin && splits_of[static_cast<std::size_t>(begin)] == 0) {
      add_whole(shape, row, begin, end);
    }
  }
  add_cut_rows(shape);
}

// The end of a prompt is dearest: it goes first, so that the workers finish together.
void AttentionPlan::add_whole(const Attend& shape, int row, int begin, int end) {
  int first = end;
  for (int last = end; last > begin; last = first) {
    const bool is_alone =
        begins_own_chunk(shape, lasts[static_cast<std::size_t>(last - 1)]);
    first = is_alone ? last - 1 : std::max(begin, last - tokens_per_item(shape));
    const int at = static_cast<int>(tokens.size());
    for (int token = first; token < last; ++token) tokens.push_back(token);
    for (int head = 0; head < shape.kv_heads; ++head) {
      items.push_back({at, last - first, row, head, -1, 0});
    }
  }
}

// Rows of one token that see more than one split are cut if workers would be idle otherwise, if
// they are long, or if they share a whole split with another row.
void AttentionPlan::find_cut_rows(const Attend& shape, const BatchView& batch,
                                  const GroupView& view, bool is_scarce) {
  rows_.clear();
  for (int row = 0; row < batch.rows(); ++row) {
    const auto r = static_cast<std::size_t>(row);
    if (batch.row_begin[r + 1] - batch.row_begin[r] != 1) continue;
    const int token = batch.row_begin[r];
    const int position = lasts[static_cast<std::size_t>(token)];
    if (begins_own_chunk(shape, position)) continue;
    const Row cut{row,
                  token,
                  first_split(shape, batch.positions[static_cast<std::size_t>(token)]),
                  position / kSplitTokens + 1,
                  (position + 1) / kSplitTokens,
                  0};
    QUIRE_CHECK(cut.whole_end * kBlocksPerSplit <= view.table_begin[r + 1] - view.table_begin[r],
                "row {} sees position {}, its table has {} blocks", row, position,
                view.table_begin[r + 1] - view.table_begin[r]);
    if (cut.split_end > 1) rows_.push_back(cut);
  }
  std::sort(rows_.begin(), rows_.end(), [&](const Row& a, const Row& b) {
    const auto left = blocks_of(view, a.row, a.whole_end);
    const auto right = blocks_of(view, b.row, b.whole_end);
    const auto [l, r] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
    if (l == left.end() || r == right.end()) {
      return left.size() != right.size() ? left.size() < right.size() : a.row < b.row;
    }
    return *l < *r;
  });
  for (std::size_t i = 1; i < rows_.size(); ++i) {
    const int splits = std::min(rows_[i - 1].whole_end, rows_[i].whole_end);
    const auto before = blocks_of(view, rows_[i - 1].row, splits);
    const auto blocks = blocks_of(view, rows_[i].row, splits);
    const auto [end, other] = std::mismatch(before.begin(), before.end(), blocks.begin());
    rows_[i].alike = static_cast<int>(end - before.begin()) / kBlocksPerSplit;
  }
  // A row's neighbours in the order have the most in common with it; what two rows that are no
  // neighbours have in common, all rows between them have too.
  std::vector<Row> cut;
  int alike_since = std::numeric_limits<int>::max();  // the last row that was cut
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const int alike = std::max(rows_[i].alike, i + 1 < rows_.size() ? rows_[i + 1].alike : 0);
    const int splits = rows_[i].split_end - rows_[i].split_begin;
    alike_since = std::min(alike_since, rows_[i].alike);
    if (alike > rows_[i].split_begin || (splits > 1 && is_scarce) || splits >= kSplitsMany) {
      cut.push_back(rows_[i]);
      cut.back().alike = alike_since;
      alike_since = std::numeric_limits<int>::max();
    }
  }
  rows_ = std::move(cut);
  for (const Row& row : rows_) {
    const auto token = static_cast<std::size_t>(row.token);
    splits_of[token] = row.split_end - row.split_begin;
    part_of[token] = static_cast<std::ptrdiff_t>(parts.size());
    parts.resize(parts.size() + static_cast<std::size_t>(splits_of[token] * shape.kv_heads));
  }
}

void AttentionPlan::add_cut_rows(const Attend& shape) {
  int split_end = 0;
  for (const Row& row : rows_) split_end = std::max(split_end, row.split_end);
  const int most = tokens_per_item(shape);
  for (int split = 0; split < split_end; ++split) {
    for (std::size_t i = 0; i < rows_.size();) {
      const auto sees = [&](const Row& row) {
        return split >= row.split_begin && split < row.split_end;
      };
      if (!sees(rows_[i])) {
        ++i;
        continue;
      }
      std::size_t end = i + 1;
      while (end < rows_.size() && end - i < static_cast<std::size_t>(most) &&
             rows_[end].alike > split && sees(rows_[end])) {
        ++end;
      }
      add_split(shape, &rows_[i], static_cast<int>(end - i), split);
      i = end;
    }
  }
}

void AttentionPlan::add_split(const Attend& shape, const Row* rows, int count, int split) {
  const int group = shape.heads / shape.kv_heads;
  const int at = static_cast<int>(tokens.size());
  for (int i = 0; i < count; ++i) tokens.push_back(rows[i].token);
  for (int head = 0; head < shape.kv_heads; ++head) {
    items.push_back({at, count, rows[0].row, head, split, state_floats});
    for (int i = 0; i < count; ++i) {
      const int index = (split - rows[i].split_begin) * shape.kv_heads + head;
      parts[static_cast<std::size_t>(part_of[static_cast<std::size_t>(rows[i].token)] + index)] = {
          state_floats, count * group, i * group};
    }
    state_floats += static_cast<std::size_t>(attention_state_floats(count * group, shape.v_dim));
  }
}

}  // namespace quire
