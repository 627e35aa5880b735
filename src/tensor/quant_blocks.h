// The block layouts of GGUF files, byte for byte (little endian), and the packed layouts that the
// kernels read. A value is reconstructed as the comment of each block says; `d`, `m`, `dmin` are
// IEEE half precision bits. Packing (kernels/pack.h) is lossless: it moves codes and keeps the
// file's scales.
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

// --- Packed layouts: kRows rows of a matrix side by side, one vector lane per row. ---
// A group is 32 values along K. Codes are unsigned bytes [step][row][4]: step s of a row holds its
// values 4s..4s+3, so that one vector load feeds kRows outputs and one broadcast of four activation
// bytes serves them all. Nibble codes are [step][row][4] with steps 0..3 in the low halves and 4..7
// in the high halves. value = scale * code - minimum; where the comment names an offset the minimum
// is scale * offset and is not stored.

template <int kRows>
using ByteGroup = std::uint8_t[8][kRows][4];
template <int kRows>
using NibbleGroup = std::uint8_t[4][kRows][4];

template <int kRows>
struct PackedByteBlock {  // Q8_0 (offset 128), Q5_0 (offset 16): two groups, half scales
  static constexpr int kGroups = 2;
  std::uint16_t scale[2][kRows];
  ByteGroup<kRows> codes[2];
};
template <int kRows>
struct PackedNibbleBlock {  // Q4_0 (offset 8): two groups, half scales
  static constexpr int kGroups = 2;
  std::uint16_t scale[2][kRows];
  NibbleGroup<kRows> codes[2];
};
template <int kRows>
struct PackedByteMinBlock {  // Q5_1: two groups, half scales and minima
  static constexpr int kGroups = 2;
  std::uint16_t scale[2][kRows];
  std::uint16_t minimum[2][kRows];
  ByteGroup<kRows> codes[2];
};
template <int kRows>
struct PackedNibbleMinBlock {  // Q4_1: two groups, half scales and minima
  static constexpr int kGroups = 2;
  std::uint16_t scale[2][kRows];
  std::uint16_t minimum[2][kRows];
  NibbleGroup<kRows> codes[2];
};
template <int kRows>
struct PackedQ4_K {  // eight groups: scale = d * scale, minimum = dmin * minimum, both exact in f32
  static constexpr int kGroups = 8;
  std::uint16_t d[kRows];
  std::uint16_t dmin[kRows];
  std::uint8_t scale[8][kRows];
  std::uint8_t minimum[8][kRows];
  NibbleGroup<kRows> codes[8];
};
template <int kRows>
struct PackedQ5_K {  // as PackedQ4_K, codes as bytes
  static constexpr int kGroups = 8;
  std::uint16_t d[kRows];
  std::uint16_t dmin[kRows];
  std::uint8_t scale[8][kRows];
  std::uint8_t minimum[8][kRows];
  ByteGroup<kRows> codes[8];
};
template <int kRows>
struct PackedQ6_K {  // offset 32; scale = d * scale, one per half group of 16 (steps 0..3, 4..7)
  static constexpr int kGroups = 8;
  std::uint16_t d[kRows];
  std::uint16_t padding[kRows];
  std::int8_t scale[16][kRows];
  ByteGroup<kRows> codes[8];
};

static_assert(sizeof(PackedByteBlock<16>) == 17 * 64 && sizeof(PackedByteBlock<8>) == 17 * 32);
static_assert(sizeof(PackedNibbleBlock<16>) == 9 * 64 && sizeof(PackedNibbleBlock<8>) == 9 * 32);
static_assert(sizeof(PackedByteMinBlock<16>) == 18 * 64);
static_assert(sizeof(PackedByteMinBlock<8>) == 18 * 32);
static_assert(sizeof(PackedNibbleMinBlock<16>) == 10 * 64);
static_assert(sizeof(PackedNibbleMinBlock<8>) == 10 * 32);
static_assert(sizeof(PackedQ4_K<16>) == 37 * 64 && sizeof(PackedQ4_K<8>) == 37 * 32);
static_assert(sizeof(PackedQ5_K<16>) == 69 * 64 && sizeof(PackedQ5_K<8>) == 69 * 32);
static_assert(sizeof(PackedQ6_K<16>) == 69 * 64 && sizeof(PackedQ6_K<8>) == 69 * 32);

// One group of 32 activations: value = scale * code, |code| <= 127. The sums are negated, ready to
// start an integer accumulator at -offset * sum. A group with a NaN or infinity has such a scale.
//
// The largest magnitude of a group becomes kActivationPeak codes. Values from 119 to 127 cost the
// same within the noise of measurement (mean KL of SmolLM2 0.0024 to 0.0026); this one was chosen
// because its greedy tokens agree best with float32 over six reference chats (149 of 154 on avx512,
// 147 on avx2; 142 and 142 at 127). Where a margin is below the noise, that is luck, not precision.
inline constexpr float kActivationPeak = 125.3f;
struct alignas(16) ActivationBlock {
  float scale;
  float scaled_sum;                  // scale * sum of all codes
  std::int32_t negative_sum;         // of all codes
  std::int32_t negative_sum_first;   // of codes 0..15
  std::int8_t codes[32];
};
static_assert(sizeof(ActivationBlock) == 48);

}  // namespace quire
