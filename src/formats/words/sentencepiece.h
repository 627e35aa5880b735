// SentencePiece `tokenizer.model`: a protobuf message of which a dozen fields matter. They are
// read by hand with every length checked; unknown fields are skipped. BPE models (Llama, Mistral,
// Gemma 1) begin with BOS; of unigram models (T5, XLM-R) what stands around a text is their
// class's affair.
// Pure functions; any thread. Called by the Hugging Face loader where there is no tokenizer.json.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"
#include "formats/words/gguf_tokenizer.h"

namespace quire {

// Errors name the field and the offset in the file.
Result<GgufVocabulary> read_sentencepiece(std::span<const std::byte> file);

// The bytes of a tokenizer.json.
Result<std::string> sentencepiece_to_json(std::span<const std::byte> file);

}  // namespace quire
