// Packed weights of compressed-tensors (pack-quantized, W4A16 and W8A16): for a module X of a
// matrix [out, in]
//   X.weight_packed      I32 [out, in / 32 * bits]  codes along the inputs, the lowest bits first
//   X.weight_scale       [out, groups]
//   X.weight_zero_point  I32 [out / 32 * bits, groups], packed along the outputs, or as distances
//                        from the middle I8 [out, groups]; absent where codes are symmetric
//   X.weight_shape       I64 [2]                    out, in
//   X.weight_g_idx       I32 [in], in act-order     the group of each input
// and value = scale * (code - zero), the zero of symmetric codes in the middle.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "formats/quant/compressed_tensors.h"
#include "formats/quant/quantization.h"

namespace quire {

// REQUIRES: quantization.bits != 0.
Result<ScaledTensors> unpack_tensors(const CompressedTensors& quantization,
                                     const FileTensors& file);

}  // namespace quire
