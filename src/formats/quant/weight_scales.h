// The scales of int8 weights as compressed-tensors stores them: beside each X.weight of I8 stands
// X.weight_scale and, where activations have one scale for all tokens, X.input_scale; zero points
// may be there too and must be zero. Attached to the views of the weights they become invisible to
// all that comes after. Every number is checked: scales are positive, shapes fit, and which modules
// are int8 is what the configuration says.
// Pure functions; any thread. Used by compressed_tensors' row of quant_methods.
#pragma once

#include <span>

#include "formats/quant/compressed_tensors.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<ScaledTensors> attach_scales(const CompressedTensors& quantization,
                                    std::span<const TensorView> file, const TensorPlace& place);

}  // namespace quire
