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
constexpr std::size_t kAheadBytes = 256 << 10;   // of the next item, fetched under this one
constexpr int kGatedTokens = 512;                // a pass of linear_silu: its products stay in L2
constexpr int kGroup = 32;                       // columns that share a scale in the int8 form
constexpr std::int64_t kAloneElements = 2048;    // a wake-up costs more than so many

const CpuPacked& packed_of(const LinearOutput& output) {
  return static_cast<const CpuPacked&>(*output.weight->packed);
}

// Tiles [begin, end) of an output for some tokens of x, as if they were a matrix of their own whose
// products go to `out`.
MatmulTask task_of(const LinearOutput& output, int begin, int end, const CpuActivations::Form& x,
                   int token, int tokens, int tile_rows, float* out, int out_stride) {
  const CpuPacked& packed = packed_of(output);
  const int row = begin * tile_rows;
  MatmulTask task;
  task.bytes_per_tile = packed.bytes_per_tile;
  task.tiles = packed.data.get() + static_cast<std::size_t>(begin) * packed.bytes_per_tile;
  task.rows = std::min(end * tile_rows, output.weight->rows) - row;
  task.columns = output.weight->columns;
  task.tile_end = end - begin;
  task.x = x.row(token);
  task.x_stride = x.stride;
  task.tokens = tokens;
  task.out = out;
  task.out_stride = out_stride;
  task.bias = output.bias == nullptr ? nullptr : output.bias + row;
  task.accumulate = output.accumulate;
  return task;
}

float* row_of(const LinearOutput& output, int token) {
  return output.out + static_cast<std::ptrdiff_t>(token) * output.stride;
}

void set_next(MatmulTask& task, const CpuPacked& packed, int begin, int end) {
  task.next = packed.data.get() + static_cast<std::size_t>(begin) * packed.bytes_per_tile;
  task.next_bytes = std::min(kAheadBytes, static_cast<std::size_t>(end - begin) *
                                              packed.bytes_per_tile);
}

}  // namespace

// Items begin at multiples of `tiles_multiple` tiles.
void CpuBackend::plan_linear(int tokens, std::span<const LinearOutput> outputs,
                             int tiles_multiple) {
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
    step = std::max(1, step / tiles_multiple) * tiles_multiple;
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

// The next item of the call: who works on one will most likely read that next.
void CpuBackend::expect_next(MatmulTask& task, std::span<const LinearOutput> outputs,
                             std::size_t item) const {
  if (item >= linear_items_.size()) return;
  const LinearItem& next = linear_items_[item];
  set_next(task, packed_of(outputs[static_cast<std::size_t>(next.output)]), next.begin, next.end);
}

// Checks a call and finds (or makes) the form of x that each weight reads.
void CpuBackend::find_inputs(const CpuActivations& x, int tokens,
                             std::span<const LinearOutput> outputs) {
  QUIRE_CHECK(tokens <= x.tokens_max, "{} tokens of {}", tokens, x.tokens_max);
  for (const LinearOutput& output : outputs) {
    QUIRE_CHECK(output.weight->columns == x.columns, "a weight of {} columns reads {}",
                output.weight->columns, x.columns);
    QUIRE_CHECK(output.stride >= output.weight->rows || tokens == 1, "rows of {} in a stride of {}",
                output.weight->rows, output.stride);
    QUIRE_CHECK(packed_of(output).data != nullptr, "'{}' is not packed",
                packed_of(output).source.name);
  }
  linear_inputs_.clear();
  static_inputs_used_ = 0;
  for (const LinearOutput& output : outputs) {
    linear_inputs_.push_back(&input_of(x, tokens, packed_of(output)));
  }
}

void CpuBackend::linear(const Activations& activations, int tokens,
                        std::span<const LinearOutput> outputs) {
  const auto& x = static_cast<const CpuActivations&>(activations);
  if (tokens <= 0) return;
  find_inputs(x, tokens, outputs);
  plan_linear(tokens, outputs, 1);
  const std::size_t room = matmul_scratch_bytes(x.columns) / sizeof(float);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    const auto item = static_cast<std::size_t>(i);
    run_linear(linear_items_[item], tokens, outputs, item + 1, scratch(worker, room));
  });
}

void CpuBackend::linear_rmsnorm(const Activations& activations, int tokens,
                                const LinearOutput& output, const float* weight, float eps,
                                Activations& activations_out) {
  const auto& x = static_cast<const CpuActivations&>(activations);
  auto& out = static_cast<CpuActivations&>(activations_out);
  QUIRE_CHECK(output.stride == out.columns && output.weight->rows == out.columns &&
                  tokens <= out.tokens_max,
              "a norm of {} x {} after a product of {} rows", tokens, out.columns,
              output.weight->rows);
  if (tokens <= 0) return;
  const std::span<const LinearOutput> outputs(&output, 1);
  find_inputs(x, tokens, outputs);
  plan_linear(tokens, outputs, 1);
  const std::size_t room = std::max(matmul_scratch_bytes(x.columns) / sizeof(float),
                                    static_cast<std::size_t>(out.columns));
  grow_scratch(room);
  pool_.for_each_then(
      static_cast<int>(linear_items_.size()),
      [&](int i, int worker) {
        const auto item = static_cast<std::size_t>(i);
        run_linear(linear_items_[item], tokens, outputs, item + 1, scratch(worker, room));
      },
      tokens,
      [&](int token, int worker) {
        norm_row(row_of(output, token), weight, eps, token, out, scratch(worker, room));
      });
}

