// llama2.c legacy checkpoints (.bin): a header of seven int32 (dim, hidden_dim, layers, heads,
// kv_heads, vocab, seq_len), then float32 tensors in a fixed order, each kind stacked over layers.
// A negative vocab means a head of its own behind two tables of rotary values that are skipped.
// There is no magic number: the file's size must be exactly what the header implies.
// Pure functions; any thread. Used by weight_source and describe.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "formats/model_config.h"
#include "tensor/tensor.h"

namespace quire {

struct Llama2cModel {
  ModelConfig config;  // without words: those are in the tokenizer file
  std::map<std::string, TensorView, std::less<>> tensors;  // by canonical name, views into `file`
};

// Errors name the field and its offset.
Result<Llama2cModel> read_llama2c(std::span<const std::byte> file);

// Whether the bytes could be such a header; cheap.
bool looks_like_llama2c(std::span<const std::byte> file);

}  // namespace quire
