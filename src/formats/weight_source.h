// ModelFiles: one face over the three kinds of model files: GGUF (one file or split), a Hugging
// Face directory (config.json, safetensors, tokenizer) and llama2.c checkpoints. It owns the mapped
// files; the tensors it finds are views into them, under canonical names:
//   embed  final_norm  head (absent if tied)  layers.3.attn_norm  layers.3.q|k|v|o
//   layers.3.q_bias|k_bias|v_bias  layers.3.q_norm|k_norm  layers.3.ffn_norm  layers.3.gate|up|down
// Once open, every tensor of the architecture is there with the shape that the config implies, and
// the file has no tensor that the architecture does not know.
// Immutable once opened; any thread. Called by apps, lab and tests through open_model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "formats/model_config.h"
#include "tensor/tensor.h"

namespace quire {

class ModelFiles {
 public:
  using TensorMap = std::map<std::string, TensorView, std::less<>>;  // by canonical name

  struct Parts {
    ModelConfig config;
    TensorMap tensors;
    std::function<Result<std::string>()> tokenizer_json;
    std::shared_ptr<const void> owner;  // keeps the mapped files
    std::span<const MappedFile> files;  // of the weights, in order; empty: made in memory
  };
  explicit ModelFiles(Parts parts) : parts_(std::move(parts)) {}

  const ModelConfig& config() const { return parts_.config; }
  const TensorMap& tensors() const { return parts_.tensors; }
  Result<TensorView> find(std::string_view canonical_name) const;

  // The first file of the weights; empty if they were made in memory.
  std::string path() const { return parts_.files.empty() ? "" : parts_.files.front().path(); }
  // Changes when a file of the weights does; 0 if there is none.
  std::uint64_t stamp() const;
  // Not ok when a file of the weights was cut or became unreadable while it was read.
  Status health() const;
  // The pages of the files leave this process's memory and come back when they are read again.
  void drop_resident() const;

  // The bytes of a tokenizer.json, made or read anew at each call.
  Result<std::string> tokenizer_json() const { return parts_.tokenizer_json(); }

 private:
  Parts parts_;
};

// `tokenizer_path` replaces the model's own tokenizer (tokenizer.json, tokenizer.model, or for
// llama2.c its .bin, which has none of its own); empty: the model's.
Result<std::unique_ptr<ModelFiles>> open_model(const std::string& path,
                                               const std::string& tokenizer_path = {});

}  // namespace quire
