// Products of every type at decode and prefill sizes, one thread: weight bytes per second and
// multiply-adds (counted as two operations) per second.
#include <benchmark/benchmark.h>

#include <string>

#include "base/aligned_buffer.h"
#include "kernels/pack.h"
#include "kernels/select.h"

namespace quire {
namespace {

void multiply(benchmark::State& state, const KernelTable& kernels, DType dtype, int tokens) {
  const int columns = 2048,
            tiles = tokens > 16 ? 512 / kernels.tile_rows : 8192 / kernels.tile_rows;
  const std::size_t bytes_per_tile = packed_tile_bytes(dtype, kernels.tile_rows, 2048);
  AlignedBuffer<std::byte> weights(bytes_per_tile * static_cast<std::size_t>(tiles));
  for (int tile = 0; dtype != DType::kI8 && has_scales_beside(dtype) && tile < tiles; ++tile) {
    auto* at = weights.data() + static_cast<std::size_t>(tile) * bytes_per_tile;
    reinterpret_cast<ScaledTileHeader*>(at)->group = columns;
  }
  const std::size_t stride = 2048 * 4 + 64;
  const AlignedBuffer<std::byte> x(stride * static_cast<std::size_t>(tokens));
  const int rows = tiles * kernels.tile_rows;
  AlignedBuffer<float> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(tokens));
  const MatmulTask task{weights.data(), bytes_per_tile, rows,   columns, 0,
                        tiles,          x.data(),       stride, tokens,  out.data(),
                        rows,           nullptr,        false};
  for (auto _ : state) {
    kernels.matmul[static_cast<int>(dtype)](task);
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  const auto weight_bytes = static_cast<double>(bytes_per_tile) * tiles;
  state.counters["GB/s"] = Counter(weight_bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["TOP/s"] =
      Counter(2e-12 * rows * columns * tokens, Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const KernelTable* kernels : all_supported()) {
    for (const DTypeInfo& info : kDTypes) {
      for (int tokens : {1, 4, 8, 16, 512}) {
        const std::string name = fmt::format("{}/{}/{}", kernels->name, info.name, tokens);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          multiply(state, *kernels, info.dtype, tokens);
        });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace quire
