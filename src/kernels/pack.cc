#include "kernels/pack.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "kernels/signed_blocks.h"
#include "kernels/unpack.h"

namespace quire {
namespace {

template <int kRows>
void put_bytes(ByteGroup<kRows>& group, int row, const std::uint8_t* codes) {
  for (int step = 0; step < 8; ++step) std::memcpy(group[step][row], codes + 4 * step, 4);
}
template <int kRows>
void put_nibbles(NibbleGroup<kRows>& group, int row, const std::uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    group[i / 4][row][i % 4] = static_cast<std::uint8_t>(codes[i] | codes[i + 16] << 4);
  }
}
template <int kRows>
void put_two_bits(TwoBitGroup<kRows>& group, int row, const std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) {  // value i is byte i % 4 of step i / 4
    std::uint8_t& byte = group[i / 16][row][i % 4];
    byte = static_cast<std::uint8_t>(byte | (codes[i] & 3) << (i % 16 / 4 * 2));
  }
}
template <int kRows>
void put_three_bits(ThreeBitGroup<kRows>& group, int row, const std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) {
    std::uint8_t& low = group[i / 16][row][i % 4];
    std::uint8_t& high = group[2][row][i % 4];
    low = static_cast<std::uint8_t>(low | (codes[i] & 3) << (i % 16 / 4 * 2));
    high = static_cast<std::uint8_t>(high | codes[i] >> 2 << (i / 4));
  }
}

