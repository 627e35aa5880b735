// Super-blocks whose values are a scale per sub-block of 16 times a small signed integer, with
// nothing added: what Q3_K, IQ4_XS and the codebook types (IQ1, IQ2, IQ3) all say in ways of their
// own. The form is exact: an eighth of IQ1 and IQ2 goes into d, which float32 holds, and the
// product of its three factors fits the 24 bits of a float32.
// Shared by packing and dequantization. Plain C++; any thread.
#pragma once

#include <cstdint>

#include "tensor/quant_blocks.h"

namespace quire {

struct SignedBlock {
  float d;
  std::int8_t scale[kSuperBlock / 16];
  std::int8_t codes[kSuperBlock];  // value i = d * scale[i / 16] * codes[i]
};

void unpack(const BlockQ3_K& block, SignedBlock& out);    // codes -4..3
void unpack(const BlockIQ4_XS& block, SignedBlock& out);  // codes -127..113
void unpack(const BlockIQ1_S& block, SignedBlock& out);   // codes of these: -63..63
void unpack(const BlockIQ1_M& block, SignedBlock& out);
void unpack(const BlockIQ2_XXS& block, SignedBlock& out);
void unpack(const BlockIQ2_XS& block, SignedBlock& out);
void unpack(const BlockIQ2_S& block, SignedBlock& out);
void unpack(const BlockIQ3_XXS& block, SignedBlock& out);
void unpack(const BlockIQ3_S& block, SignedBlock& out);

}  // namespace quire
