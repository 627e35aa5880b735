// GPTQ as AutoGPTQ, GPTQModel and AutoRound write it: for a module X of a matrix [out, in]
//   X.qweight  I32 [in / 32 * bits, out]      codes along the inputs, the lowest bits first
//   X.qzeros   I32 [groups, out / 32 * bits]  zeros along the outputs; version 1 of the format
//                                             stores zero - 1, version 2 the zero
//   X.scales   [groups, out]                  float16 mostly
//   X.g_idx    I32 [in], may be absent        the group of each input
// and value = scale * (code - zero). With act-order the inputs of a group are scattered.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_gptq(const Json& quantization_config);

}  // namespace quire
