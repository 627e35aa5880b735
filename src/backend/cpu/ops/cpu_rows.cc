// CpuBackend's work row by row: gather, norms, activations, sums. Each row is one item; a few rows
// stay on the calling thread.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"

namespace quire {
namespace {

const std::int32_t* chosen_rows(const BatchView& batch, const Buffer& from, const Buffer& to) {
  if (from.rows == to.rows) return nullptr;
  QUIRE_CHECK(from.rows == Rows::kTokens && to.rows == Rows::kWanted,
              "rows of kind {} from rows of kind {}", static_cast<int>(to.rows),
              static_cast<int>(from.rows));
  return batch.logits_tokens.data();
}

void activate(const Xielu& f, const float* x, int count, float* out) {
  for (int i = 0; i < count; ++i) {
    const float bent = x[i] > 0 ? f.positive * x[i] * x[i]
                                : (std::expm1(std::min(x[i], f.floor)) - x[i]) * f.negative;
    out[i] = bent + f.beta * x[i];
  }
}

void activate(const ClampedGate& f, const float* gate, const float* up, int count, float* out) {
  for (int i = 0; i < count; ++i) {
    const float g = std::min(gate[i], f.limit), u = std::clamp(up[i], -f.limit, f.limit);
    out[i] = (u + 1) * g / (1 + std::exp(-f.alpha * g));
  }
}

}  // namespace

void CpuBackend::refresh(CpuBuffer& buffer, int rows) {
  for_rows(rows, buffer.columns, [&](int row, int) { buffer.refresh(kernels_, row); });
  buffer.is_fresh = true;
}

void CpuBackend::act_mul(Activation activation, const float* gate, const float* up, int count,
                         float* out) const {
  if (up == nullptr) return kernels_.act(activation, gate, count, out);
  kernels_.act_mul(activation, gate, up, count, out);
}

// x, out: [columns]; out may be x
void CpuBackend::norm_values(const Norm& norm, const float* x, int columns, float* out) const {
  const int width = columns / norm.heads;
  const bool is_shared = norm.weight.count <= width;  // by all heads
  for (int at = 0; at < columns; at += width) {
    const float* weight = norm.weight ? norm.weight.values.get() + (is_shared ? 0 : at) : nullptr;
    const float* bias = norm.bias ? norm.bias.values.get() + (is_shared ? 0 : at) : nullptr;
    switch (norm.kind) {
      case Norm::Kind::kRms:
        kernels_.rmsnorm(x + at, weight, norm.eps, width, out + at);
        break;
      case Norm::Kind::kLayer:
        kernels_.layernorm(x + at, weight, bias, norm.eps, width, out + at);
        break;
      case Norm::Kind::kL2:
        kernels_.l2norm(x + at, norm.eps, 1, width, out + at);
        break;
      case Norm::Kind::kScale:
        for (int i = 0; i < width; ++i) out[at + i] = x[at + i] * weight[i];
        break;
      case Norm::Kind::kNone:
        if (out != x) std::memcpy(out + at, x + at, static_cast<std::size_t>(width) * sizeof *x);
        break;
    }
  }
}

// room: [columns]
void CpuBackend::norm_row(const NormCall& call, int row, float* room) const {
  const int columns = call.out.columns;
  const float* x = call.x.floats(call.indices == nullptr ? row : call.indices[row]);
  if (call.accumulate) {
    norm_values(call.norm, x, columns, room);
    float* y = call.out.floats(row);
    for (int i = 0; i < columns; ++i) y[i] += room[i];
    return;
  }
  float* y = call.out.f32 ? call.out.floats(row) : room;
  norm_values(call.norm, x, columns, y);
  call.out.put(kernels_, row, 0, columns, y);
}

void CpuBackend::run_op(const NormOp& op, const Step& step) {
  const int rows = step.rows(*op.out);
  CpuBuffer& out = cpu(*op.out);
  QUIRE_CHECK(op.x->columns == op.out->columns && rows <= out.rows_max,
              "norm of {} x {} into {} x {}", rows, op.x->columns, out.rows_max, out.columns);
  QUIRE_CHECK(op.norm->heads > 0 && out.columns % op.norm->heads == 0 &&
                  (!op.norm->weight || out.columns % op.norm->weight.count == 0),
              "a norm of {} columns in {} parts, {} weights", out.columns, op.norm->heads,
              op.norm->weight.count);
  const NormCall call{cpu(*op.x), chosen_rows(step.batch, *op.x, *op.out), *op.norm, out,
                      op.accumulate};
  const auto room = static_cast<std::size_t>(out.columns);
  grow_scratch(room);
  for_rows(rows, out.columns,
           [&](int row, int worker) { norm_row(call, row, scratch(worker, room)); });
  out.is_fresh = !op.accumulate;
}

void CpuBackend::run_op(const GatherOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const WeightView& source = static_cast<const CpuPacked&>(*op.table->packed).source;
  CpuBuffer& out = cpu(*op.out);
  QUIRE_CHECK(op.table->columns == op.out->columns && batch.tokens() <= out.rows_max,
              "a table of {} columns into {} x {}", op.table->columns, out.rows_max, out.columns);
  const auto columns = static_cast<std::size_t>(op.table->columns);
  const auto room = columns;
  if (op.accumulate) grow_scratch(room);
  pool_.for_each(batch.tokens(), [&](int token, int worker) {
    const auto t = static_cast<std::size_t>(token);
    std::int32_t index = (op.index == GatherOp::Index::kToken      ? batch.token_ids[t]
                                : op.index == GatherOp::Index::kPosition ? batch.positions[t]
                                                                         : batch.segments[t]) +
                               op.offset;
    if (op.takes_first_beyond && index >= op.table->rows) index = 0;
    QUIRE_CHECK(index >= 0 && index < op.table->rows, "row {} of a table of {}", index,
                op.table->rows);
    float* to = out.floats(token);
    float* values = op.accumulate ? scratch(worker, room) : to;
    read_row(source, 0, static_cast<std::size_t>(index), values);
    if (op.scale != 1) {
      for (std::size_t i = 0; i < columns; ++i) values[i] *= op.scale;
    }
    if (!op.accumulate) return;
    for (std::size_t i = 0; i < columns; ++i) to[i] += values[i];
  });
  out.is_fresh = false;
}

void CpuBackend::run_op(const GateOp& op, const Step& step) {
  const int rows = step.rows(*op.out), columns = op.out->columns;
  CpuBuffer& out = cpu(*op.out);
  QUIRE_CHECK(op.gate->columns == columns &&
                  (op.up == nullptr || op.up->columns >= op.up_column + columns) &&
                  rows <= out.rows_max,
              "a gate of {} columns into {} x {}", op.gate->columns, out.rows_max, columns);
  const auto room = static_cast<std::size_t>(columns);
  grow_scratch(room);
  for_rows(rows, columns, [&](int row, int worker) {
    float* y = out.f32 ? out.floats(row) : scratch(worker, room);
    if (op.xielu != nullptr) {
      activate(*op.xielu, cpu(*op.gate).floats(row), columns, y);
      return out.put(kernels_, row, 0, columns, y);
    }
    if (op.clamped != nullptr) {
      activate(*op.clamped, cpu(*op.gate).floats(row), cpu(*op.up).floats(row), columns, y);
      return out.put(kernels_, row, 0, columns, y);
    }
    act_mul(op.activation, cpu(*op.gate).floats(row),
            op.up == nullptr ? nullptr : cpu(*op.up).floats(row) + op.up_column, columns, y);
    out.put(kernels_, row, 0, columns, y);
  });
  out.is_fresh = true;
}

void CpuBackend::run_op(const JoinOp& op, const Step& step) {
  const int rows = step.rows(*op.out), first = op.x->columns, second = op.y->columns;
  QUIRE_CHECK(op.out->columns == first + second, "{} and {} columns into {}", first, second,
              op.out->columns);
  for_rows(rows, op.out->columns, [&](int row, int) {
    float* out = cpu(*op.out).floats(row);
    std::copy_n(cpu(*op.x).floats(row), first, out);
    std::copy_n(cpu(*op.y).floats(row), second, out + first);
  });
  cpu(*op.out).is_fresh = false;
}

void CpuBackend::run_op(const AddOp& op, const Step& step) {
  const int rows = step.rows(*op.out), columns = op.out->columns;
  QUIRE_CHECK(op.x->columns == columns && (op.gate == nullptr || op.gate->columns == 1),
              "a sum of {} columns and {}", op.x->columns, columns);
  for_rows(rows, columns, [&](int row, int) {
    float scale = op.scale;
    if (op.gate != nullptr) {
      kernels_.act(Activation::kSigmoid, cpu(*op.gate).floats(row), 1, &scale);
      scale *= op.scale;
    }
    const float* x = cpu(*op.x).floats(row);
    float* y = cpu(*op.out).floats(row);
    kernels_.add_scaled(x, scale, columns, y);
  });
  cpu(*op.out).is_fresh = false;
}

void CpuBackend::run_op(const BlendOp& op, const Step& step) {
  const int columns = op.out->columns;
  QUIRE_CHECK(op.x->columns == columns && op.column < op.weights->columns,
              "{} columns by weight {} of {} into {}", op.x->columns, op.column,
              op.weights->columns, columns);
  for_rows(step.rows(*op.out), columns, [&](int row, int) {
    const float weight = op.offset + cpu(*op.weights).floats(row)[op.column];
    kernels_.add_scaled(cpu(*op.x).floats(row), weight, columns, cpu(*op.out).floats(row));
  });
  cpu(*op.out).is_fresh = false;
}

void CpuBackend::run_op(const MatchOp& op, const Step& step) {
  const int columns = op.x->columns;
  const auto mean_square = [](const float* x, int count) {
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += double{x[i]} * double{x[i]};
    return sum / count;
  };
  for_rows(step.rows(*op.x), columns, [&](int row, int) {
    float* x = cpu(*op.x).floats(row);
    const double wanted = mean_square(cpu(*op.like).floats(row), op.like->columns);
    const double own = std::max(mean_square(x, columns), double{op.least});
    const auto scale = static_cast<float>(std::sqrt(wanted / own));
    for (int i = 0; i < columns; ++i) x[i] *= scale;
  });
  cpu(*op.x).is_fresh = false;
}

void CpuBackend::run_op(const CutoffOp& op, const Step& step) {
  const int columns = op.x->columns;
  for_rows(step.rows(*op.x), columns, [&](int row, int) {
    float* x = cpu(*op.x).floats(row);
    double sum = 0, squares = 0;
    for (int i = 0; i < columns; ++i) sum += x[i];
    const double mean = sum / columns;
    for (int i = 0; i < columns; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const auto cutoff =
        static_cast<float>(mean + double{op.deviations} * std::sqrt(squares / columns));
    for (int i = 0; i < columns; ++i) x[i] = std::max(0.0f, x[i] - cutoff);
  });
  cpu(*op.x).is_fresh = false;
}

void CpuBackend::run_op(const CapOp& op, const Step& step) {
  const int columns = op.x->columns;
  for_rows(step.rows(*op.x), columns, [&](int row, int) {
    float* x = cpu(*op.x).floats(row);
    if (op.scale != 1) kernels_.scaled(x, op.scale, columns, x);
    if (op.softcap > 0) kernels_.soft_cap(op.softcap, x, columns, x);
    if (op.limit <= 0) return;
    for (int i = 0; i < columns; ++i) x[i] = std::clamp(x[i], -op.limit, op.limit);
  });
  cpu(*op.x).is_fresh = false;
}

// norm(x) * silu(gate), or norm(x * silu(gate))
void CpuBackend::run_op(const GatedNormOp& op, const Step& step) {
  const int columns = op.out->columns;
  CpuBuffer& out = cpu(*op.out);
  QUIRE_CHECK(op.x->columns == columns && op.gate->columns == columns && op.norm->heads > 0 &&
                  columns % op.norm->heads == 0 && op.norm->weight,
              "a gated norm of {} and {} columns in {} parts into {}", op.x->columns,
              op.gate->columns, op.norm->heads, columns);
  const auto room = static_cast<std::size_t>(columns);
  grow_scratch(room);
  for_rows(step.rows(*op.out), columns, [&](int row, int worker) {
    float* y = out.f32 ? out.floats(row) : scratch(worker, room);
    const float *x = cpu(*op.x).floats(row), *gate = cpu(*op.gate).floats(row);
    const int width = columns / op.norm->heads;
    const bool is_shared = op.norm->weight.count <= width;
    for (int at = 0; at < columns; at += width) {
      kernels_.rmsnorm_gated(x + at, gate + at,
                             op.norm->weight.values.get() + (is_shared ? 0 : at), op.norm->eps,
                             width, op.gate_first, y + at);
    }
    out.put(kernels_, row, 0, columns, y);
  });
  out.is_fresh = true;
}

// Of the rows whose pooled vector is wanted, over all of their tokens in this step.
void CpuBackend::run_op(const PoolOp& op, const Step& step) {
  const BatchView& batch = step.batch;
  const int columns = op.out->columns;
  QUIRE_CHECK(op.x->columns == columns, "{} columns are pooled into {}", op.x->columns, columns);
  for_rows(step.rows(*op.out), columns, [&](int i, int) {
    const auto row = static_cast<std::size_t>(batch.pooled_rows[static_cast<std::size_t>(i)]);
    QUIRE_CHECK(row + 1 < batch.row_begin.size() && batch.row_begin[row + 1] > batch.row_begin[row],
                "row {} of {} is pooled and has no tokens", row, batch.rows());
    const int begin = batch.row_begin[row], end = batch.row_begin[row + 1];
    float* y = cpu(*op.out).floats(i);
    const int first = op.pool == Pool::kLast ? end - 1 : begin;
    const float* x = cpu(*op.x).floats(first);
    std::copy(x, x + columns, y);
    if (op.pool != Pool::kMean) return;
    for (int token = begin + 1; token < end; ++token) {
      const float* more = cpu(*op.x).floats(token);
      for (int c = 0; c < columns; ++c) y[c] += more[c];
    }
    for (int c = 0; c < columns; ++c) y[c] /= static_cast<float>(end - begin);
  });
  cpu(*op.out).is_fresh = false;
}

}  // namespace quire
