// Where the recurrent layers of a row read their state and where they leave it: the entries of the
// row's table in a group of states (backend/batch_view.h). With one entry a state is changed in
// place; with more, entry i holds the state after the i-th of the last tokens. A row that begins at
// position 0 is new: whoever computes it clears the state first.
// Plain values, which a worker makes for its item; the thread that drives the backend and its pool.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "backend/batch_view.h"
#include "backend/cpu/cpu_memory.h"
#include "base/check.h"

namespace quire {

// Where the state of a row is read, and where it goes after each of its tokens.
class RowStates {
 public:
  RowStates(const BatchView& batch, const GroupView& view, const CpuKvGroup& group, int layer,
            int row, int begin)
      : group_(group), layer_(layer), begin_(begin) {
    const auto r = static_cast<std::size_t>(row);
    first_token_ = batch.row_begin[r];
    tokens_ = batch.row_begin[r + 1] - first_token_;
    entries_ = view.table.subspan(static_cast<std::size_t>(view.table_begin[r]),
                                  static_cast<std::size_t>(view.table_begin[r + 1] -
                                                           view.table_begin[r]));
    QUIRE_CHECK(!entries_.empty(), "row {} has no state", row);
    QUIRE_CHECK(tokens_ == 0 || static_cast<int>(entries_.size()) <= tokens_,
                "row {} keeps {} states of {} tokens", row, entries_.size(), tokens_);
    for (const std::int32_t block : entries_) {
      QUIRE_CHECK(block > 0 && block < group.shape.blocks, "state {} of row {} in {} blocks", block,
                  row, group.shape.blocks);
    }
    is_new_ = tokens_ > 0 && batch.positions[static_cast<std::size_t>(first_token_)] == 0;
  }

  int first_token() const { return first_token_; }
  int tokens() const { return tokens_; }
  bool is_new() const { return is_new_; }
  bool is_in_place() const { return entries_.size() == 1; }
  // `offset`: floats from the beginning of the layer's own part.
  float* before(int offset) const { return at(0, offset); }
  float* after(int token, int offset) const {
    const int entry = token - (tokens_ - static_cast<int>(entries_.size()));
    return at(std::max(entry, 0), offset);
  }

 private:
  float* at(int entry, int offset) const {
    return group_.state(layer_, entries_[static_cast<std::size_t>(entry)]) + begin_ + offset;
  }

  const CpuKvGroup& group_;
  int layer_, begin_;
  std::span<const std::int32_t> entries_;
  int first_token_ = 0, tokens_ = 0;
  bool is_new_ = false;
};

// The states after each token, where there is more than one to keep; else none.
inline void set_states(const RowStates& states, int offset, std::vector<float*>& pointers) {
  pointers.clear();
  if (states.is_in_place()) return;
  for (int t = 0; t < states.tokens(); ++t) pointers.push_back(states.after(t, offset));
}

}  // namespace quire
