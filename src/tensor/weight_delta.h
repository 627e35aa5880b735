// WeightDelta: what a LoRA adapter adds to a weight: row r of the weight gets the sum over k of
// b[r, k] * a[k], in float32.
// Owns nothing. Plain value; any thread. Made by model/adapt, added by backends where they read a
// weight's rows.
#pragma once

#include <cstddef>

namespace quire {

struct WeightDelta {
  const float* a = nullptr;  // [rank, columns]
  const float* b = nullptr;  // [rows, rank], with the adapter's scale in it
  std::size_t rank = 0;
};

// Adds a row's part.  out: [columns]
inline void add_delta(const WeightDelta& delta, std::size_t row, std::size_t columns, float* out) {
  for (std::size_t k = 0; k < delta.rank; ++k) {
    const float factor = delta.b[row * delta.rank + k];
    const float* a = delta.a + k * columns;
    for (std::size_t i = 0; i < columns; ++i) out[i] += factor * a[i];
  }
}

}  // namespace quire
