// SentencePiece vocabularies as the classes of Hugging Face number them: special tokens in front
// (XLM-R, mBART, NLLB, Pegasus), languages and a mask behind, or ids of their own in a vocab.json
// beside the file (Marian, M2M-100); and what each class puts around a text. A class that is not
// known is refused by name; the Llama kind and files without a class keep the numbers of the file.
// Pure functions; any thread. Called by tokenizer_files.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "formats/words/class_words.h"
#include "formats/words/gguf_tokenizer.h"

namespace quire {

// `vocab`: the bytes of vocab.json; empty where the directory has none.
Result<GgufVocabulary> follow_piece_class(GgufVocabulary pieces, const ClassWords& words,
                                          std::string_view vocab);

}  // namespace quire
