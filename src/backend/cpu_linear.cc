// CpuBackend::linear: the tiles of all outputs become items of some 64 rows (prefill) or some
// hundred KiB (decode). A worker begins with a contiguous range of them, so while it works on one
// it fetches the next. Which worker takes an item leaves no trace.
#include <algorithm>

#include "backend/cpu_backend.h"

namespace quire {
namespace {

constexpr std::size_t kStreamBytes = 256 << 10;  // of weights per item when few tokens read them
constexpr int kBlockRows = 64;                   // rows per item when many do
constexpr int kBlockTokensMin = 64;              // with fewer, half as many rows: less to wait for

const CpuPacked& packed_of(const LinearOutput& output) {
  return static_cast<const CpuPacked&>(*output.weight->packed);
}

}  // namespace

void CpuBackend::plan_linear(int tokens, std::span<const LinearOutput> outputs) {
  linear_items_.clear();
  const int block_rows = tokens < kBlockTokensMin ? kBlockRows / 2 : kBlockRows;
  const int block_tiles = std::max(1, block_rows / kernels_.tile_rows);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const CpuPacked& packed = packed_of(outputs[i]);
    int step = block_tiles;
    if (tokens <= 4) {
      const auto stream = static_cast<int>(std::min<std::size_t>(
          kStreamBytes / packed.bytes_per_tile, static_cast<std::size_t>(packed.tiles)));
      const int share = packed.tiles / (4 * threads()) + 1;  // no worker waits long for the last
      step = std::max(1, std::min(stream, share));
    }
    for (int begin = 0; begin < packed.tiles; begin += step) {
      linear_items_.push_back({static_cast<int>(i), begin, std::min(begin + step, packed.tiles)});
    }
  }
}

void CpuBackend::run_linear(const CpuActivations& x, int tokens, const LinearOutput& output,
                            int begin, int end, std::byte* scratch) {
  const CpuPacked& packed = packed_of(output);
  const CpuActivations::Form& form = x.form(activation_form(packed.dtype));
  MatmulTask task;
  task.tiles = packed.data.get();
  task.bytes_per_tile = packed.bytes_per_tile;
  task.rows = output.weight->rows;
  task.columns = output.weight->columns;
  task.tile_begin = begin;
  task.tile_end = end;
  task.scratch = scratch;
  task.tiles_ahead = std::min(end - begin, packed.tiles - end);
  task.x = form.data.data();
  task.x_stride = form.stride;
  task.tokens = tokens;
  task.out = output.out;
  task.out_stride = output.stride;
  task.bias = output.bias;
  task.accumulate = output.accumulate;
  kernels_.matmul[static_cast<std::size_t>(packed.dtype)](task);
}

void CpuBackend::linear(const Activations& activations, int tokens,
                        std::span<const LinearOutput> outputs) {
  const auto& x = static_cast<const CpuActivations&>(activations);
  QUIRE_CHECK(tokens <= x.tokens_max, "{} tokens of {}", tokens, x.tokens_max);
  if (tokens <= 0) return;
  for (const LinearOutput& output : outputs) {
    QUIRE_CHECK(output.weight->columns == x.columns, "a weight of {} columns reads {}",
                output.weight->columns, x.columns);
    QUIRE_CHECK(x.form(activation_form(packed_of(output).dtype)),
                "'{}' was not named as a consumer of these activations",
                packed_of(output).source.name);
    QUIRE_CHECK(output.stride >= output.weight->rows || tokens == 1, "rows of {} in a stride of {}",
                output.weight->rows, output.stride);
    tiles_of(*output.weight);
  }
  plan_linear(tokens, outputs);
  const std::size_t room = matmul_scratch_bytes(x.columns) / sizeof(float);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    const LinearItem& item = linear_items_[static_cast<std::size_t>(i)];
    run_linear(x, tokens, outputs[static_cast<std::size_t>(item.output)], item.begin, item.end,
               reinterpret_cast<std::byte*>(scratch(worker, room)));
  });
}

}  // namespace quire
