// Packing: rows of a file become a tile, in which one vector lane belongs to one row (the layouts
// are in tensor/quant_blocks.h; float tiles are [K][rows], bf16 tiles [K/2][rows][2]). Lossless:
// codes are moved and made unsigned, scales kept. Plain C++; any thread; called once per tile at
// load.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace quire {

// Bytes of one tile of `tile_rows` (4, 8 or 16) rows; a multiple of 64.
std::size_t packed_tile_bytes(DType dtype, int tile_rows, std::size_t columns);

// Packs `rows` (1..tile_rows) consecutive rows; missing rows of the tile are zeros.
// from: rows * row_bytes(dtype, columns) bytes, any alignment; to: packed_tile_bytes, aligned to 64
// row_scales: [rows] of I8, null for every other type
void pack_tile(DType dtype, int tile_rows, int rows, std::size_t columns, const std::byte* from,
               std::byte* to, const float* row_scales = nullptr);

}  // namespace quire