// put(packed, group, row, file block): one file block into its group of the packed block.
template <int kRows>
struct HalfScales {
  template <typename Packed, typename Block>
  static void put_scales(Packed& packed, int group, int row, const Block& block) {
    packed.scale[group][row] = block.d;
  }
  template <typename Block>
  static void put(PackedByteBlock<kRows>& packed, int group, int row, const Block& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    put_scales(packed, group, row, block);
    put_bytes<kRows>(packed.codes[group], row, codes);
  }
  template <typename Block>
  static void put(PackedNibbleBlock<kRows>& packed, int group, int row, const Block& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    put_scales(packed, group, row, block);
    put_nibbles<kRows>(packed.codes[group], row, codes);
  }
};
template <int kRows>
struct HalfMinima {
  template <typename Packed, typename Block>
  static void put_scales(Packed& packed, int group, int row, const Block& block) {
    packed.scale[group][row] = block.d;
    packed.minimum[group][row] = block.m ^ 0x8000;  // files add m, we subtract a minimum
  }
  static void put(PackedByteMinBlock<kRows>& packed, int group, int row, const BlockQ5_1& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    put_scales(packed, group, row, block);
    put_bytes<kRows>(packed.codes[group], row, codes);
  }
  static void put(PackedNibbleMinBlock<kRows>& packed, int group, int row, const BlockQ4_1& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    put_scales(packed, group, row, block);
    put_nibbles<kRows>(packed.codes[group], row, codes);
  }
};
template <int kRows>
struct SuperBlocks {  // here a file block is a whole packed block
  template <typename Packed, typename Block>
  static void put_scales(Packed& packed, int row, const Block& block) {
    packed.d[row] = block.d;
    packed.dmin[row] = block.dmin;
    for (int s = 0; s < 8; ++s) {
      const SubScale sub = sub_scale(block.scales, s);
      packed.scale[s][row] = sub.scale;
      packed.minimum[s][row] = sub.minimum;
    }
  }
  static void put(PackedQ4_K<kRows>& packed, int, int row, const BlockQ4_K& block) {
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    put_scales(packed, row, block);
    for (int s = 0; s < 8; ++s) put_nibbles<kRows>(packed.codes[s], row, codes + 32 * s);
  }
  static void put(PackedQ5_K<kRows>& packed, int, int row, const BlockQ5_K& block) {
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    put_scales(packed, row, block);
    for (int s = 0; s < 8; ++s) put_bytes<kRows>(packed.codes[s], row, codes + 32 * s);
  }
  static void put(PackedQ2_K<kRows>& packed, int, int row, const BlockQ2_K& block) {
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    packed.d[row] = block.d;
    packed.dmin[row] = block.dmin;
    for (int s = 0; s < 16; ++s) packed.scales[s][row] = block.scales[s];
    for (int s = 0; s < 8; ++s) put_two_bits<kRows>(packed.codes[s], row, codes + 32 * s);
  }
  static void put(PackedQ6_K<kRows>& packed, int, int row, const BlockQ6_K& block) {
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    packed.d[row] = block.d;
    for (int s = 0; s < 16; ++s) packed.scale[s][row] = block.scales[s];
    for (int s = 0; s < 8; ++s) put_bytes<kRows>(packed.codes[s], row, codes + 32 * s);
  }
};
template <int kRows>
struct Exponents {
  static void put(PackedMXFP4<kRows>& packed, int group, int row, const BlockMXFP4& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    packed.exponent[group][row] = block.e;
    put_nibbles<kRows>(packed.codes[group], row, codes);
  }
};
template <int kRows>
struct Zeros {
  static void put(PackedQ4_Z<kRows>& packed, int group, int row, const BlockQ4_Z& block) {
    std::uint8_t codes[kBlock];
    unpack_codes(block, codes);
    packed.scale[group][row] = block.d;
    packed.zero[group][row] = block.zero;
    put_nibbles<kRows>(packed.codes[group], row, codes);
  }
};
template <int kRows>
struct Pairs {  // a file block is two groups
  static void put(PackedCodebook<kRows>& packed, int, int row, const BlockCodebook& block) {
    std::uint8_t codes[64];
    unpack_codes(block, codes);
    packed.scale[row] = block.d;
    for (int i = 0; i < 2; ++i) put_nibbles<kRows>(packed.codes[i], row, codes + 32 * i);
  }
  static void put(PackedQ4_F<kRows>& packed, int, int row, const BlockQ4_F& block) {
    std::uint8_t codes[64];
    unpack_codes(block, codes);
    packed.scale[row] = block.d;
    packed.minimum[row] = -block.m;  // files add m, we subtract a minimum
    for (int i = 0; i < 2; ++i) put_nibbles<kRows>(packed.codes[i], row, codes + 32 * i);
  }
  static void put(PackedNVFP4<kRows>& packed, int at, int row, const BlockNVFP4& block) {
    std::uint8_t codes[64];
    unpack_codes(block, codes);
    packed.d[row] = 0.5f;  // pack_tile multiplies it with the scale beside
    for (int i = 0; i < 4; ++i) packed.scale[4 * at + i][row] = scale_code(block, i);
    for (int i = 0; i < 2; ++i) put_in_order(packed.codes[2 * at + i], row, codes + 32 * i);
  }
  // Steps 2s and 2s + 1 share a vector.
  static void put_in_order(NibbleGroup<kRows>& group, int row, const std::uint8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      const std::uint8_t* first = codes + i / 4 * 8 + i % 4;
      group[i / 4][row][i % 4] = static_cast<std::uint8_t>(first[0] | first[4] << 4);
    }
  }
};
template <int kRows>
struct Ternaries {  // d * (q - 1) as Q2_K says it: d * 1 * q - d * 1
  template <typename Block>
  static void put(PackedQ2_K<kRows>& packed, int, int row, const Block& block) {
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    packed.d[row] = packed.dmin[row] = block.d;
    for (int s = 0; s < 16; ++s) packed.scales[s][row] = 0x11;
    for (int s = 0; s < 8; ++s) put_two_bits<kRows>(packed.codes[s], row, codes + 32 * s);
  }
};
template <int kRows>
struct SubScales {
  static void put(PackedIQ4_XS<kRows>& packed, int, int row, const BlockIQ4_XS& block) {
    SignedBlock values;
    unpack(block, values);
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    packed.d[row] = values.d;
    for (int s = 0; s < 8; ++s) packed.scale[s][row] = values.scale[2 * s];
    for (int s = 0; s < 8; ++s) put_nibbles<kRows>(packed.codes[s], row, codes + 32 * s);
  }
  static void put(PackedQ3_K<kRows>& packed, int, int row, const BlockQ3_K& block) {
    SignedBlock values;
    unpack(block, values);
    std::uint8_t codes[kSuperBlock];
    unpack_codes(block, codes);
    packed.d[row] = values.d;
    for (int s = 0; s < 16; ++s) packed.scale[s][row] = values.scale[s];
    for (int s = 0; s < 8; ++s) put_three_bits<kRows>(packed.codes[s], row, codes + 32 * s);
  }
  template <typename Block>
  static void put(PackedSignedBlock<kRows>& packed, int, int row, const Block& block) {
    SignedBlock values;
    unpack(block, values);
    std::uint8_t codes[kSuperBlock];
    for (int i = 0; i < kSuperBlock; ++i)
      codes[i] = static_cast<std::uint8_t>(values.codes[i] + 64);
    packed.d[row] = values.d;
    for (int s = 0; s < 16; ++s) packed.scale[s][row] = values.scale[s];
    for (int s = 0; s < 8; ++s) put_bytes<kRows>(packed.codes[s], row, codes + 32 * s);
  }
};

