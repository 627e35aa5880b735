// A Hugging Face directory says twice whether a text begins with BOS and ends with EOS: in the
// post-processor of tokenizer.json and by add_bos_token and add_eos_token of tokenizer_config.json.
// Which of them counts depends on `tokenizer_class`, as in transformers: classes of the Llama,
// Gemma and Cohere kinds build a post-processor from the switches, whatever the file has; others
// take that of the file.
// Pure functions of the files; any thread. Used by tokenizer_files and describe.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace quire {

// The bytes of a tokenizer.json with the post-processor that the class in `directory` would make.
Result<std::string> follow_tokenizer_class(std::string tokenizer_json,
                                           const std::string& directory);

// Whether a text that is encoded begins with the token of that name.
bool tokenizer_adds(std::string_view tokenizer_json, std::string_view token);

}  // namespace quire
