// What the file's blocks hold, as unsigned codes in order of K and the scales of sub-blocks.
// Shared by packing and dequantization, so that each format is read in one place.
// Plain C++; any thread.
#pragma once

#include <cstdint>

#include "tensor/quant_blocks.h"

namespace quire {

inline void unpack_nibbles(const std::uint8_t* qs, std::uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = qs[i] & 15;
    codes[i + 16] = qs[i] >> 4;
  }
}

inline void unpack_five_bits(const std::uint8_t* qs, const std::uint8_t* qh, std::uint8_t* codes) {
  unpack_nibbles(qs, codes);
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<std::uint8_t>(codes[i] | (qh[i / 8] >> (i % 8) & 1) << 4);
  }
}

// codes: [32], or [256] for K-quants
inline void unpack_codes(const BlockQ4_0& block, std::uint8_t* codes) {
  unpack_nibbles(block.qs, codes);
}
inline void unpack_codes(const BlockQ4_1& block, std::uint8_t* codes) {
  unpack_nibbles(block.qs, codes);
}
inline void unpack_codes(const BlockQ5_0& block, std::uint8_t* codes) {
  unpack_five_bits(block.qs, block.qh, codes);
}
inline void unpack_codes(const BlockQ5_1& block, std::uint8_t* codes) {
  unpack_five_bits(block.qs, block.qh, codes);
}
inline void unpack_codes(const BlockQ8_0& block, std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(block.qs[i] + 128);
}
inline void unpack_codes(const BlockQ4_K& block, std::uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    const int byte = block.qs[i / 64 * 32 + i % 32];
    codes[i] = static_cast<std::uint8_t>(i % 64 < 32 ? byte & 15 : byte >> 4);
  }
}
inline void unpack_codes(const BlockQ5_K& block, std::uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    const int byte = block.qs[i / 64 * 32 + i % 32];
    const int low = i % 64 < 32 ? byte & 15 : byte >> 4;
    codes[i] = static_cast<std::uint8_t>(low | (block.qh[i % 32] >> (i / 32) & 1) << 4);
  }
}
inline void unpack_codes(const BlockQ6_K& block, std::uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, quarter = i % 128 / 32, at = i % 32;
    const int byte = block.ql[half * 64 + quarter % 2 * 32 + at];
    const int low = quarter < 2 ? byte & 15 : byte >> 4;
    const int high = block.qh[half * 32 + at] >> (2 * quarter) & 3;
    codes[i] = static_cast<std::uint8_t>(low | high << 4);
  }
}

// The 6-bit scale and minimum of sub-block s (0..7) of Q4_K and Q5_K.
struct SubScale {
  std::uint8_t scale, minimum;
};
inline SubScale sub_scale(const std::uint8_t* scales, int s) {
  if (s < 4) {
    return {static_cast<std::uint8_t>(scales[s] & 63),
            static_cast<std::uint8_t>(scales[s + 4] & 63)};
  }
  return {static_cast<std::uint8_t>((scales[s + 4] & 15) | scales[s - 4] >> 6 << 4),
          static_cast<std::uint8_t>(scales[s + 4] >> 4 | scales[s] >> 6 << 4)};
}

}  // namespace quire
