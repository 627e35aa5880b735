// ModelFiles: one face over the three ways in which a model arrives: a GGUF file, a Hugging Face
// directory, a llama2.c checkpoint with its tokenizer file. It owns the maps that tensor views point
// into, so it outlives whoever reads weights.
//
// Canonical names: "embed", "final_norm", "head" (absent when tied), and for each layer i
// "layers.i.attn_norm|q|k|v|o|q_bias|k_bias|v_bias|q_norm|k_norm|ffn_norm|gate|up|down".
// Immutable after opening; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "formats/model_config.h"
#include "tensor/tensor.h"

namespace quire {

class ModelFiles {
 public:
  virtual ~ModelFiles() = default;
  virtual const ModelConfig& config() const = 0;
  virtual Result<TensorView> find(std::string_view canonical_name) const = 0;
  virtual Result<std::string> tokenizer_json() const = 0;  // bytes of a tokenizer.json
};

// The kind is told by content, not by extension. `tokenizer_path` may be empty where the model
// carries its tokenizer. Every tensor that the config asks for is there with the right shape.
Result<std::unique_ptr<ModelFiles>> open_model(const std::string& path,
                                               const std::string& tokenizer_path);

}  // namespace quire
