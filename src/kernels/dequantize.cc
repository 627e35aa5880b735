#include "kernels/dequantize.h"

#include <cstring>

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

template <typename Block, int kValues, void (*kExpand)(const Block&, float*)>
void expand_row(const std::byte* row, std::size_t columns, float* out) {
  for (std::size_t i = 0; i < columns; i += kValues, row += sizeof(Block)) {
    Block block;  // the file's rows have no alignment
    std::memcpy(&block, row, sizeof block);
    kExpand(block, out + i);
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
      std::memcpy(out, row, columns * sizeof(float));
      return;
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
    case DType::kQ6_K:
      return expand_row<BlockQ6_K, 256, expand_q6>(row, columns, out);
  }
}

}  // namespace quire
