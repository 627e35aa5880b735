// Codes of a byte whose scales are tensors of their own: FP8 (E4M3) of every writer and int8 for
// activations that stay floats. There may be one scale for a matrix, for each row or for each block
// of rows and columns; which, is said by their shape and by the blocks that the configuration
// states. What such files say of activations becomes the rule of a weight's input; what they say of
// the KV cache is taken and not used.
// Pure functions; any thread. Used by the methods of this folder and by compressed_tensors.
#pragma once

#include <span>
#include <string_view>

#include "formats/quant/module_tensors.h"

namespace quire {

struct CodesBeside {
  DType codes = DType::kF8;  // in the file
  DType tile = DType::kF8;   // what they become
  std::size_t block_rows = 0, block_columns = 0;  // of a scale; 0: no blocks
  std::span<const std::string_view> endings;      // of the scales' names, behind the weight's
  AskedInput asked{};                             // of what they are multiplied with
};

// The scales of every tensor of these codes. An error names the tensor that is missing, has another
// shape or a scale that is not positive.
Status attach_beside(const CodesBeside& layout, const FileTensors& file, ModuleTensors& tensors);

// A name of scales of the KV cache.
bool is_cache_scale(std::string_view name);

// Takes those, and the scales of inputs.
void drop_activation_scales(const FileTensors& file, ModuleTensors& tensors);

}  // namespace quire
