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

// The form of x that a weight reads. Where it states a scale for its input, x is quantized with it
// here, once for all weights of the call that state the same: the layers that share x may differ.
const CpuActivations::Form& CpuBackend::input_of(const CpuActivations& x, int tokens,
                                                 const CpuPacked& packed) {
  const CpuActivations::Form& form = x.form(packed.input_form());
  QUIRE_CHECK(form, "'{}' was not named as a consumer of these activations", packed.source.name);
  if (!packed.has_static_input()) return form;
  const float scale = packed.source.input_scale;
  for (std::size_t i = 0; i < static_inputs_used_; ++i) {
    if (static_inputs_[i].scale == scale) return static_inputs_[i].form;
  }
  if (static_inputs_used_ == static_inputs_.size()) static_inputs_.emplace_back();
  StaticInput& made = static_inputs_[static_inputs_used_++];
  made.scale = scale;
  made.form.resize(tokens, channel_token_bytes(static_cast<std::size_t>(x.columns)));
  pool_.for_each(tokens, [&](int token, int) {
    kernels_.quantize_token(reinterpret_cast<const float*>(form.row(token)), x.columns, scale,
                            reinterpret_cast<ChannelToken*>(made.form.row(token)));
  });
  return made.form;
}

void CpuBackend::run_linear(const CpuActivations::Form& x, int tokens, const LinearOutput& output,
                            int begin, int end, std::byte* scratch) {
  const CpuPacked& packed = packed_of(output);
  MatmulTask task;
  task.tiles = packed.data.get();
  task.bytes_per_tile = packed.bytes_per_tile;
  task.rows = output.weight->rows;
  task.columns = output.weight->columns;
  task.tile_begin = begin;
  task.tile_end = end;
  task.scratch = scratch;
  task.tiles_ahead = std::min(end - begin, packed.tiles - end);
  task.x = x.data.data();
  task.x_stride = x.stride;
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
    QUIRE_CHECK(output.stride >= output.weight->rows || tokens == 1, "rows of {} in a stride of {}",
                output.weight->rows, output.stride);
    tiles_of(*output.weight);
  }
  linear_inputs_.clear();
  static_inputs_used_ = 0;
  for (const LinearOutput& output : outputs) {
    linear_inputs_.push_back(&input_of(x, tokens, packed_of(output)));
  }
  plan_linear(tokens, outputs);
  const std::size_t room = matmul_scratch_bytes(x.columns) / sizeof(float);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    const LinearItem& item = linear_items_[static_cast<std::size_t>(i)];
    const auto output = static_cast<std::size_t>(item.output);
    run_linear(*linear_inputs_[output], tokens, outputs[output], item.begin, item.end,
               reinterpret_cast<std::byte*>(scratch(worker, room)));
  });
}

}  // namespace quire
