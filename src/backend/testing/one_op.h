// For tests: buffers filled and read by hand, and programs of a few ops over a plain batch: the
// tokens of one sequence that remembers nothing. One thread, as every Backend. Used by the tests
// and benchmarks of backend/.
#pragma once

#include <numeric>
#include <span>
#include <vector>

#include "backend/cpu/cpu_backend.h"

namespace quire::testing {

inline void fill(const Buffer& buffer, std::span<const float> values) {
  CpuBuffer& memory = cpu(buffer);
  memory.grow(ActivationForm::kF32);
  memory.is_fresh = false;
  const auto columns = static_cast<std::size_t>(buffer.columns);
  for (std::size_t row = 0; row * columns < values.size(); ++row) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                memory.floats(static_cast<int>(row)));
  }
}

// Room for floats, so that ops which write only what is read have somebody who reads them.
inline void want(const Buffer& buffer) { cpu(buffer).grow(ActivationForm::kF32); }

inline std::vector<float> read(const Buffer& buffer, int rows) {
  std::vector<float> values;
  for (int row = 0; row < rows; ++row) {
    const float* from = cpu(buffer).floats(row);
    values.insert(values.end(), from, from + buffer.columns);
  }
  return values;
}

// Runs a program over `tokens` tokens of one sequence without memory.
class PlainBatch {
 public:
  explicit PlainBatch(int tokens) : PlainBatch(std::vector<std::int32_t>(size(tokens), 0)) {}
  explicit PlainBatch(std::vector<std::int32_t> ids)
      : ids_(std::move(ids)), positions_(ids_.size()) {
    std::iota(positions_.begin(), positions_.end(), 0);
    row_begin_ = {0, static_cast<std::int32_t>(ids_.size())};
    view_ = {ids_, positions_, row_begin_, positions_, {}, {}, nullptr};
  }
  const BatchView& view() const { return view_; }

  void run(Backend& backend, const Program& program) const {
    CpuKvStore nothing;
    backend.run(program, view_, nothing);
  }

 private:
  static std::size_t size(int tokens) { return static_cast<std::size_t>(tokens); }

  std::vector<std::int32_t> ids_, positions_, row_begin_;
  BatchView view_;
};

}  // namespace quire::testing
