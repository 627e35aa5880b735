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

// codes: [32], or [256] for super-blocks; of types with tables the nibbles themselves
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
inline void unpack_codes(const BlockIQ4_NL& block, std::uint8_t* codes) {
  unpack_nibbles(block.qs, codes);
}
inline void unpack_codes(const BlockMXFP4& block, std::uint8_t* codes) {
  unpack_nibbles(block.qs, codes);
}
inline void unpack_codes(const BlockQ4_Z& block, std::uint8_t* codes) {
  unpack_nibbles(block.qs, codes);
}
inline void unpack_codes(const BlockCodebook& block, std::uint8_t* codes) {  // [64]
  unpack_nibbles(block.qs, codes);
  unpack_nibbles(block.qs + 16, codes + 32);
}
inline void unpack_codes(const BlockQ4_F& block, std::uint8_t* codes) {  // [64]
  unpack_nibbles(block.qs, codes);
  unpack_nibbles(block.qs + 16, codes + 32);
}
inline void unpack_codes(const BlockNVFP4& block, std::uint8_t* codes) {  // [64]
  for (int i = 0; i < 64; ++i) {
    const int byte = block.qs[i / 16 * 8 + i % 8];
    codes[i] = static_cast<std::uint8_t>(i % 16 < 8 ? byte & 15 : byte >> 4);
  }
}
// The scale of 16 values, as E4M3: the sign does not count, and what would be NaN is 0.
inline std::uint8_t scale_code(const BlockNVFP4& block, int sixteen) {
  const int code = block.d[sixteen] & 0x7F;
  return static_cast<std::uint8_t>(code == 0x7F ? 0 : code);
}
inline void unpack_codes(const BlockIQ4_XS& block, std::uint8_t* codes) {
  for (int group = 0; group < 8; ++group) unpack_nibbles(block.qs + 16 * group, codes + 32 * group);
}

// The nibbles of Q4_0 that stand for the same multiples of the scale: 7 or 9, 7 to 10.
inline void unpack_codes(const BlockQ1_0& block, std::uint8_t* codes) {  // [128]
  for (int i = 0; i < 128; ++i) {
    codes[i] = static_cast<std::uint8_t>(7 + 2 * (block.qs[i / 8] >> (i % 8) & 1));
  }
}
inline void unpack_codes(const BlockQ2_0& block, std::uint8_t* codes) {  // [64]
  for (int i = 0; i < 64; ++i) {
    codes[i] = static_cast<std::uint8_t>(7 + (block.qs[i / 4] >> (i % 4 * 2) & 3));
  }
}

// 64 bytes of four 2-bit codes: Q2_K, Q3_K, TQ2_0
inline void unpack_two_bits(const std::uint8_t* qs, std::uint8_t* codes) {
  for (int i = 0; i < 256; ++i) {
    codes[i] = qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
  }
}
inline void unpack_codes(const BlockQ2_K& block, std::uint8_t* codes) {
  unpack_two_bits(block.qs, codes);
}
inline void unpack_codes(const BlockTQ2_0& block, std::uint8_t* codes) {
  unpack_two_bits(block.qs, codes);
}
inline void unpack_codes(const BlockQ3_K& block, std::uint8_t* codes) {
  unpack_two_bits(block.qs, codes);
  for (int i = 0; i < 256; ++i) {
    codes[i] = static_cast<std::uint8_t>(codes[i] | (block.hmask[i % 32] >> (i / 32) & 1) << 2);
  }
}
// A byte is a fraction of 256: times 3^n its whole part is dropped, times 3 it is digit n.
inline void unpack_codes(const BlockTQ1_0& block, std::uint8_t* codes) {
  const auto digits = [&codes](const std::uint8_t* bytes, int count, int digits_per_byte) {
    for (int n = 0, power = 1; n < digits_per_byte; ++n, power *= 3) {
      for (int i = 0; i < count; ++i) {
        *codes++ = static_cast<std::uint8_t>((bytes[i] * power & 255) * 3 >> 8);
      }
    }
  };
  digits(block.qs, 32, 5);
  digits(block.qs + 32, 16, 5);
  digits(block.qh, 4, 4);
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
