// What a Hugging Face directory says about its model: config.json, generation_config.json,
// tokenizer_config.json and chat_template.jinja. Their weights have half-split rotary pairs.
// A field that would change results in a way we do not compute is refused by name.
// Pure function of the directory; any thread. Used by weight_source and describe.
#pragma once

#include <optional>
#include <string>

#include "formats/config/compressed_tensors.h"
#include "formats/model_config.h"

namespace quire {

// Everything but `parameters`, `weight_bytes` and `weight_types`. Where config.json does not say
// whether the head is tied, `has_head` does: whether the weights have an lm_head.
Result<ModelConfig> read_hf_config(const std::string& directory, bool has_head);

// How its weights are quantized; nullopt: they are not.
Result<std::optional<CompressedTensors>> read_hf_quantization(const std::string& directory);

}  // namespace quire
