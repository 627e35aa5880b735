// Vocabularies that lie in files of words: vocab.json with merges.txt (byte-level BPE: GPT-2,
// RoBERTa, BART, CodeGen, Qwen2) and vocab.txt (WordPiece: BERT). How text is cut and what stands
// around it is the habit of the class that tokenizer_config.json names; a class that is not known
// is refused by name.
// Pure functions of the files; any thread. Called by tokenizer_files.
#pragma once

#include <string_view>

#include "base/status.h"
#include "formats/words/class_words.h"
#include "formats/words/gguf_tokenizer.h"

namespace quire {

Result<GgufVocabulary> read_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                             const ClassWords& words);
Result<GgufVocabulary> read_vocab_list(std::string_view list, const ClassWords& words);

// Tokens by id from a vocab.json; an id that none has is an empty string. Errors name the token.
Result<std::vector<std::string>> read_vocab_json(std::string_view vocab);

}  // namespace quire
