// Super-blocks of 256 values: sub-blocks get their scales by search (scale_search.h), the scales
// become small integers over one or two half-precision numbers, and the codes are rounded once
// more for the scales as they are read back.
// Pure functions in plain arithmetic: the same bits everywhere, at any number of threads.
// Used by row_quantizers.
#pragma once

#include "tensor/quant_blocks.h"

namespace quire {

// x: [256] finite values
void quantize(const float* x, BlockQ2_K& block);
void quantize(const float* x, BlockQ3_K& block);
void quantize(const float* x, BlockQ4_K& block);
void quantize(const float* x, BlockQ5_K& block);
void quantize(const float* x, BlockQ6_K& block);

}  // namespace quire
