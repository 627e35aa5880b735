// bitsandbytes in 4 bits (NF4, FP4) and 8 (LLM.int8). Of a matrix X.weight [out, in], in 4 bits:
//   X.weight             U8, values row by row, the earlier one in the high half of a byte
//   X.weight.absmax      F32, or U8 where the scales are quantized, one for `blocksize` values
//   X.weight.quant_map   F32 [16], what a code stands for
//   X.weight.nested_absmax, X.weight.nested_quant_map  F32, [256]: of the quantized scales
//   X.weight.quant_state.bitsandbytes__nf4 (or __fp4)  U8: a JSON text with shape and sizes
// and in 8: X.weight I8, X.SCB F32 [out], value = code * SCB / 127.
// The library's own tables of codes become tiles; with another table, or rows that are no whole
// blocks of 64, values are rounded to BF16.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_bitsandbytes(const Json& quantization_config);

}  // namespace quire
