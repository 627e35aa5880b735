// What a GGUF file says about its model and vocabulary, as ModelConfig and GgufVocabulary. Files of
// the llama family hold Q and K permuted for adjacent rotary pairs; those of qwen do not.
// Errors name the key and its offset. Pure functions; any thread. Used by weight_source, describe.
#pragma once

#include "formats/gguf.h"
#include "formats/gguf_tokenizer.h"
#include "formats/model_config.h"

namespace quire {

// Everything but `parameters`, `weight_bytes` and `weight_types`.
Result<ModelConfig> read_gguf_config(const GgufFile& file);

// The arrays are copied and have the right types; gguf_tokenizer checks what is in them.
Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file);

// The vocabulary as the bytes of a tokenizer.json.
Result<std::string> read_gguf_tokenizer(const GgufFile& file);

}  // namespace quire
