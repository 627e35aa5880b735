// RooflineLoops: what a roofline is measured with, one table per instruction set: loops that only
// read memory and loops that only compute, in registers. They are the plain ceiling that kernels
// are held against, so they share no code with them. Called by lab/roofline on every worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire {

// Reads every byte of [data, data + bytes) once, as `streams` equal runs side by side, and returns
// a value that depends on all of them, so that no read can be left out.
using ReadLoop = std::uint64_t (*)(const std::byte* data, std::size_t bytes);

// Runs `rounds` rounds of independent multiply-adds in registers.
struct ComputeLoop {
  void (*run)(std::uint64_t rounds) = nullptr;  // null: this instruction set has none
  double operations_per_round = 0;                // a multiply-add is two
};

struct ReadVariant {
  int streams = 0;
  bool is_prefetching = false;
  ReadLoop run = nullptr;
};

inline constexpr int kReadVariants = 8;  // 1, 2, 4 and 8 streams, without and with prefetch
// The loops consume whole strides of this many bytes; callers round their ranges down to it.
inline constexpr std::size_t kReadGranule = 8 * 256;

struct RooflineLoops {
  std::string_view isa;
  ReadVariant read[kReadVariants];
  ComputeLoop int8;
  ComputeLoop bf16;
  ComputeLoop f32;
  ComputeLoop int8_tiles = {};  // null: this instruction set has no tile registers
};

extern const RooflineLoops kScalarLoops;
#if defined(__x86_64__)
extern const RooflineLoops kAvx2Loops;
extern const ComputeLoop kAvxVnniInt8Loop;
extern const RooflineLoops kAvx512Loops;      // without VNNI and BF16: those loops are null
extern const ComputeLoop kAvx512VnniInt8Loop;
extern const ComputeLoop kAvx512Bf16Loop;
extern const ComputeLoop kAmxInt8Loop;
#endif

}  // namespace quire
