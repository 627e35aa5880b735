#include "kernels/dequantize.h"

#include <cstring>

#include "kernels/signed_blocks.h"
#include "kernels/unpack.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

// Types without a stored minimum: scale * (code - offset), exact in float32.
template <typename Block, int kOffset>
void expand(const Block& block, float* out) {
  std::uint8_t codes[kBlock];
  unpack_codes(block, codes);
  const float d = half_to_float(block.d);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(codes[i] - kOffset);
}

template <typename Block>
void expand_with_minimum(const Block& block, float* out) {
  std::uint8_t codes[kBlock];
  unpack_codes(block, codes);
  const float d = half_to_float(block.d), m = half_to_float(block.m);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(codes[i]) + m;
}

template <typename Block>
void expand_super(const Block& block, float* out) {
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  for (int s = 0; s < 8; ++s) {
    const SubScale sub = sub_scale(block.scales, s);
    const float scale = half_to_float(block.d) * sub.scale;
    const float minimum = half_to_float(block.dmin) * sub.minimum;
    for (int i = 32 * s; i < 32 * s + 32; ++i) {
      out[i] = scale * static_cast<float>(codes[i]) - minimum;
    }
  }
}

void expand_q6(const BlockQ6_K& block, float* out) {
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = half_to_float(block.d) * block.scales[i / 16];
    out[i] = scale * static_cast<float>(codes[i] - 32);
  }
}

void expand_q2(const BlockQ2_K& block, float* out) {
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int scales = block.scales[i / 16];
    const float scale = half_to_float(block.d) * static_cast<float>(scales & 15);
    const float minimum = half_to_float(block.dmin) * static_cast<float>(scales >> 4);
    out[i] = scale * static_cast<float>(codes[i]) - minimum;
  }
}

template <typename Block>
void expand_ternary(const Block& block, float* out) {
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  const float d = half_to_float(block.d);
  for (int i = 0; i < kSuperBlock; ++i) out[i] = d * static_cast<float>(codes[i] - 1);
}

template <typename Block, int kValues>
void expand_as_nibbles(const Block& block, float* out) {
  std::uint8_t codes[kValues];
  unpack_codes(block, codes);
  const float d = half_to_float(block.d);
  for (int i = 0; i < kValues; ++i) out[i] = d * static_cast<float>(codes[i] - 8);
}

template <typename Block>
void expand_signed(const Block& block, float* out) {
  SignedBlock values;
  unpack(block, values);
  for (int i = 0; i < kSuperBlock; ++i) {
    out[i] = values.d * values.scale[i / 16] * static_cast<float>(values.codes[i]);
  }
}

// Nibbles that stand for the values of a table.
void expand_table(float d, const std::uint8_t* qs, const std::uint8_t* table, int offset,
                  float* out) {
  std::uint8_t codes[kBlock];
  unpack_nibbles(qs, codes);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(table[codes[i]] - offset);
}
void expand_iq4(const BlockIQ4_NL& block, float* out) {
  expand_table(half_to_float(block.d), block.qs, kTableIQ4, 128, out);
}
void expand_mxfp4(const BlockMXFP4& block, float* out) {
  expand_table(exponent_to_float(block.e), block.qs, kTableMXFP4, 16, out);
}

void expand_nvfp4(const BlockNVFP4& block, float* out) {
  std::uint8_t codes[64];
  unpack_codes(block, codes);
  for (int i = 0; i < 64; ++i) {
    const float d = e4m3_to_float(scale_code(block, i / 16)) * 0.5f;
    out[i] = d * static_cast<float>(kTableMXFP4[codes[i]] - 16);
  }
}
template <const float (&kValues)[16]>
void expand_codebook(const BlockCodebook& block, float* out) {
  std::uint8_t codes[64];
  unpack_codes(block, codes);
  for (int i = 0; i < 64; ++i) out[i] = block.d * kValues[codes[i]];
}
void expand_q4_f(const BlockQ4_F& block, float* out) {
  std::uint8_t codes[64];
  unpack_codes(block, codes);
  for (int i = 0; i < 64; ++i) out[i] = block.d * static_cast<float>(codes[i]) + block.m;
}
void expand_q4_z(const BlockQ4_Z& block, float* out) {
  std::uint8_t codes[kBlock];
  unpack_codes(block, codes);
  const float d = half_to_float(block.d);
  for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(codes[i] - block.zero);
}

template <typename Block, int kValues, void (*kExpand)(const Block&, float*)>
void expand_row(const std::byte* row, std::size_t columns, float* out) {
  for (std::size_t i = 0; i < columns; i += kValues, row += sizeof(Block)) {
    Block block;  // the file's rows have no alignment
    std::memcpy(&block, row, sizeof block);
    kExpand(block, out + i);
  }
}

void widen_e4m3(const std::byte* row, std::size_t columns, float* out) {
  for (std::size_t i = 0; i < columns; ++i) {
    out[i] = e4m3_to_float(static_cast<std::uint8_t>(row[i]));
  }
}