// A matrix type: how many file blocks fill a packed block, and how one is put there.
template <typename Packed, typename Block, typename Put>
struct BlockPacking {
  static constexpr std::size_t kValues = sizeof(Block) == 36 || sizeof(Block) == 40 ? 64
                                         : sizeof(Block) < 48                       ? kBlock
                                                                                    : kSuperBlock;
  static constexpr std::size_t kBlocks = Packed::kGroups * kBlock / kValues;

  static std::size_t tile_bytes(std::size_t columns) {
    return (columns / kValues + kBlocks - 1) / kBlocks * sizeof(Packed);
  }
  static void pack(int rows, std::size_t columns, const std::byte* from, std::byte* to) {
    std::memset(to, 0, tile_bytes(columns));
    auto* packed = reinterpret_cast<Packed*>(to);
    for (int row = 0; row < rows; ++row) {
      for (std::size_t i = 0; i < columns / kValues; ++i, from += sizeof(Block)) {
        Block block;
        std::memcpy(&block, from, sizeof block);
        Put::put(packed[i / kBlocks], static_cast<int>(i % kBlocks), row, block);
      }
    }
  }
};

// Codes that are nibbles of Q4_0, and one scale for several of its blocks.
template <typename Block, int kRows, int kValues>
struct NibblePacking {
  static std::size_t tile_bytes(std::size_t columns) {
    return columns / (2 * kBlock) * sizeof(PackedNibbleBlock<kRows>);
  }
  static void pack(int rows, std::size_t columns, const std::byte* from, std::byte* to) {
    std::memset(to, 0, tile_bytes(columns));
    auto* packed = reinterpret_cast<PackedNibbleBlock<kRows>*>(to);
    for (int row = 0; row < rows; ++row) {
      for (std::size_t k = 0; k < columns; k += kValues, from += sizeof(Block)) {
        Block block;
        std::memcpy(&block, from, sizeof block);
        std::uint8_t codes[kValues];
        unpack_codes(block, codes);
        for (std::size_t i = 0; i < kValues / kBlock; ++i) {
          auto& pair = packed[(k / kBlock + i) / 2];
          pair.scale[i % 2][row] = block.d;
          put_nibbles<kRows>(pair.codes[i % 2], row, codes + kBlock * i);
        }
      }
    }
  }
};

// Plain elements, kPair consecutive ones of a row side by side.
template <typename Element, int kRows, int kPair>
struct PlainPacking {
  static std::size_t tile_bytes(std::size_t columns) {
    return (columns + kPair - 1) / kPair * kPair * kRows * sizeof(Element);
  }
  static void pack(int rows, std::size_t columns, const std::byte* from, std::byte* to) {
    if (rows < kRows || columns % kPair != 0) std::memset(to, 0, tile_bytes(columns));
    auto* tile = reinterpret_cast<Element*>(to);
    for (int row = 0; row < rows; ++row, from += columns * sizeof(Element)) {
      for (std::size_t k = 0; k < columns; ++k) {
        std::memcpy(tile + (k / kPair * kRows + static_cast<std::size_t>(row)) * kPair + k % kPair,
                    from + k * sizeof(Element), sizeof(Element));
      }
    }
  }
};

// Signed codes of I8 behind the scales of their rows, which pack_tile writes.
template <int kRows>
struct ChannelPacking {
  static constexpr std::size_t kHeader = kRows * sizeof(float);

  static std::size_t tile_bytes(std::size_t columns) {
    return kHeader + (columns + 3) / 4 * 4 * kRows;
  }
  static void pack(int rows, std::size_t columns, const std::byte* from, std::byte* to) {
    std::memset(to, 0, kHeader);
    std::memset(to + kHeader, 128, tile_bytes(columns) - kHeader);
    std::byte* codes = to + kHeader;
    for (int row = 0; row < rows; ++row, from += columns) {
      for (std::size_t k = 0; k < columns; ++k) {
        codes[(k / 4 * kRows + static_cast<std::size_t>(row)) * 4 + k % 4] =
            from[k] ^ std::byte{128};
      }
    }
  }
};

