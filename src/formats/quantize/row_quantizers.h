// A row of float32 as a row of any type that this program writes: floats, and the block types whose
// scales are found from the values alone. The simple types round as the reference of their format
// does, bit for bit; the K types search for scales (scale_search.h). kernels/dequantize.h is the
// other direction.
// Pure functions in plain arithmetic: the same bits everywhere, at any number of threads.
// Used by gguf_quantize.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace quire {

// Magnitudes up to here can be written in every type: what half precision has.
inline constexpr float kQuantizableMax = 65504.0f;

bool can_quantize(DType dtype);

// x: [columns] finite values, none beyond kQuantizableMax unless the type is F32 or BF16;
// out: row_bytes(dtype, columns) bytes, any alignment.  REQUIRES: whole blocks, can_quantize.
void quantize_row(DType dtype, const float* x, std::size_t columns, std::byte* out);

// F32, F16 or BF16 as float32.  REQUIRES: one of them.
void widen_float_row(DType dtype, const std::byte* row, std::size_t columns, float* out);

}  // namespace quire
