// Fills memory with random weights of any DType: sane scales, a mean near zero and a variance of
// 1/columns, from a counter instead of a state, so that parts can be filled in any order.
// Used by lab/random_model alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/dtype.h"

namespace quire {

// Writes blocks [begin, end) of a matrix with `columns` columns; `data` is block 0. What a block
// holds depends on (seed, its index) only.
void fill_random_blocks(DType dtype, std::size_t columns, std::uint64_t seed, std::size_t begin,
                        std::size_t end, std::byte* data);

// The scales of the rows of a matrix that has them beside it.
std::vector<float> random_row_scales(DType dtype, std::size_t rows, std::size_t columns,
                                     std::uint64_t seed);

}  // namespace quire
