// The block layouts of GGUF files, byte for byte (little endian), and the packed layouts that the
// kernels read. A value is reconstructed as the comment of each block says; `d`, `m`, `dmin` are
// IEEE half precision bits. Packing (kernels/pack.h) is lossless: it moves codes and keeps the
// file's scales.
#pragma once

#include <cstddef>
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
struct BlockQ2_K {  // sixteen sub-blocks of 16: d * (scales & 15) * q - dmin * (scales >> 4)
  std::uint8_t scales[16];
  std::uint8_t qs[64];  // bits 2j..2j+1 of byte l of a half: its value 32j + l
  std::uint16_t d, dmin;
};
struct BlockQ3_K {  // sixteen sub-blocks of 16, 6-bit scales: d * (scale - 32) * (q - 4)
  std::uint8_t hmask[32];  // bit s of hmask[l]: the third bit of value 32s + l
  std::uint8_t qs[64];     // as in Q2_K
  std::uint8_t scales[12];
  std::uint16_t d;
};
struct BlockIQ4_NL {  // nibbles as in Q4_0: d * (kTableIQ4[q] - 128)
  std::uint16_t d;
  std::uint8_t qs[16];
};
struct BlockIQ4_XS {  // eight sub-blocks as in IQ4_NL, 6-bit scales: d * (scale - 32) * value
  std::uint16_t d;
  std::uint16_t scales_h;  // bits 2s..2s+1: the high bits of scale s
  std::uint8_t scales_l[4];
  std::uint8_t qs[128];
};
struct BlockMXFP4 {  // nibbles as in Q4_0: 2^(e - 128) * (kTableMXFP4[q] - 16)
  std::uint8_t e;
  std::uint8_t qs[16];
};
// Four times 16 values, in each the low nibbles first: d * (kTableMXFP4[q] - 16) / 2, d as E4M3
// without its sign (0x7F is 0), times the scale beside the matrix if there is one.
struct BlockNVFP4 {
  std::uint8_t d[4];
  std::uint8_t qs[32];
};
struct BlockCodebook {  // NF4, FP4: nibbles as in two Q4_0: d * kValuesNF4[q], d * kValuesFP4[q]
  float d;
  std::uint8_t qs[32];
};
struct BlockQ4_Z {  // nibbles as in Q4_0: d * (q - zero)
  std::uint16_t d;
  std::uint8_t zero, unused;
  std::uint8_t qs[16];
};
struct BlockQ4_F {  // nibbles as in two Q4_0: d * q + m
  float d, m;
  std::uint8_t qs[32];
};
struct BlockQ1_0 {  // 128 signs, bit i % 8 of byte i / 8: d, or -d where it is not set
  std::uint16_t d;
  std::uint8_t qs[16];
};
struct BlockQ2_0 {  // 64 codes, four to a byte from the lowest bits on: d * (q - 1)
  std::uint16_t d;
  std::uint8_t qs[16];
};
struct BlockTQ1_0 {  // ternary, five (in qh: four) base-3 digits a byte: d * (q - 1)
  std::uint8_t qs[48];
  std::uint8_t qh[4];
  std::uint16_t d;
};
struct BlockTQ2_0 {  // codes as in Q2_K: d * (q - 1)
  std::uint8_t qs[64];
  std::uint16_t d;
};
// Codebook types: indices into the grids of kernels/iq_grids.h, with signs and odd scales 2s + 1
// per 32 or 16 values. signed_blocks.cc reads them.
struct BlockIQ2_XXS {  // per 32 values: four index bytes, then 4 x 7 sign bits and a 4-bit scale
  std::uint16_t d;
  std::uint8_t qs[64];
};
struct BlockIQ2_XS {  // per 8 values: a 9-bit index and 7 sign bits
  std::uint16_t d;
  std::uint16_t qs[32];
  std::uint8_t scales[8];
};
struct BlockIQ2_S {  // per 8 values: a 10-bit index (two bits of it in qh) and a sign byte
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint8_t signs[32];
  std::uint8_t qh[8];
  std::uint8_t scales[8];
};
struct BlockIQ3_XXS {  // per 4 values an index byte; per 32, 4 x 7 sign bits and a 4-bit scale
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t signs[32];
};
struct BlockIQ3_S {  // per 4 values a 9-bit index (one bit of it in qh), a sign bit each
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t qh[8];
  std::uint8_t signs[32];
  std::uint8_t scales[4];
};
struct BlockIQ1_S {  // per 8 values an 11-bit index; per 32 a 3-bit scale and the sign of 1/8
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint16_t qh[8];
};
struct BlockIQ1_M {  // as IQ1_S, a sign of 1/8 per 8 values; d is the four top nibbles of scales
  std::uint8_t qs[32];
  std::uint8_t qh[16];
  std::uint16_t scales[4];
};

// The values that the nibbles of IQ4_NL, IQ4_XS and MXFP4 stand for, made unsigned.
inline constexpr std::uint8_t kTableIQ4[16] = {1,   24,  45,  63,  79,  93,  106, 118,   // + 128
                                               129, 141, 153, 166, 181, 197, 217, 241};
