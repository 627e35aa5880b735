// Reductions over the lanes of a vector, in one fixed order: halves are folded onto each other, so
// a sum is the same in every build.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

inline float sum_lanes(F x) {
  alignas(64) float lane[kLanes];
  store(lane, x);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

inline float max_lane(F x) {
  alignas(64) float lane[kLanes];
  store(lane, x);
  for (int i = 1; i < kLanes; ++i) lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
  return lane[0];
}

// Lane numbers as floats: 0, 1, 2, ...
inline F lane_numbers() {
  alignas(64) static constexpr float kNumbers[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 15};
  return load(kNumbers);
}
