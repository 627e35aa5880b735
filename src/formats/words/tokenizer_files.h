// A tokenizer file of any known kind as the bytes of a tokenizer.json: tokenizer.json itself, a
// SentencePiece tokenizer.model, a llama2.c .bin or a GGUF vocabulary. The kind is told by content.
// Pure function of the file; any thread. Used by checkpoint.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

// `vocab`: tokens of the model, which a llama2.c file does not state.
Result<std::string> read_tokenizer_file(const std::string& path, int vocab);

// tokenizer.json or else tokenizer.model of a Hugging Face directory.
Result<std::string> read_directory_tokenizer(const std::string& directory, int vocab);

}  // namespace quire