inline constexpr std::uint8_t kTableMXFP4[16] = {16, 17, 18, 19, 20, 22, 24, 28,  // + 16
                                                 16, 15, 14, 13, 12, 10, 8,  4};

// The values of bitsandbytes' four-bit types.
inline constexpr float kValuesNF4[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};
inline constexpr float kValuesFP4[16] = {
    0.0f, 0.0625f / 12, 8.0f / 12, 1.0f, 4.0f / 12, 6.0f / 12, 2.0f / 12, 3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12};

static_assert(sizeof(BlockQ4_F) == 40);
static_assert(sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockNVFP4) == 36 && sizeof(BlockCodebook) == 36 && sizeof(BlockQ4_Z) == 20);
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockIQ4_XS) == 136 && sizeof(BlockMXFP4) == 17 && sizeof(BlockTQ1_0) == 54);
static_assert(sizeof(BlockTQ2_0) == 66 && sizeof(BlockIQ1_S) == 50 && sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110);

// --- Packed layouts: kRows rows of a matrix side by side, one vector lane per row. ---
// A group is 32 values along K. Codes are unsigned bytes [step][row][4]: step s of a row holds its
// values 4s..4s+3, so that one vector load feeds kRows outputs and one broadcast of four activation
// bytes serves them all. Nibble codes are [step][row][4] with steps 0..3 in the low halves and 4..7
// in the high halves. Two-bit codes are [half][row][4] with steps 0..3 and 4..7, the lowest
// bits first; three-bit codes are followed by a vector of third bits, bit s for step s.
// value = scale * code - minimum; where the comment names an offset the minimum is scale * offset
// and not stored; "table" means that a nibble is looked up and the code is what it stands for.

template <int kRows>
using ByteGroup = std::uint8_t[8][kRows][4];
template <int kRows>
using NibbleGroup = std::uint8_t[4][kRows][4];
template <int kRows>
using ThreeBitGroup = std::uint8_t[3][kRows][4];
template <int kRows>
using TwoBitGroup = std::uint8_t[2][kRows][4];

