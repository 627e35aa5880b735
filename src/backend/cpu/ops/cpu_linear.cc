// CpuBackend::linear: the tiles of all outputs become items of some 64 rows (prefill) or some
// hundred KiB (decode). A worker begins with a contiguous range of them, so while it works on one
// it fetches the next. Which worker takes an item leaves no trace.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace quire {
namespace {

constexpr std::size_t kStreamBytes = 256 << 10;  // of weights per item when few tokens read them
constexpr int kBlockRows = 64;                   // rows per item when many do
constexpr int kBlockTokensMin = 64;              // with fewer, half as many rows: less to wait for
constexpr std::size_t kAheadBytes = 256 << 10;   // of the next item, fetched under this one
constexpr int kGatedTokens = 512;                // a pass of linear_silu: its products stay in L2
constexpr int kGroup = 32;                       // columns that share a scale in the int8 form

const CpuPacked& packed_of(const LinearOutput& output) {
  return static_cast<const CpuPacked&>(*output.weight->packed);
}

const std::byte* tiles_of(const LinearOutput& output, int begin) {
  const CpuPacked& packed = packed_of(output);
  return packed.data.get() + static_cast<std::size_t>(output.expert) * packed.expert_bytes() +
         static_cast<std::size_t>(begin) * packed.bytes_per_tile;
}

// Tiles [begin, end) of an output for some rows of its input, as if they were a matrix of their own
// whose products go to `out`.
MatmulTask task_of(const LinearOutput& output, int begin, int end, int row, int rows,
                   int tile_rows, float* out, int out_stride) {
  const int first = begin * tile_rows;
  MatmulTask task;
  task.bytes_per_tile = packed_of(output).bytes_per_tile;
  task.tiles = tiles_of(output, begin);
  task.rows = std::min(end * tile_rows, output.weight->rows) - first;
  task.columns = output.weight->columns;
  task.tile_end = end - begin;
  task.x = output.x->row(output.row + row) + output.x_offset;
  task.x_stride = output.x->stride;
  task.tokens = rows;
  task.out = out;
  task.out_stride = out_stride;
  task.bias = output.bias == nullptr ? nullptr : output.bias + first;
  task.accumulate = output.accumulate;
  return task;
}

float* row_of(const LinearOutput& output, int row) {
  return output.out + static_cast<std::ptrdiff_t>(row) * output.stride;
}

void set_next(MatmulTask& task, const LinearOutput& output, int begin, int end) {
  task.next = tiles_of(output, begin);
  task.next_bytes = std::min(
      kAheadBytes, static_cast<std::size_t>(end - begin) * packed_of(output).bytes_per_tile);
}

int rows_max(std::span<const LinearOutput> outputs) {
  int most = 0;
  for (const LinearOutput& output : outputs) most = std::max(most, output.rows);
  return most;
}

}  // namespace

// The products of an op, for all rows of its input.
std::span<LinearOutput> CpuBackend::find_outputs(const LinearOp& op, const Step& step) {
  if (op.routing != nullptr) return find_expert_outputs(op, step);
  linear_outputs_.clear();
  const int rows = step.rows(*op.x);
  for (int i = 0; i < op.count; ++i) {
    const Product& product = op.products[static_cast<std::size_t>(i)];
    CpuBuffer& out = cpu(*product.out);
    QUIRE_CHECK(product.weight->columns == op.x->columns &&
                    product.column >= 0 &&
                    product.column + product.weight->rows <= product.out->columns &&
                    rows <= out.rows_max,
                "'{}': {} x {} reads {} columns and writes {} x {} of {} rows, from {} on",
                product.weight->packed->name, product.weight->rows, product.weight->columns,
                op.x->columns, rows, product.out->columns, out.rows_max, product.column);
    LinearOutput& output = linear_outputs_.emplace_back();
    output.weight = product.weight;
    output.rows = rows;
    output.out = out.floats(0) + product.column;
    output.stride = out.stride();
    const bool has_bias = product.bias != nullptr && *product.bias;
    output.bias = has_bias ? product.bias->values.get() : nullptr;
    output.accumulate = product.accumulate;
    out.is_fresh = false;
  }
  find_inputs(cpu(*op.x), rows, linear_outputs_);
  return linear_outputs_;
}

