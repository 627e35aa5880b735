// The Llama family: pre-norm decoder layers of rotary attention and a gated MLP (Touvron et al.,
// "LLaMA", 2023). Mistral (a sliding window), Qwen2 (biases on q, k, v) and Qwen3 (head norms) are
// the same code with other values in ModelConfig.
#pragma once

#include "model/registry.h"

namespace quire {

Result<std::unique_ptr<Model>> make_llama(const ModelConfig& config, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress);

}  // namespace quire
