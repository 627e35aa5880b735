// Vectors that every part of the generics uses.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

// Lane numbers as floats: 0, 1, 2, ...
inline F lane_numbers() {
  alignas(64) static constexpr float kNumbers[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 15};
  return load(kNumbers);
}

// A long sum is 32 sums side by side, whatever the number of lanes, that fold the upper half onto
// the lower one until one is left: the same bits in every table.
constexpr int kSideBySide = 32;
constexpr int kSumVectors = kSideBySide / kLanes;
inline float sum_side_by_side(F (&sums)[kSumVectors]) {
#pragma GCC unroll 8
  for (int width = kSumVectors / 2; width > 0; width /= 2) {
    for (int v = 0; v < width; ++v) sums[v] = sums[v] + sums[v + width];
  }
  return sum_lanes(sums[0]);
}
