// The tokenizer file of llama2.c: int32 longest token (bytes), then per token a float32 score, an
// int32 length and that many bytes. It states neither its count (that is in the model file) nor
// what its ids mean: by convention 0 is unknown, 1 BOS, 2 EOS and 3 to 258 the byte tokens. Spaces
// are written as spaces. Encoding is SentencePiece's: BOS, a space before the text, merges by
// score. Pure functions; any thread. Called by the llama2.c loader.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"
#include "formats/words/gguf_tokenizer.h"

namespace quire {

// Reads the first `vocab_size` tokens. Errors name the token and the offset.
Result<GgufVocabulary> read_llama2c_tokenizer(std::span<const std::byte> file,
                                              std::size_t vocab_size);

// The bytes of a tokenizer.json.
Result<std::string> llama2c_tokenizer_json(std::span<const std::byte> file, std::size_t vocab_size);

}  // namespace quire