// Finds (or makes) the form of x that each weight reads.
void CpuBackend::find_inputs(CpuBuffer& x, int rows, std::span<LinearOutput> outputs) {
  QUIRE_CHECK(rows <= x.rows_max, "{} rows of {}", rows, x.rows_max);
  own_inputs_used_ = 0;
  for (LinearOutput& output : outputs) {
    QUIRE_CHECK(packed_of(output).data != nullptr, "'{}' is not packed", packed_of(output).name);
    output.x = &input_of(x, rows, packed_of(output));
  }
}

// The form of x that a weight reads. Where its input is arranged, rounded or has a stated scale,
// that is made here, once for all weights of the call that want the same: those that share x may
// differ.
const CpuBuffer::Form& CpuBackend::input_of(CpuBuffer& x, int rows, const CpuPacked& packed) {
  const CpuBuffer::Form& form = x.form(packed.input_form());
  QUIRE_CHECK(form, "'{}' reads a form that its input has not", packed.name);
  if (packed.input_form() != ActivationForm::kF32 && !x.is_fresh) refresh(x, rows);
  if (!packed.has_own_input()) return form;
  const ActivationForm wanted = activation_form(packed.dtype);
  const InputRule& rule = packed.rule(0);
  for (std::size_t i = 0; i < own_inputs_used_; ++i) {
    const OwnInput& made = own_inputs_[i];
    const bool is_same = made.of == wanted && made.scale == packed.source.input_scale &&
                         made.rule == rule;
    if (is_same) return made.form;
  }
  QUIRE_CHECK(packed.source.columns == static_cast<std::size_t>(x.columns),
              "'{}': {} columns of {}", packed.name, packed.source.columns, x.columns);
  OwnInput& made = next_own_input(rows, packed);
  made.rule = rule;
  const auto room = static_cast<std::size_t>(x.columns);
  grow_scratch(room);
  pool_.for_each(rows, [&](int row, int worker) {
    write_own_input(packed, rule, x.floats(row), scratch(worker, room), made.form.row(row));
  });
  return made.form;
}

CpuBackend::OwnInput& CpuBackend::next_own_input(int rows, const CpuPacked& packed) {
  if (own_inputs_used_ == own_inputs_.size()) own_inputs_.emplace_back();
  OwnInput& made = own_inputs_[own_inputs_used_++];
  made.of = activation_form(packed.dtype);
  made.scale = packed.source.input_scale;
  made.rule = {};
  made.form.resize(rows, activation_bytes(made.of, packed.source.columns));
  return made;
}

// A row as a weight wants it.  room: [columns].
void CpuBackend::write_own_input(const CpuPacked& packed, const InputRule& rule, const float* x,
                                 float* room, std::byte* to) const {
  const std::size_t count = packed.source.columns;
  const auto columns = static_cast<int>(count);
  if (rule) {
    follow(rule, x, count, room);
    x = room;
  }
  switch (activation_form(packed.dtype)) {
    case ActivationForm::kF32:
      std::memcpy(to, x, count * sizeof(float));
      return;
    case ActivationForm::kBF16:
      return kernels_.narrow_bf16(x, columns, reinterpret_cast<std::uint16_t*>(to));
    case ActivationForm::kInt8:
      return kernels_.quantize_int8(x, columns, reinterpret_cast<ActivationBlock*>(to));
    case ActivationForm::kInt8Token:
      return kernels_.quantize_token(x, columns, packed.source.input_scale,
                                     reinterpret_cast<ChannelToken*>(to));
  }
}

