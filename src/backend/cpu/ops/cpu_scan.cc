// CpuBackend's recurrent layers: short convolutions and scans over each row's tokens, from the
// state that the row's table names to the states after its last tokens (backend/batch_view.h). A
// row that begins at position 0 begins with zeros. Items are rows and heads: who computes leaves no
// trace.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/ops/row_states.h"

namespace quire {
namespace {

constexpr int kConvChannels = 256;  // of an item

}  // namespace

void CpuBackend::run_op(const ConvolveOp& op, const Step& step) {
  const Convolution& conv = *op.convolution;
  const BatchView& batch = step.batch;
  const int channels = op.x->columns;
  const std::size_t group = step.group(conv.cache.group);
  QUIRE_CHECK(op.out->columns == channels && conv.width > 0 &&
                  conv.weight.count == channels * conv.width,
              "a convolution of {} channels and width {} with {} weights into {}", channels,
              conv.width, conv.weight.count, op.out->columns);
  const CpuKvGroup& memory = step.kv.memory[group];
  const GroupView& view = batch.groups[group];
  const CpuBuffer& x = cpu(*op.x);
  CpuBuffer& out = cpu(*op.out);
  const int cuts = (channels + kConvChannels - 1) / kConvChannels;
  row_states_.resize(static_cast<std::size_t>(threads()));
  pool_.for_each(batch.rows() * cuts, [&](int item, int worker) {
    const RowStates states(batch, view, memory, conv.cache.layer, item / cuts, conv.state_begin);
    if (states.tokens() == 0) return;
    ConvTask task;
    task.tokens = states.tokens();
    task.channels = channels;
    task.width = conv.width;
    task.channel_begin = item % cuts * kConvChannels;
    task.channel_end = std::min(task.channel_begin + kConvChannels, channels);
    task.x = x.floats(states.first_token());
    task.x_stride = x.stride();
    task.weights = conv.weight.values.get();
    task.bias = conv.bias.values.get();
    task.out = out.floats(states.first_token());
    task.out_stride = out.stride();
    task.is_silu = conv.is_silu;
    task.state = states.before(0);
    if (states.is_new()) {
      for (int i = 0; i + 1 < conv.width; ++i) {
        std::fill(task.state + i * channels + task.channel_begin,
                  task.state + i * channels + task.channel_end, 0.0f);
      }
    }
    std::vector<float*>& pointers = row_states_[static_cast<std::size_t>(worker)];
    set_states(states, 0, pointers);
    task.states = pointers.empty() ? nullptr : pointers.data();
    kernels_.conv(task);
  });
  out.is_fresh = false;
}

// What the scan of a token needs beside its vectors: how much of the state stays, and the gain of
// what comes. Keys and queries of the delta rule are normalised in place.
void CpuBackend::scan_gates(const ScanOp& op, int token, float* decays, float* gains) const {
  const Recurrence& r = *op.recurrence;
  DecayTask task;
  const bool has_rows = r.kind == Recurrence::Kind::kDeltaRows;
  task.count = has_rows ? r.v_heads * r.k_dim : r.v_heads;
  task.x = cpu(*op.a).floats(token);
  task.bias = r.dt_bias.values.get();
  task.rates = r.rates.values.get();
  task.step_min = r.step_min;
  task.step_max = r.step_max;
  task.decays = decays;
  if (r.kind == Recurrence::Kind::kSsd) {
    task.steps = gains;
    return kernels_.decays(task);
  }
  kernels_.decays(task);
  kernels_.act(Activation::kSigmoid, cpu(*op.b).floats(token), r.v_heads, gains);
  float* q = cpu(*op.x).floats(token);
  float* k = q + r.k_heads * r.k_dim;
  const float scale = 1 / std::sqrt(static_cast<float>(r.k_dim));
  for (int head = 0; head < r.k_heads; ++head) {
    kernels_.l2norm(q + head * r.k_dim, r.eps, scale, r.k_dim, q + head * r.k_dim);
    kernels_.l2norm(k + head * r.k_dim, r.eps, 1, r.k_dim, k + head * r.k_dim);
  }
}

void CpuBackend::run_op(const ScanOp& op, const Step& step) {
  const Recurrence& r = *op.recurrence;
  const BatchView& batch = step.batch;
  const std::size_t group = step.group(r.cache.group);
  const CpuKvGroup& memory = step.kv.memory[group];
  const GroupView& view = batch.groups[group];
  const CpuBuffer& x = cpu(*op.x);
  CpuBuffer& out = cpu(*op.out);
  const bool has_rows = r.kind == Recurrence::Kind::kDeltaRows;
  const bool is_delta = r.kind != Recurrence::Kind::kSsd;
  const int heads = r.v_heads, keys = r.k_heads * r.k_dim, values = heads * r.v_dim;
  QUIRE_CHECK(op.x->columns == 2 * keys + values && op.out->columns == values,
              "a scan of {} heads of {} from {} columns into {}", heads, r.v_dim, op.x->columns,
              op.out->columns);
  const int decayed = has_rows ? heads * r.k_dim : heads;  // of a token
  QUIRE_CHECK(r.k_heads > 0 && heads % r.k_heads == 0 && op.a->columns == decayed &&
                  (!is_delta || op.b->columns == heads),
              "gates of {} heads for {}, {} of keys", op.a->columns, heads, r.k_heads);
  const auto count = static_cast<std::size_t>(batch.tokens() * decayed);
  const std::size_t all = count + static_cast<std::size_t>(batch.tokens() * heads);
  if (scan_gates_.count() < all) scan_gates_ = AlignedBuffer<float>(all);
  float* decays = scan_gates_.data();
  float* gains = decays + count;
  row_states_.resize(static_cast<std::size_t>(threads()));
  const int state_floats = scan_state_floats(r.k_dim, r.v_dim);
  // Columns of x: the delta rule has q, k, v in this order; ssd has v (x), k (B), q (C).
  const int q_begin = is_delta ? 0 : values + keys, k_begin = is_delta ? keys : values;
  const int v_begin = is_delta ? 2 * keys : 0;
  pool_.for_each_then(
      batch.tokens(),
      [&](int token, int) {
        scan_gates(op, token, decays + std::ptrdiff_t{token} * decayed, gains + token * heads);
      },
      batch.rows() * heads,
      [&](int item, int worker) {
        const int head = item % heads, offset = head * state_floats;
        const RowStates states(batch, view, memory, r.cache.layer, item / heads, r.state_begin);
        if (states.tokens() == 0) return;
        const int first = states.first_token();
        const int key_head = r.is_tiled ? head % r.k_heads : head / (heads / r.k_heads);
        const int key = key_head * r.k_dim;
        ScanTask task;
        task.tokens = states.tokens();
        task.k_dim = r.k_dim;
        task.v_dim = r.v_dim;
        task.q = x.floats(first) + q_begin + key;
        task.k = x.floats(first) + k_begin + key;
        task.v = x.floats(first) + v_begin + head * r.v_dim;
        task.out = out.floats(first) + head * r.v_dim;
        task.q_stride = task.k_stride = task.v_stride = x.stride();
        task.out_stride = out.stride();
        task.decays = decays + std::ptrdiff_t{first} * heads + head;
        if (has_rows) task.row_decays = decays + std::ptrdiff_t{first} * decayed + head * r.k_dim;
        task.gains = gains + std::ptrdiff_t{first} * heads + head;
        task.decay_stride = decayed;
        task.gain_stride = heads;
        task.skip = r.skip ? r.skip.values.get()[head] : 0;
        task.is_delta = is_delta;
        task.state = states.before(offset);
        if (states.is_new()) std::fill_n(task.state, state_floats, 0.0f);
        std::vector<float*>& pointers = row_states_[static_cast<std::size_t>(worker)];
        set_states(states, offset, pointers);
        task.states = pointers.empty() ? nullptr : pointers.data();
        kernels_.scan(task);
      });
  out.is_fresh = false;
}

}  // namespace quire
