// What a GGUF file says about its model and vocabulary, as ConfigFields, Words and GgufVocabulary.
// Errors name the key and its offset.
// Pure functions; any thread. Used by checkpoint, tokenizer_files and describe.
#pragma once

#include "formats/config/fields.h"
#include "formats/containers/gguf.h"
#include "formats/words/gguf_tokenizer.h"
#include "formats/words/words.h"

namespace quire {

struct GgufConfig {
  std::string name;
  std::string architecture;
  int vocab = 0;
  Words words;
  ConfigFields fields;  // keys behind "ARCHITECTURE."
};

Result<GgufConfig> read_gguf_config(std::shared_ptr<const GgufFile> file);

// The arrays are copied and have the right types; gguf_tokenizer checks what is in them.
Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file);

// The vocabulary as the bytes of a tokenizer.json.
Result<std::string> read_gguf_tokenizer(const GgufFile& file);

}  // namespace quire
