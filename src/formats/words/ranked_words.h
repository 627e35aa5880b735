// Byte-level vocabularies in order of rank: tiktoken files ("base64 rank" a line; Llama 3, Qwen 1,
// GLM-4, Kimi, and those of OpenAI) and Mistral's tekken.json. The pair of neighbours that makes
// the token of least rank merges first, so that every way to split a token is a merge of its rank.
// A tiktoken file says neither how text is cut nor which special tokens follow: both are told by
// the number of its ranks, which is one for each published vocabulary, and the names of special
// tokens by tokenizer_config.json, where it lists them.
// Pure functions; any thread. Called by tokenizer_files.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "formats/words/class_words.h"
#include "formats/words/gguf_tokenizer.h"

namespace quire {

bool is_tiktoken(std::string_view file);
bool is_tekken(std::string_view file);

// Errors name the line.
Result<GgufVocabulary> read_tiktoken(std::string_view file, const ClassWords& words);
// Errors name the field.
Result<GgufVocabulary> read_tekken(std::string_view file);

}  // namespace quire
