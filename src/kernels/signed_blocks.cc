#include "kernels/signed_blocks.h"

#include <bit>
#include <cstring>

#include "kernels/iq_grids.h"
#include "kernels/unpack.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

// Bits [at, at + count) of a word, as an int.
int bits(std::uint32_t word, int at, int count) {
  return static_cast<int>(word >> at & ((1u << count) - 1));
}

std::int8_t odd(int scale) { return static_cast<std::int8_t>(2 * scale + 1); }

// 4 or 8 neighbours from their codebook entry; bit i of signs makes value i negative.
template <int kBits, int kCount>
void put_entry(std::uint16_t entry, const std::int8_t* levels, int signs, std::int8_t* codes) {
  for (int i = 0; i < kCount; ++i) {
    const int value = levels[bits(entry, kBits * i, kBits)];
    codes[i] =
        static_cast<std::int8_t>(bits(static_cast<std::uint32_t>(signs), i, 1) ? -value : value);
  }
}

// Seven signs are stored; the eighth makes the number of negative values even.
int with_eighth_sign(int seven) {
  return seven | (std::popcount(static_cast<unsigned>(seven)) & 1) << 7;
}

// Of IQ2_XXS and IQ3_XXS: four times seven sign bits, and a scale above them.
std::uint32_t word_at(const std::uint8_t* bytes) {
  std::uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// A group of 32 shares one scale.
void set_scale(SignedBlock& out, int group, int scale) {
  out.scale[2 * group] = out.scale[2 * group + 1] = static_cast<std::int8_t>(scale);
}

// 8 values of IQ1: -1, 0 or 1, plus or minus an eighth.
void put_ternary_entry(int index, bool is_below, std::int8_t* codes) {
  put_entry<2, 8>(kGridIQ1[index], kLevelsIQ1, 0, codes);
  for (int i = 0; i < 8; ++i) {
    codes[i] = static_cast<std::int8_t>(8 * codes[i] + (is_below ? -1 : 1));
  }
}

}  // namespace

void unpack(const BlockQ3_K& block, SignedBlock& out) {
  out.d = half_to_float(block.d);
  for (int s = 0; s < 16; ++s) {
    const int low = bits(block.scales[s % 8], s / 8 * 4, 4);
    const int high = bits(block.scales[8 + s % 4], s / 4 * 2, 2);
    out.scale[s] = static_cast<std::int8_t>((low | high << 4) - 32);
  }
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  for (int i = 0; i < kSuperBlock; ++i) out.codes[i] = static_cast<std::int8_t>(codes[i] - 4);
}

void unpack(const BlockIQ4_XS& block, SignedBlock& out) {
  out.d = half_to_float(block.d);
  std::uint8_t codes[kSuperBlock];
  unpack_codes(block, codes);
  for (int g = 0; g < 8; ++g) {
    const int low = bits(block.scales_l[g / 2], g % 2 * 4, 4);
    set_scale(out, g, (low | bits(block.scales_h, 2 * g, 2) << 4) - 32);
  }
  for (int i = 0; i < kSuperBlock; ++i) {
    out.codes[i] = static_cast<std::int8_t>(kTableIQ4[codes[i]] - 128);
  }
}

void unpack(const BlockIQ1_S& block, SignedBlock& out) {
  out.d = half_to_float(block.d) * 0.125f;
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = block.qh[g];
    set_scale(out, g, odd(bits(word, 12, 3)));
    for (int k = 0; k < 4; ++k) {
      const int index = block.qs[4 * g + k] | bits(word, 3 * k, 3) << 8;
      put_ternary_entry(index, bits(word, 15, 1) != 0, out.codes + 32 * g + 8 * k);
    }
  }
}

void unpack(const BlockIQ1_M& block, SignedBlock& out) {
  int d = 0;
  for (int i = 0; i < 4; ++i) d |= bits(block.scales[i], 12, 4) << (4 * i);
  out.d = half_to_float(static_cast<std::uint16_t>(d)) * 0.125f;
  for (int s = 0; s < 16; ++s) out.scale[s] = odd(bits(block.scales[s / 4], s % 4 * 3, 3));
  for (int k = 0; k < 32; ++k) {
    const int high = bits(block.qh[k / 2], k % 2 * 4, 4);
    put_ternary_entry(block.qs[k] | (high & 7) << 8, (high & 8) != 0, out.codes + 8 * k);
  }
}

void unpack(const BlockIQ2_XXS& block, SignedBlock& out) {
  out.d = half_to_float(block.d) * 0.125f;
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = word_at(block.qs + 8 * g + 4);
    set_scale(out, g, odd(bits(word, 28, 4)));
    for (int k = 0; k < 4; ++k) {
      put_entry<2, 8>(kGridIQ2_XXS[block.qs[8 * g + k]], kLevelsIQ2,
                      with_eighth_sign(bits(word, 7 * k, 7)), out.codes + 32 * g + 8 * k);
    }
  }
}

void unpack(const BlockIQ2_XS& block, SignedBlock& out) {
  out.d = half_to_float(block.d) * 0.125f;
  for (int s = 0; s < 16; ++s) out.scale[s] = odd(bits(block.scales[s / 2], s % 2 * 4, 4));
  for (int k = 0; k < 32; ++k) {
    put_entry<2, 8>(kGridIQ2_XS[bits(block.qs[k], 0, 9)], kLevelsIQ2,
                    with_eighth_sign(bits(block.qs[k], 9, 7)), out.codes + 8 * k);
  }
}

void unpack(const BlockIQ2_S& block, SignedBlock& out) {
  out.d = half_to_float(block.d) * 0.125f;
  for (int s = 0; s < 16; ++s) out.scale[s] = odd(bits(block.scales[s / 2], s % 2 * 4, 4));
  for (int k = 0; k < 32; ++k) {
    const int index = block.qs[k] | bits(block.qh[k / 4], k % 4 * 2, 2) << 8;
    put_entry<2, 8>(kGridIQ2_S[index], kLevelsIQ2, block.signs[k], out.codes + 8 * k);
  }
}

void unpack(const BlockIQ3_XXS& block, SignedBlock& out) {
  out.d = half_to_float(block.d) * 0.25f;
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = word_at(block.signs + 4 * g);
    set_scale(out, g, odd(bits(word, 28, 4)));
    for (int k = 0; k < 8; ++k) {
      const int signs = with_eighth_sign(bits(word, k / 2 * 7, 7)) >> (k % 2 * 4);
      put_entry<3, 4>(kGridIQ3_XXS[block.qs[8 * g + k]], kLevelsIQ3_XXS, signs,
                      out.codes + 32 * g + 4 * k);
    }
  }
}

void unpack(const BlockIQ3_S& block, SignedBlock& out) {
  out.d = half_to_float(block.d);
  for (int g = 0; g < 8; ++g) set_scale(out, g, odd(bits(block.scales[g / 2], g % 2 * 4, 4)));
  for (int k = 0; k < 64; ++k) {
    const int index = block.qs[k] | bits(block.qh[k / 8], k % 8, 1) << 8;
    put_entry<3, 4>(kGridIQ3_S[index], kLevelsIQ3_S, block.signs[k / 2] >> (k % 2 * 4),
                    out.codes + 4 * k);
  }
}

}  // namespace quire
