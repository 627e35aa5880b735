// AWQ, version gemm, as AutoAWQ writes it: for a module X of a matrix [out, in]
//   X.qweight  I32 [in, out / 8]      4-bit codes, eight outputs in a word: 0 2 4 6 1 3 5 7
//   X.qzeros   I32 [groups, out / 8]  zeros in the same order
//   X.scales   [groups, out]          float16 mostly
// and value = scale * (code - zero).
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_awq(const Json& quantization_config);

}  // namespace quire
