// The scales of int8 weights as compressed-tensors stores them: beside each X.weight of I8 stands
// X.weight_scale and, where activations have one scale for all tokens, X.input_scale; zero points
// may be there too and must be zero. Attached to the views of the weights they become invisible to
// all that comes after. Every number is checked: scales are positive, shapes fit, and which modules
// are int8 is what the configuration says.
// Pure functions; any thread. Used by checkpoint.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/quant/compressed_tensors.h"
#include "tensor/tensor.h"

namespace quire {

// Says where a tensor is, for messages: "at offset 123".
using TensorPlace = std::function<std::string(const TensorView&)>;

// The tensors of a file with scales where they belong; tensors of scales are gone from the list.
struct ScaledTensors {
  std::vector<TensorView> tensors;
  std::vector<std::vector<float>> scales;  // that the views point into
};

Result<ScaledTensors> attach_scales(const CompressedTensors& quantization,
                                    std::span<const TensorView> file, const TensorPlace& place);

// What a quantization method makes of a file's tensors: scales put to the codes.
using AttachScales = std::function<Result<ScaledTensors>(std::span<const TensorView> file,
                                                         const TensorPlace& place)>;

// The row of this method: its configuration, ready to be applied.
Result<AttachScales> attach_compressed_tensors(const Json& quantization_config);

}  // namespace quire
