// Vectors that every part of the generics uses.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

// Lane numbers as floats: 0, 1, 2, ...
inline F lane_numbers() {
  alignas(64) static constexpr float kNumbers[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 15};
  return load(kNumbers);
}
