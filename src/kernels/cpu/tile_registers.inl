// The tile registers of AMX: eight matrices of up to 16 rows of 64 bytes. A product is
//   C[m][n] += sum over k of A[m][4k..4k+3] * B[k][4n..4n+3]
// so that A is activations, a token in each row, and B weights as tiles are packed: four codes of
// each row of the matrix side by side. GCC's own intrinsics do not say that a load reads memory.
// Included once, inside of the target region.

// What the registers hold; loading it clears them.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  constexpr void set(int tile, int rows_of_it, int bytes) {
    rows[tile] = static_cast<std::uint8_t>(rows_of_it);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

inline void tile_configure(const TileShapes& shapes) {
  asm volatile("ldtilecfg %0" : : "m"(shapes));
}
inline void tile_release() { asm volatile("tilerelease" : : : "memory"); }
template <int kTile>
inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kTile>
inline void tile_load(const void* from, std::size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline void tile_store(void* to, std::size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kC, int kA, int kB>
inline void tile_dot() {  // signed bytes of A with unsigned ones of B
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}
