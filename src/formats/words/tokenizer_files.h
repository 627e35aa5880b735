// A tokenizer file of any known kind as the bytes of a tokenizer.json: tokenizer.json itself, a
// SentencePiece model, a tiktoken file, tekken.json, a llama2.c .bin or a GGUF vocabulary, told by
// content; and of a directory, whatever of these it has, or else vocab.json and merges.txt, or
// vocab.txt, told by name.
// Pure function of the file; any thread. Used by checkpoint.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

// `vocab`: tokens of the model, which a llama2.c file does not state.
Result<std::string> read_tokenizer_file(const std::string& path, int vocab);

// Of a Hugging Face directory: tokenizer.json before all others.
Result<std::string> read_directory_tokenizer(const std::string& directory, int vocab);

}  // namespace quire
