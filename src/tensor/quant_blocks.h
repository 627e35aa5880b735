// The block layouts of GGUF files, byte for byte (little endian). A value is reconstructed as the
// comment of each block says; `d`, `m`, `dmin` are IEEE half precision bits.
#pragma once

#include <cstdint>

namespace quire {

inline constexpr int kBlock = 32;        // values per plain block
inline constexpr int kSuperBlock = 256;  // values per K-quant super-block

struct BlockQ4_0 {  // low nibbles are values 0..15, high nibbles 16..31: d * (q - 8)
  std::uint16_t d;
  std::uint8_t qs[16];
};
struct BlockQ4_1 {  // d * q + m
  std::uint16_t d, m;
  std::uint8_t qs[16];
};
struct BlockQ5_0 {  // bit j of qh is the fifth bit of value j: d * (q - 16)
  std::uint16_t d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
struct BlockQ5_1 {  // d * q + m
  std::uint16_t d, m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
struct BlockQ8_0 {  // d * q
  std::uint16_t d;
  std::int8_t qs[32];
};
// Eight sub-blocks of 32 with 6-bit scales and minima packed in 12 bytes:
// d * scale * q - dmin * minimum. Values 64i..64i+31 are the low nibbles of qs[32i..], the next 32
// the high ones.
struct BlockQ4_K {
  std::uint16_t d, dmin;
  std::uint8_t scales[12];
  std::uint8_t qs[128];
};
struct BlockQ5_K {  // as Q4_K with a fifth bit: bit s of qh[l] belongs to value l of sub-block s
  std::uint16_t d, dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};
struct BlockQ6_K {  // sixteen sub-blocks of 16, signed 8-bit scales: d * scale * (q - 32)
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  std::uint16_t d;
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

}  // namespace quire
