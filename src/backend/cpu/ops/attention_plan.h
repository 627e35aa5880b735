// How one step's attention is cut into items that workers take one by one. An item is a KV head and
// either some tokens of one row over all that they see, or one split of 256 positions for one or
// more decoding rows; the states of split items lie side by side until the last item of a token
// and head folds them in order of the splits. Rows whose block tables begin alike read the splits
// that they share once: their queries form one item. A plan decides who computes, never what.
// Made by the driving thread for every attention call; read by all workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/batch_view.h"
#include "backend/kv_groups.h"
#include "backend/program.h"

namespace quire {

struct AttentionItem {
  int first_token, count;  // of AttentionPlan::tokens; query heads = count * group
  int row;                 // whose block table is read
  int kv_head;
  int split;               // one split, or -1: all that the tokens see, folded in place
  std::size_t state;       // of a split: floats into the states
};

// Where the states of one token, split and KV head lie: `queries` states at `state`, those of the
// token from `first` on.
struct AttentionPart {
  std::size_t state;
  int queries, first;
};

struct AttentionPlan {
  std::vector<AttentionItem> items;
  std::vector<std::int32_t> tokens;      // of the batch, item after item
  std::vector<AttentionPart> parts;      // of each cut token: [its splits, kv_heads]
  std::vector<std::ptrdiff_t> part_of;   // [batch tokens] first part, or -1: not cut
  std::vector<int> splits_of;            // [batch tokens] of a cut token
  std::size_t state_floats = 0;          // of all split items

  std::vector<std::int32_t> lasts;       // [batch tokens] the last position that each sees

  void make(const Attend& shape, const BatchView& batch, const GroupView& view, int threads);

 private:
  struct Row {  // a row that is cut by splits
    int row, token;
    int split_begin, split_end;  // that it sees
    int whole_end;               // splits [0, whole_end) lie fully in its past
    int alike;                   // first splits whose blocks are those of the row before it
  };

  void add_whole(const Attend& shape, int row, int begin, int end);
  void find_cut_rows(const Attend& shape, const BatchView& batch, const GroupView& view,
                     bool is_scarce);
  void add_cut_rows(const Attend& shape);
  void add_split(const Attend& shape, const Row* rows, int count, int split);

  std::vector<Row> rows_;  // sorted by their block tables
};

inline constexpr int kQueriesPerItem = 64;  // query heads times tokens that read a tile together

// Whether a token of that last position sees another past than its neighbours in a row: its item
// holds no other token.
inline bool begins_own_chunk(const Attend& shape, int position) {
  return shape.is_chunked && position >= shape.window;
}

// A group with sinks has a window of its own, whatever its layers had.
inline Attend shape_of(const Attend& attend, const KvGroupShape& group) {
  Attend shape = attend;
  if (group.sinks == 0) return shape;
  shape.window = group.window;
  shape.is_chunked = false;
  return shape;
}

inline int first_split(const Attend& shape, int position) {
  if (begins_own_chunk(shape, position)) {
    return position / shape.window * shape.window / kSplitTokens;
  }
  const int low = position - shape.window + 1;
  return shape.window > 0 && low > 0 ? low / kSplitTokens : 0;
}

}  // namespace quire
