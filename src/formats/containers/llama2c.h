// llama2.c legacy checkpoints (.bin): a header of seven int32 (dim, hidden_dim, layers, heads,
// kv_heads, vocab, seq_len), then float32 tensors in a fixed order, each kind stacked over layers.
// A negative vocab means a head of its own behind two tables of rotary values that are skipped.
// There is no magic number: the file's size must be exactly what the header implies.
// Pure functions; any thread. Used by checkpoint and file_kind.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/words/words.h"
#include "tensor/tensor.h"

namespace quire {

// What is said of such files where others name an architecture.
inline constexpr std::string_view kLlama2cArchitecture = "llama2.c";

struct Llama2cModel {
  Json config;                      // the header, as a config.json would have it
  Words words;                      // without a template: those are in the tokenizer file
  std::vector<TensorView> tensors;  // named as a Hugging Face directory would; views into `file`
};

// Errors name the field and its offset.
Result<Llama2cModel> read_llama2c(std::span<const std::byte> file);

// Whether the bytes could be such a header; cheap.
bool looks_like_llama2c(std::span<const std::byte> file);

}  // namespace quire