template <int kRows>
struct PackedByteBlock {  // Q8_0 (offset 128), Q5_0 (offset 16): two groups, half scales
  static constexpr int kGroups = 2;
  std::uint16_t scale[2][kRows];
  ByteGroup<kRows> codes[2];
};
template <int kRows>
struct PackedNibbleBlock {  // Q4_0 (offset 8), IQ4_NL (table, offset 128): as above
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
template <int kRows>
struct PackedQ2_K {  // as PackedQ4_K, per half group: scale in the low nibble, minimum in the high;
  static constexpr int kGroups = 8;  // TQ1_0 and TQ2_0 too, with scale = minimum = 1
  std::uint16_t d[kRows];
  std::uint16_t dmin[kRows];
  std::uint8_t scales[16][kRows];
  TwoBitGroup<kRows> codes[8];
};
template <int kRows>
struct PackedMXFP4 {  // table, offset 16; scale = 2^(e - 128), infinite where e is 255
  static constexpr int kGroups = 4;
  std::uint8_t exponent[4][kRows];
  NibbleGroup<kRows> codes[4];
};
template <int kRows>
struct PackedQ4_Z {  // four groups, half scales; minimum = scale * zero, exact in f32
  static constexpr int kGroups = 4;
  std::uint16_t scale[4][kRows];
  std::uint8_t zero[4][kRows];
  NibbleGroup<kRows> codes[4];
};
template <int kRows>
struct PackedQ4_F {  // one scale and one minimum for both groups
  static constexpr int kGroups = 2;
  float scale[kRows];
  float minimum[kRows];
  NibbleGroup<kRows> codes[2];
};
template <int kRows>
struct PackedNVFP4 {  // table, offset 16; scale = d * E4M3, one per half group; d is halved;
  // of nibbles, steps 0, 2, 4, 6 are the low halves and those between the high ones
  static constexpr int kGroups = 8;
  float d[kRows];
  std::uint8_t scale[16][kRows];
  NibbleGroup<kRows> codes[8];
};
template <int kRows>
struct PackedCodebook {  // NF4, FP4: one scale for both groups; see CodebookCore
  static constexpr int kGroups = 2;
  float scale[kRows];
  NibbleGroup<kRows> codes[2];
};
// scale = d * scale, one per group or per half group.
template <int kRows, typename Group, int kScalesPerGroup>
struct PackedSubScales {
  static constexpr int kGroups = 8;
  float d[kRows];
  std::int8_t scale[8 * kScalesPerGroup][kRows];
  Group codes[8];
};
template <int kRows>
using PackedIQ4_XS = PackedSubScales<kRows, NibbleGroup<kRows>, 1>;  // table, offset 128
template <int kRows>
using PackedQ3_K = PackedSubScales<kRows, ThreeBitGroup<kRows>, 2>;  // offset 4
template <int kRows>  // the codebook types, offset 64
using PackedSignedBlock = PackedSubScales<kRows, ByteGroup<kRows>, 2>;

static_assert(sizeof(PackedByteBlock<16>) == 17 * 64 && sizeof(PackedByteBlock<8>) == 17 * 32);
static_assert(sizeof(PackedNibbleBlock<16>) == 9 * 64 && sizeof(PackedNibbleBlock<8>) == 9 * 32);
static_assert(sizeof(PackedByteMinBlock<16>) == 18 * 64);
static_assert(sizeof(PackedByteMinBlock<8>) == 18 * 32);
static_assert(sizeof(PackedNibbleMinBlock<16>) == 10 * 64);
static_assert(sizeof(PackedNibbleMinBlock<8>) == 10 * 32);
static_assert(sizeof(PackedQ4_K<16>) == 37 * 64 && sizeof(PackedQ4_K<8>) == 37 * 32);
static_assert(sizeof(PackedQ5_K<16>) == 69 * 64 && sizeof(PackedQ5_K<8>) == 69 * 32);
static_assert(sizeof(PackedQ6_K<16>) == 69 * 64 && sizeof(PackedQ6_K<8>) == 69 * 32);
static_assert(sizeof(PackedQ2_K<16>) == 21 * 64 && sizeof(PackedQ2_K<8>) == 21 * 32);
static_assert(sizeof(PackedMXFP4<16>) == 17 * 64 && sizeof(PackedMXFP4<8>) == 17 * 32);
static_assert(sizeof(PackedQ4_Z<16>) == 19 * 64 && sizeof(PackedQ4_Z<8>) == 19 * 32);
static_assert(sizeof(PackedQ4_F<16>) == 10 * 64 && sizeof(PackedQ4_F<8>) == 10 * 32);
static_assert(sizeof(PackedNVFP4<16>) == 37 * 64 && sizeof(PackedNVFP4<8>) == 37 * 32);
static_assert(sizeof(PackedCodebook<16>) == 9 * 64 && sizeof(PackedCodebook<8>) == 9 * 32);
static_assert(sizeof(PackedIQ4_XS<16>) == 35 * 64 && sizeof(PackedIQ4_XS<8>) == 35 * 32);
static_assert(sizeof(PackedQ3_K<16>) == 29 * 64 && sizeof(PackedQ3_K<8>) == 29 * 32);
static_assert(sizeof(PackedSignedBlock<16>) == 69 * 64 && sizeof(PackedSignedBlock<8>) == 69 * 32);

// One group of 32 activations: value = scale * code, |code| <= 127. The sums are ready to
// start an integer accumulator at -offset * sum, for the offset of codes in unsigned bytes: 128 (a
// smaller one is a shift away). A group with a NaN or infinity has such a scale.
//
// The largest magnitude of a group becomes kActivationPeak codes. Values from 119 to 127 cost the
// same within the noise of measurement (mean KL of SmolLM2 0.0024 to 0.0026); this one was chosen
// because its greedy tokens agree best with float32 over six reference chats (149 of 154; 142 at
// 127). Where a margin is below the noise, that is luck, not precision.
inline constexpr float kActivationPeak = 125.3f;
struct alignas(16) ActivationBlock {
  float scale;
  float scaled_sum;                  // scale * sum of all codes
  std::int32_t offset_sum;           // -128 * sum of all codes
  std::int32_t offset_sum_first;     // of codes 0..15
  std::int8_t codes[32];
};
static_assert(sizeof(ActivationBlock) == 48);

// --- int8 per channel (W8A8): one scale per row of the matrix, one per token. ---
// A packed tile is `float scale[kRows]`, then codes + 128 as unsigned bytes [K / 4][kRows][4], K
// padded with 128. A token is this header and its codes, padded with zeros to whole lines:
// value = scale * code, |code| <= 127. A token with a NaN or infinity has a NaN scale.
struct alignas(64) ChannelToken {
  float scale;
  std::int32_t negative_sum;  // of all codes
  std::uint8_t padding[56];

  std::int8_t* codes() { return reinterpret_cast<std::int8_t*>(this + 1); }
  const std::int8_t* codes() const { return reinterpret_cast<const std::int8_t*>(this + 1); }
};
static_assert(sizeof(ChannelToken) == 64);

constexpr std::size_t channel_token_bytes(std::size_t columns) {
  return sizeof(ChannelToken) + (columns + 63) / 64 * 64;
}
inline constexpr int kChannelColumnsMax = 65536;  // 2^16 products of bytes fit an int32

// --- Codes of a byte with scales beside them and activations in float32 (F8, I8_A16). ---
// A packed tile is this header, then for each group of columns `float scale[kRows]` and codes,
// K of the group padded with zeros to whole fours: of F8 [K / 4][kRows][4], of I8_A16
// [K / 4][4][kRows].
struct alignas(64) ScaledTileHeader {
  std::int32_t group;  // columns of a scale
  std::uint8_t padding[60];
};
static_assert(sizeof(ScaledTileHeader) == 64);

constexpr std::size_t scaled_group_bytes(std::size_t tile_rows, std::size_t columns) {
  return tile_rows * (sizeof(float) + (columns + 3) / 4 * 4);
}

}  // namespace quire
