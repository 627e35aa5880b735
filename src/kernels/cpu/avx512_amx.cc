// The AVX-512 table on processors with AMX (Sapphire Rapids and later): int8 weights with one scale
// per row meet several tokens in tile registers. All else is that table's. Weights with a scale per
// 32 columns gain nothing there: each group's sums have to leave the tiles for the vectors that
// scale them, which takes as long as their products do.
// Everything after the pragma is compiled for this instruction set (see avx512.cc).

#if defined(__x86_64__)
// GCC 12 finds its own intrinsics' "undefined" operands uninitialized.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_table.h"
#include "kernels/select.h"
#include "tensor/float_bits.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8")

namespace quire {
namespace {

// clang-format off
#include "kernels/cpu/sixteen_lanes.inl"
#include "kernels/generic/lanes.inl"
#include "kernels/generic/matmul/matmul.inl"
#include "kernels/cpu/tile_registers.inl"
#include "kernels/cpu/channel_tiles.inl"
// clang-format on

constexpr std::size_t kInt8 = static_cast<std::size_t>(DType::kI8);
constexpr int kTileTokensMin = 5;  // fewer wait for memory in either way

void matmul_channel(const MatmulTask& task) {
  if (task.tokens < kTileTokensMin || task.columns % ChannelTileCore::kStep != 0) {
    return kAvx512Kernels.matmul[kInt8](task);
  }
  matmul<ChannelTileCore>(task);
  tile_release();
}

}  // namespace

const KernelTable& avx512_amx_kernels() {
  static const KernelTable table = [] {
    KernelTable table = kAvx512Kernels;
    table.name = "avx512_amx";
    table.matmul[kInt8] = matmul_channel;
    return table;
  }();
  return table;
}

}  // namespace quire

#pragma GCC pop_options
#endif
