// Which tensors a model has: canonical names, what GGUF and Hugging Face call them, and the shape
// that the configuration implies. One table for all readers. A file must have each of them with its
// shape, and none that the table does not know: an unknown tensor is an unknown feature.
// Pure functions; any thread. Used by weight_source.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "formats/model_config.h"
#include "tensor/tensor.h"

namespace quire {

enum class TensorNaming { kGguf, kHuggingFace };

// Says where a tensor is, for messages: "at offset 123".
using TensorPlace = std::function<std::string(const TensorView&)>;

// The tensors of `file` under their canonical names.
Result<std::map<std::string, TensorView, std::less<>>> match_tensors(
    const ModelConfig& config, std::span<const TensorView> file, TensorNaming naming,
    const TensorPlace& place);

// The shape [rows, columns] or [columns] of a canonical tensor; empty if the model has none such.
std::vector<std::size_t> expected_shape(const ModelConfig& config, std::string_view canonical_name);

// Fills in parameters, weight_bytes and weight_types.
void count_weights(const std::map<std::string, TensorView, std::less<>>& tensors,
                   ModelConfig& config);

}  // namespace quire
