// One row of any DType as float32: the value that the packed kernels see, up to the one rounding of
// types with a minimum. Used by embedding lookups, the exact f32 test setting and the oracles.
// I8 rows are their codes: the scale of the row is the caller's. Plain C++, the same bits
// everywhere; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace quire {

// row: row_bytes(dtype, columns) bytes, any alignment; out: [columns], whole blocks
void dequantize_row(DType dtype, const std::byte* row, std::size_t columns, float* out);

}  // namespace quire