// Codes of a byte, one scale for `group` columns of a row. kSideBySide: four codes of a row
// lie side by side.
template <int kRows, bool kSideBySide>
void pack_scaled(int rows, std::size_t columns, const std::byte* from, const TileScales& scales,
                 std::byte* to) {
  ScaledTileHeader header = {};
  const std::size_t group = scales.group == 0 ? columns : scales.group;
  const std::size_t groups = (columns + group - 1) / group;
  header.group = static_cast<std::int32_t>(group);
  std::memcpy(to, &header, sizeof header);
  to += sizeof header;
  for (std::size_t i = 0; i < groups; ++i) {
    const std::size_t begin = i * group, count = std::min(group, columns - begin);
    const std::size_t bytes = scaled_group_bytes(kRows, count);
    std::memset(to, 0, bytes);
    std::byte* codes = to + kRows * sizeof(float);
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
      std::memcpy(to + row * sizeof(float), scales.values + row * groups + i, sizeof(float));
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t in_four = kSideBySide ? row * 4 + k % 4 : k % 4 * kRows + row;
        codes[k / 4 * 4 * kRows + in_four] = from[row * columns + begin + k];
      }
    }
    to += bytes;
  }
}

// Calls visit(Packing()) for the packing of dtype.
template <int R, typename Visit>
auto with_packing(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::kF32: return visit(PlainPacking<std::uint32_t, R, 1>());
    case DType::kF16: return visit(PlainPacking<std::uint16_t, R, 1>());
    case DType::kBF16:
      return visit(PlainPacking<std::uint16_t, R, 2>());
    case DType::kQ4_0:
      return visit(BlockPacking<PackedNibbleBlock<R>, BlockQ4_0, HalfScales<R>>());
    case DType::kQ5_0:
      return visit(BlockPacking<PackedByteBlock<R>, BlockQ5_0, HalfScales<R>>());
    case DType::kQ8_0:
      return visit(BlockPacking<PackedByteBlock<R>, BlockQ8_0, HalfScales<R>>());
    case DType::kQ4_1:
      return visit(BlockPacking<PackedNibbleMinBlock<R>, BlockQ4_1, HalfMinima<R>>());
    case DType::kQ5_1:
      return visit(BlockPacking<PackedByteMinBlock<R>, BlockQ5_1, HalfMinima<R>>());
    case DType::kQ4_K:
      return visit(BlockPacking<PackedQ4_K<R>, BlockQ4_K, SuperBlocks<R>>());
    case DType::kQ5_K:
      return visit(BlockPacking<PackedQ5_K<R>, BlockQ5_K, SuperBlocks<R>>());
    case DType::kQ6_K:
      return visit(BlockPacking<PackedQ6_K<R>, BlockQ6_K, SuperBlocks<R>>());
    case DType::kQ2_K:
      return visit(BlockPacking<PackedQ2_K<R>, BlockQ2_K, SuperBlocks<R>>());
    case DType::kQ3_K:
      return visit(BlockPacking<PackedQ3_K<R>, BlockQ3_K, SubScales<R>>());
    case DType::kIQ4_NL:
      return visit(BlockPacking<PackedNibbleBlock<R>, BlockIQ4_NL, HalfScales<R>>());
    case DType::kIQ4_XS:
      return visit(BlockPacking<PackedIQ4_XS<R>, BlockIQ4_XS, SubScales<R>>());
    case DType::kMXFP4:
      return visit(BlockPacking<PackedMXFP4<R>, BlockMXFP4, Exponents<R>>());
    case DType::kTQ1_0:
      return visit(BlockPacking<PackedQ2_K<R>, BlockTQ1_0, Ternaries<R>>());
    case DType::kTQ2_0:
      return visit(BlockPacking<PackedQ2_K<R>, BlockTQ2_0, Ternaries<R>>());
    case DType::kIQ1_S:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ1_S, SubScales<R>>());
    case DType::kIQ1_M:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ1_M, SubScales<R>>());
    case DType::kIQ2_XXS:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ2_XXS, SubScales<R>>());
    case DType::kIQ2_XS:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ2_XS, SubScales<R>>());
    case DType::kIQ2_S:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ2_S, SubScales<R>>());
    case DType::kIQ3_XXS:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ3_XXS, SubScales<R>>());
    case DType::kIQ3_S:
      return visit(BlockPacking<PackedSignedBlock<R>, BlockIQ3_S, SubScales<R>>());
    case DType::kNVFP4:
      return visit(BlockPacking<PackedNVFP4<R>, BlockNVFP4, Pairs<R>>());
    case DType::kNF4:
    case DType::kFP4:
      return visit(BlockPacking<PackedCodebook<R>, BlockCodebook, Pairs<R>>());
    case DType::kQ4_Z:
      return visit(BlockPacking<PackedQ4_Z<R>, BlockQ4_Z, Zeros<R>>());
    case DType::kQ4_F:
      return visit(BlockPacking<PackedQ4_F<R>, BlockQ4_F, Pairs<R>>());
    case DType::kQ1_0: return visit(NibblePacking<BlockQ1_0, R, 128>());
    case DType::kQ2_0: return visit(NibblePacking<BlockQ2_0, R, 64>());
    case DType::kI8:
      return visit(ChannelPacking<R>());
    case DType::kF8:
    case DType::kI8A16:
      break;  // pack_scaled
  }
  internal::fail_check(__FILE__, __LINE__, "dtype", "no packing for this type");
}

