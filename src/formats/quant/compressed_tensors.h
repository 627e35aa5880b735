// What `quantization_config` of a Hugging Face directory says about W8A8 checkpoints as the library
// compressed-tensors writes them. What we compute is read: symmetric 8-bit integers for every
// linear layer that is not ignored, weights with a scale per row or per matrix, activations with
// one per token or a stated one. All else is refused with the name of the field.
// Pure functions; any thread. Used by quant_methods and weight_scales.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/quant/name_pattern.h"

namespace quire {

struct CompressedTensors {
  bool is_per_channel = true;    // a scale per row of a weight; else one for all of it
  bool is_input_static = false;  // a stated scale for the input; else one per token as it comes
  std::set<std::string, std::less<>> ignored;  // modules that stay as they are
  std::vector<NamePattern> ignored_patterns;

  bool is_ignored(std::string_view module) const;
};

Result<CompressedTensors> read_compressed_tensors(const Json& quantization_config);

}  // namespace quire