// Items begin at multiples of `tiles_multiple` tiles.
void CpuBackend::plan_linear(std::span<const LinearOutput> outputs, int tiles_multiple) {
  linear_items_.clear();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const CpuPacked& packed = packed_of(outputs[i]);
    QUIRE_CHECK(packed.tiles > 0 && packed.bytes_per_tile > 0, "'{}': {} tiles of {} bytes",
                packed.name, packed.tiles, packed.bytes_per_tile);
    const int block_rows = outputs[i].rows < kBlockTokensMin ? kBlockRows / 2 : kBlockRows;
    int step = std::max(1, block_rows / kernels_.tile_rows);
    if (outputs[i].rows <= 4) {
      const auto stream = static_cast<int>(std::min<std::size_t>(
          kStreamBytes / packed.bytes_per_tile, static_cast<std::size_t>(packed.tiles)));
      const int share = packed.tiles / (4 * threads()) + 1;  // no worker waits long for the last
      step = std::max(1, std::min(stream, share));
    }
    // Kernels fetch one block of tiles while they are at another: whole ones, where there are many;
    // but no item ends inside of a head.
    const int usual = kBlockRows / kernels_.tile_rows;
    const int block = (usual + tiles_multiple - 1) / tiles_multiple * tiles_multiple;
    const int multiple = step >= block ? block : tiles_multiple;
    step = std::max(1, step / multiple) * multiple;
    for (int begin = 0; begin < packed.tiles; begin += step) {
      linear_items_.push_back({static_cast<int>(i), begin, std::min(begin + step, packed.tiles)});
    }
  }
}

// The next item of the call: who works on one will most likely read that next.
void CpuBackend::expect_next(MatmulTask& task, std::span<const LinearOutput> outputs,
                             std::size_t item) const {
  if (item >= linear_items_.size()) return;
  const LinearItem& next = linear_items_[item];
  set_next(task, outputs[static_cast<std::size_t>(next.output)], next.begin, next.end);
}

void CpuBackend::run_linear(std::size_t item, std::span<const LinearOutput> outputs,
                            float* room) const {
  const LinearItem& tiles = linear_items_[item];
  const LinearOutput& output = outputs[static_cast<std::size_t>(tiles.output)];
  MatmulTask task = task_of(output, tiles.begin, tiles.end, 0, output.rows, kernels_.tile_rows,
                            output.out + tiles.begin * kernels_.tile_rows, output.stride);
  task.scratch = reinterpret_cast<std::byte*>(room);
  expect_next(task, outputs, item + 1);
  kernels_.matmul[static_cast<std::size_t>(packed_of(output).dtype)](task);
}

void CpuBackend::linear(std::span<const LinearOutput> outputs) {
  if (outputs.empty() || rows_max(outputs) == 0) return;
  plan_linear(outputs, 1);
  const std::size_t room = matmul_scratch_bytes(outputs[0].weight->columns) / sizeof(float);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    run_linear(static_cast<std::size_t>(i), outputs, scratch(worker, room));
  });
}

// A product and then the norm of all of its output's rows: what ends half a layer (the residual
// stream) and begins the next.
void CpuBackend::linear_norm(const LinearOutput& output, const NormCall& norm) {
  const std::span<const LinearOutput> outputs(&output, 1);
  plan_linear(outputs, 1);
  const std::size_t room = std::max(matmul_scratch_bytes(output.weight->columns) / sizeof(float),
                                    static_cast<std::size_t>(norm.out.columns));
  grow_scratch(room);
  pool_.for_each_then(
      static_cast<int>(linear_items_.size()),
      [&](int i, int worker) {
        run_linear(static_cast<std::size_t>(i), outputs, scratch(worker, room));
      },
      output.rows, [&](int row, int worker) { norm_row(norm, row, scratch(worker, room)); });
  norm.out.is_fresh = !norm.accumulate;
}

// --- the gated half of an MLP ---

