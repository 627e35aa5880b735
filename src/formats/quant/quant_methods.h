// The table of ways to quantize weights that Hugging Face directories come in: one row for each
// `quant_method` that is read, one file of this folder behind it. Every other is refused by its
// name, with what is read instead, before anybody looks at a tensor.
// Pure functions; any thread. Used by checkpoint.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

struct QuantMethod {
  std::string_view name;  // quant_method
  Result<Quantization> (*read)(const Json& quantization_config);
};

// `root`: config.json; `directory` has it. Empty: the weights are not quantized.
Result<Quantization> read_quantization(const Json& root, const std::string& directory);

}  // namespace quire