template <float (*kConvert)(std::uint16_t)>
void widen_row(const std::byte* row, std::size_t columns, float* out) {
  for (std::size_t i = 0; i < columns; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, row + 2 * i, sizeof bits);
    out[i] = kConvert(bits);
  }
}

}  // namespace

void dequantize_row(DType dtype, const std::byte* row, std::size_t columns, float* out) {
  switch (dtype) {
    case DType::kF32:
      return static_cast<void>(std::memcpy(out, row, columns * sizeof(float)));
    case DType::kF16:
      return widen_row<half_to_float>(row, columns, out);
    case DType::kBF16:
      return widen_row<bf16_to_float>(row, columns, out);
    case DType::kQ4_0:
      return expand_row<BlockQ4_0, 32, expand<BlockQ4_0, 8>>(row, columns, out);
    case DType::kQ5_0:
      return expand_row<BlockQ5_0, 32, expand<BlockQ5_0, 16>>(row, columns, out);
    case DType::kQ8_0:
      return expand_row<BlockQ8_0, 32, expand<BlockQ8_0, 128>>(row, columns, out);
    case DType::kQ4_1:
      return expand_row<BlockQ4_1, 32, expand_with_minimum<BlockQ4_1>>(row, columns, out);
    case DType::kQ5_1:
      return expand_row<BlockQ5_1, 32, expand_with_minimum<BlockQ5_1>>(row, columns, out);
    case DType::kQ4_K:
      return expand_row<BlockQ4_K, 256, expand_super<BlockQ4_K>>(row, columns, out);
    case DType::kQ5_K:
      return expand_row<BlockQ5_K, 256, expand_super<BlockQ5_K>>(row, columns, out);
    case DType::kQ6_K: return expand_row<BlockQ6_K, 256, expand_q6>(row, columns, out);
    case DType::kQ2_K: return expand_row<BlockQ2_K, 256, expand_q2>(row, columns, out);
    case DType::kIQ4_NL: return expand_row<BlockIQ4_NL, 32, expand_iq4>(row, columns, out);
    case DType::kMXFP4: return expand_row<BlockMXFP4, 32, expand_mxfp4>(row, columns, out);
    case DType::kTQ1_0:
      return expand_row<BlockTQ1_0, 256, expand_ternary<BlockTQ1_0>>(row, columns, out);
    case DType::kTQ2_0:
      return expand_row<BlockTQ2_0, 256, expand_ternary<BlockTQ2_0>>(row, columns, out);
    case DType::kQ3_K:
      return expand_row<BlockQ3_K, 256, expand_signed<BlockQ3_K>>(row, columns, out);
    case DType::kIQ4_XS:
      return expand_row<BlockIQ4_XS, 256, expand_signed<BlockIQ4_XS>>(row, columns, out);
    case DType::kIQ1_S:
      return expand_row<BlockIQ1_S, 256, expand_signed<BlockIQ1_S>>(row, columns, out);
    case DType::kIQ1_M:
      return expand_row<BlockIQ1_M, 256, expand_signed<BlockIQ1_M>>(row, columns, out);
    case DType::kIQ2_XXS:
      return expand_row<BlockIQ2_XXS, 256, expand_signed<BlockIQ2_XXS>>(row, columns, out);
    case DType::kIQ2_XS:
      return expand_row<BlockIQ2_XS, 256, expand_signed<BlockIQ2_XS>>(row, columns, out);
    case DType::kIQ2_S:
      return expand_row<BlockIQ2_S, 256, expand_signed<BlockIQ2_S>>(row, columns, out);
    case DType::kIQ3_XXS:
      return expand_row<BlockIQ3_XXS, 256, expand_signed<BlockIQ3_XXS>>(row, columns, out);
    case DType::kIQ3_S:
      return expand_row<BlockIQ3_S, 256, expand_signed<BlockIQ3_S>>(row, columns, out);
    case DType::kNVFP4: return expand_row<BlockNVFP4, 64, expand_nvfp4>(row, columns, out);
    case DType::kNF4:
      return expand_row<BlockCodebook, 64, expand_codebook<kValuesNF4>>(row, columns, out);
    case DType::kFP4:
      return expand_row<BlockCodebook, 64, expand_codebook<kValuesFP4>>(row, columns, out);
    case DType::kQ4_F: return expand_row<BlockQ4_F, 64, expand_q4_f>(row, columns, out);
    case DType::kQ4_Z: return expand_row<BlockQ4_Z, 32, expand_q4_z>(row, columns, out);
    case DType::kQ1_0:
      return expand_row<BlockQ1_0, 128, expand_as_nibbles<BlockQ1_0, 128>>(row, columns, out);
    case DType::kQ2_0:
      return expand_row<BlockQ2_0, 64, expand_as_nibbles<BlockQ2_0, 64>>(row, columns, out);
    case DType::kF8:
      return widen_e4m3(row, columns, out);
    case DType::kI8:
    case DType::kI8A16:
      for (std::size_t i = 0; i < columns; ++i) out[i] = static_cast<std::int8_t>(row[i]);
      return;
  }
}

}  // namespace quire