// One item of linear_gated for some rows: its part of gate and of up, side by side in the worker's
// cache, then activation(gate) * up and the forms that the next product reads. A form with one
// scale per token needs the whole row first: then the floats go where gate has room for them.
void CpuBackend::run_gated(std::size_t item, int row, int count,
                           std::span<const LinearOutput> outputs, Activation activation,
                           float* room, CpuBuffer& out) const {
  const LinearItem& tiles = linear_items_[item];
  const auto index = static_cast<std::size_t>(tiles.output);
  const LinearOutput* pair[2] = {&outputs[index], &outputs[index + outputs.size() / 2]};
  const int first = tiles.begin * kernels_.tile_rows;
  const int width = std::min(tiles.end * kernels_.tile_rows, out.columns) - first;
  const int size = count * width;
  float* products[2] = {room + matmul_scratch_bytes(pair[0]->weight->columns) / sizeof(float)};
  products[1] = products[0] + size;
  for (std::size_t i = 0; i < 2; ++i) {
    MatmulTask task = task_of(*pair[i], tiles.begin, tiles.end, row, count, kernels_.tile_rows,
                              products[i], width);
    task.scratch = reinterpret_cast<std::byte*>(room);
    if (i == 0) {
      set_next(task, *pair[1], tiles.begin, tiles.end);
    } else {
      expect_next(task, outputs, item + 1);
    }
    kernels_.matmul[static_cast<std::size_t>(packed_of(*pair[i]).dtype)](task);
  }
  for (int t = 0; t < count; ++t) {
    const int out_row = pair[0]->out_row + row + t;
    float* gate = products[0] + t * width;
    float* y = gate;
    if (out.f32) y = out.floats(out_row) + first;
    if (out.int8_token) y = row_of(*pair[0], row + t) + first;
    act_mul(activation, gate, products[1] + t * width, width, y);
    if (!out.int8_token) out.put(kernels_, out_row, first, width, y);
  }
}

// Outputs are pairs: gates in the first half, in the same order what they gate in the second.
void CpuBackend::linear_gated(std::span<const LinearOutput> outputs, Activation activation,
                              CpuBuffer& out) {
  const std::span<const LinearOutput> gates = outputs.first(outputs.size() / 2);
  QUIRE_CHECK(!gates.empty() && outputs.size() == 2 * gates.size() &&
                  kGroup % kernels_.tile_rows == 0,
              "{} products are no pairs, or tiles of {} rows no groups", outputs.size(),
              kernels_.tile_rows);
  plan_linear(gates, kGroup / kernels_.tile_rows);
  for (std::size_t i = 0; i < gates.size(); ++i) {
    const LinearOutput& up = outputs[gates.size() + i];
    QUIRE_CHECK(up.rows == gates[i].rows && up.expert == gates[i].expert,
                "{} rows of expert {} are gated by {} of {}", up.rows, up.expert, gates[i].rows,
                gates[i].expert);
  }
  int tiles = 0;  // of the largest item
  for (const LinearItem& item : linear_items_) tiles = std::max(tiles, item.end - item.begin);
  const int pass = std::min(rows_max(gates), kGatedTokens);
  const std::size_t room = matmul_scratch_bytes(gates[0].weight->columns) / sizeof(float) +
                           2 * static_cast<std::size_t>(pass * tiles * kernels_.tile_rows);
  grow_scratch(room);
  pool_.for_each(static_cast<int>(linear_items_.size()), [&](int i, int worker) {
    const auto item = static_cast<std::size_t>(i);
    const int rows = gates[static_cast<std::size_t>(linear_items_[item].output)].rows;
    for (int row = 0; row < rows; row += pass) {
      run_gated(item, row, std::min(pass, rows - row), outputs, activation,
                scratch(worker, room), out);
    }
  });
  out.is_fresh = true;
  if (!out.int8_token) return;
  int rows = 0;  // of all experts, which follow each other
  for (const LinearOutput& gate : gates) rows += gate.rows;
  for_rows(rows, out.columns, [&](int row, int) {
    out.put(kernels_, row, 0, out.columns, row_of(gates[0], row));
  });
}

}  // namespace quire