template <typename Visit>
auto with_packing(DType dtype, int tile_rows, Visit visit) {
  QUIRE_CHECK(tile_rows == 4 || tile_rows == 8 || tile_rows == 16, "tiles of {} rows", tile_rows);
  if (tile_rows == 4) return with_packing<4>(dtype, visit);
  if (tile_rows == 8) return with_packing<8>(dtype, visit);
  return with_packing<16>(dtype, visit);
}

bool is_scaled(DType dtype) { return dtype == DType::kF8 || dtype == DType::kI8A16; }

std::size_t scaled_tile_bytes(int tile_rows, std::size_t columns, std::size_t group) {
  const auto rows = static_cast<std::size_t>(tile_rows);
  if (group == 0 || group >= columns) {
    return sizeof(ScaledTileHeader) + scaled_group_bytes(rows, columns);
  }
  const std::size_t rest = columns % group;
  return sizeof(ScaledTileHeader) + columns / group * scaled_group_bytes(rows, group) +
         (rest == 0 ? 0 : scaled_group_bytes(rows, rest));
}

void pack_scaled(DType dtype, int tile_rows, int rows, std::size_t columns, const std::byte* from,
                 const TileScales& scales, std::byte* to) {
  const auto pack = [&]<int kRows>() {
    if (dtype == DType::kF8) return pack_scaled<kRows, true>(rows, columns, from, scales, to);
    pack_scaled<kRows, false>(rows, columns, from, scales, to);
  };
  if (tile_rows == 4) return pack.operator()<4>();
  if (tile_rows == 8) return pack.operator()<8>();
  pack.operator()<16>();
}

// Each block of a tile has the scale of its row.
template <int kRows>
void scale_nvfp4(int rows, std::size_t columns, const float* row_scales, std::byte* to) {
  auto* blocks = reinterpret_cast<PackedNVFP4<kRows>*>(to);
  for (std::size_t i = 0; i < (columns + kSuperBlock - 1) / kSuperBlock; ++i) {
    for (int row = 0; row < rows; ++row) blocks[i].d[row] = 0.5f * row_scales[row];
  }
}

}  // namespace

std::size_t packed_tile_bytes(DType dtype, int tile_rows, std::size_t columns, std::size_t group) {
  const std::size_t bytes =
      is_scaled(dtype) ? scaled_tile_bytes(tile_rows, columns, group)
                       : with_packing(dtype, tile_rows, [&](auto packing) {
                           return decltype(packing)::tile_bytes(columns);
                         });
  return (bytes + 63) / 64 * 64;
}

void pack_tile(DType dtype, int tile_rows, int rows, std::size_t columns, const std::byte* from,
               std::byte* to, const TileScales& scales) {
  const bool may_have = has_scales_beside(dtype) || dtype == DType::kNVFP4;
  QUIRE_CHECK(scales.values != nullptr ? may_have : !has_scales_beside(dtype),
              "{} with{} scales beside it", dtype_name(dtype),
              scales.values == nullptr ? "out" : "");
  QUIRE_CHECK(rows >= 1 && rows <= tile_rows, "{} rows in a tile of {}", rows, tile_rows);
  QUIRE_CHECK(columns % dtype_info(dtype).block_elements == 0, "{} columns are no whole {} blocks",
              columns, dtype_name(dtype));
  if (is_scaled(dtype)) return pack_scaled(dtype, tile_rows, rows, columns, from, scales, to);
  with_packing(dtype, tile_rows, [&](auto packing) {
    decltype(packing)::pack(rows, columns, from, to);
    return 0;
  });
  if (scales.values == nullptr) return;
  if (dtype == DType::kI8) {
    std::memcpy(to, scales.values, static_cast<std::size_t>(rows) * sizeof(float));
    return;
  }
  if (tile_rows == 4) return scale_nvfp4<4>(rows, columns, scales.values, to);
  if (tile_rows == 8) return scale_nvfp4<8>(rows, columns, scales.values, to);
  scale_nvfp4<16>(rows, columns, scales.values, to);
}

}  // namespace quire
