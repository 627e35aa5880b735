// What `quantization_config` of a Hugging Face directory says about checkpoints as the library
// compressed-tensors writes them. What we compute is read, for every linear layer that is not
// ignored, or group by group for the layers that each names: W8A8, symmetric 8-bit integers,
// weights with a scale per row or per matrix, activations with one per token or a stated one;
// packed weights of 4 or 8 bits; int8 weights alone; FP8; and NVFP4 and MXFP4. All else is refused
// with the name of the field.
// Pure functions; any thread. Used by quant_methods, weight_scales and packed_tensors.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/quant/name_pattern.h"
#include "formats/quant/quantization.h"

namespace quire {

struct CompressedTensors {
  enum class Kind { kW8A8, kPacked, kInt8Weights, kFp8, kNvfp4, kMxfp4 };
  Kind kind = Kind::kW8A8;
  bool is_per_channel = true;    // a scale per row of a weight; else one for all of it
  bool is_input_static = false;  // a stated scale for the input; else one per token as it comes
  int bits = 0;                  // of packed weights; the next two are of these
  int group = 0;                 // columns of a scale; 0: a row's
  bool is_symmetric = true;
  std::size_t block_rows = 0, block_columns = 0;  // of FP8; 0: no blocks
  AskedInput asked;                               // of activations, where that is a setting
  std::set<std::string, std::less<>> ignored;  // modules that stay as they are
  std::vector<NamePattern> ignored_patterns;

  // Modules that it is about: all linear layers, or those of these names or expressions.
  bool is_of_all = false;
  std::set<std::string, std::less<>> targets;
  std::vector<NamePattern> target_patterns;

  bool is_ignored(std::string_view module) const;
};

// One for each group of the configuration, at least one.
Result<std::vector<CompressedTensors>> read_compressed_tensors(const Json& quantization_config);

// Which of the groups a module is of: by its name, else by an expression, else as a linear layer;
// groups.size(): none.
std::size_t group_of(const std::vector<CompressedTensors>& groups, std::string_view module);

// What the configuration says of the KV cache, for `show`; empty: nothing.
std::string cache_note(const Json& quantization_config);

}  // namespace quire
