// Mixture: which tensor of a model gets which type when the whole is to be of one FileType. Those
// that suffer most from few bits get more of them: the head, values, the way down, in some layers
// or all. Rows that are no whole blocks fall back to smaller blocks. Vectors, norms, routers and
// whatever else is small or delicate stay as they are.
// As the files that people exchange have it, so that "Q4_K_M" means the same here as elsewhere.
// Pure functions; any thread. Used by gguf_quantize.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/quantize/file_types.h"
#include "tensor/tensor.h"

namespace quire {

// What the choice depends on beside names and shapes; from the file's metadata, 0: not said.
struct MixtureFacts {
  std::uint64_t experts = 0, heads = 0, kv_heads = 0;
};

// Whether a tensor is one of those that change their type.
bool is_quantizable(const TensorView& tensor);

// The types, in the order of `tensors`.
std::vector<DType> mixed_types(const FileType& type, const MixtureFacts& facts,
                               std::span<const TensorView> tensors);

}  // namespace quire
