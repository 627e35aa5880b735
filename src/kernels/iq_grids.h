// The codebooks of the IQ1, IQ2 and IQ3 block types: what a quantizer chose as the most useful
// points of a lattice, so they are data of the format that no formula gives. An entry holds the
// values of 8 (IQ1, IQ2) or 4 (IQ3) neighbours, the first in its lowest bits: 2 bits per value for
// IQ1 and IQ2, 3 for IQ3. The short tables say what those bits stand for.
// Read by signed_blocks.cc alone, at load. Any thread.
#pragma once

#include <cstdint>

namespace quire {

extern const std::uint16_t kGridIQ2_XXS[256];
extern const std::uint16_t kGridIQ2_XS[512];
extern const std::uint16_t kGridIQ2_S[1024];
extern const std::uint16_t kGridIQ3_XXS[256];
extern const std::uint16_t kGridIQ3_S[512];
extern const std::uint16_t kGridIQ1[2048];  // IQ1_S and IQ1_M

inline constexpr std::int8_t kLevelsIQ1[4] = {-1, 0, 1, 0};  // the last is not used
inline constexpr std::int8_t kLevelsIQ2[4] = {8, 25, 43, 0};
inline constexpr std::int8_t kLevelsIQ3_XXS[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr std::int8_t kLevelsIQ3_S[8] = {1, 3, 5, 7, 9, 11, 13, 15};

}  // namespace quire
