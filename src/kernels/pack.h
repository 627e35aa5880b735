// Packing: rows of a file become a tile, in which one vector lane belongs to one row (the layouts
// are in tensor/quant_blocks.h; float tiles are [K][rows], bf16 tiles [K/2][rows][2]). Lossless:
// codes are moved and made unsigned, scales kept. Plain C++; any thread; called once per tile at
// load.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace quire {

// Scales beside codes: [rows][columns / group, rounded up] for the rows of a tile. Of I8 one a row;
// of F8 and I8_A16 any; of NVFP4, which has others in its blocks, one a row or none.
struct TileScales {
  const float* values = nullptr;
  std::size_t group = 0;  // columns of a scale; 0: all
};

// Bytes of one tile of `tile_rows` (4, 8 or 16) rows; a multiple of 64. group: of the TileScales
std::size_t packed_tile_bytes(DType dtype, int tile_rows, std::size_t columns,
                              std::size_t group = 0);

// Packs `rows` (1..tile_rows) consecutive rows; missing rows of the tile are zeros.
// from: rows * row_bytes(dtype, columns) bytes, any alignment; to: packed_tile_bytes, aligned to 64
void pack_tile(DType dtype, int tile_rows, int rows, std::size_t columns, const std::byte* from,
               std::byte* to, const TileScales& scales = {});

}  // namespace quire