void CpuBackend::run_linear(const LinearItem& item, int tokens,
                            std::span<const LinearOutput> outputs, std::size_t next_item,
                            float* room) {
  const auto index = static_cast<std::size_t>(item.output);
  const LinearOutput& output = outputs[index];
  MatmulTask task =
      task_of(output, item.begin, item.end, *linear_inputs_[index], 0, tokens, kernels_.tile_rows,
              output.out + item.begin * kernels_.tile_rows, output.stride);
  task.scratch = reinterpret_cast<std::byte*>(room);
  expect_next(task, outputs, next_item);
  kernels_.matmul[static_cast<std::size_t>(packed_of(output).dtype)](task);
}

// --- the gated half of an MLP ---

// One item of linear_silu for some tokens: its rows of gate and of up, side by side in the worker's
// cache, then silu(gate) * up and the forms that the next product reads. A form with one scale per
// token needs the whole token first: then the floats go where the caller has room for gate.
void CpuBackend::run_gated(const LinearItem& item, int token, int count,
                           std::span<const LinearOutput> outputs, std::size_t next_item,
                           float* room, CpuActivations& out) {
  const int first = item.begin * kernels_.tile_rows;
  const int rows = std::min(item.end * kernels_.tile_rows, out.columns) - first;
  const int size = count * rows;
  float* products[2] = {room + matmul_scratch_bytes(outputs[0].weight->columns) / sizeof(float)};
  products[1] = products[0] + size;
  for (std::size_t i = 0; i < 2; ++i) {
    MatmulTask task = task_of(outputs[i], item.begin, item.end, *linear_inputs_[i], token, count,
                              kernels_.tile_rows, products[i], rows);
    task.scratch = reinterpret_cast<std::byte*>(room);
    if (i == 0) {
      set_next(task, packed_of(outputs[1]), item.begin, item.end);
    } else {
      expect_next(task, outputs, next_item);
    }
    kernels_.matmul[static_cast<std::size_t>(packed_of(outputs[i]).dtype)](task);
  }
  for (int t = 0; t < count; ++t) {
    float* gate = products[0] + t * rows;
    float* y = gate;
    if (out.f32) y = reinterpret_cast<float*>(out.f32.row(token + t)) + first;
    if (out.int8_token) y = row_of(outputs[0], token + t) + first;
    kernels_.silu_mul(gate, products[1] + t * rows, rows, y);
    if (!out.int8_token) out.put(kernels_, token + t, first, rows, y);
  }
}

void CpuBackend::linear_silu(const Activations& activations, int tokens, const LinearOutput& gate,
                             const LinearOutput& up, Activations& activations_out) {
  const auto& x = static_cast<const CpuActivations&>(activations);
  auto& out = static_cast<CpuActivations&>(activations_out);
  QUIRE_CHECK(gate.weight->rows == out.columns && up.weight->rows == out.columns &&
                  gate.stride == up.stride && tokens <= out.tokens_max,
              "a gate of {} rows and {} more into {} x {}", gate.weight->rows, up.weight->rows,
              out.tokens_max, out.columns);
  if (tokens <= 0) return;
  const LinearOutput outputs[] = {gate, up};
  find_inputs(x, tokens, outputs);
  plan_linear(tokens, {outputs, 1}, kGroup / kernels_.tile_rows);
  int tiles = 0;  // of the largest item
  for (const LinearItem& item : linear_items_) tiles = std::max(tiles, item.end - item.begin);
  const int pass = std::min(tokens, kGatedTokens);
  const std::size_t room = matmul_scratch_bytes(x.columns) / sizeof(float) +
                           2 * static_cast<std::size_t>(pass * tiles * kernels_.tile_rows);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    const auto item = static_cast<std::size_t>(i);
    for (int token = 0; token < tokens; token += pass) {
      run_gated(linear_items_[item], token, std::min(pass, tokens - token), outputs, item + 1,
                scratch(worker, room), out);
    }
  });
  if (!out.int8_token) return;
  const auto put = [&](int token, int) {
    out.put(kernels_, token, 0, out.columns, row_of(gate, token));
  };
  if (std::int64_t{tokens} * out.columns <= kAloneElements) {
    for (int token = 0; token < tokens; ++token) put(token, 0);
  } else {
    pool_.for_each(tokens, put);
  }
}

}  // namespace quire
