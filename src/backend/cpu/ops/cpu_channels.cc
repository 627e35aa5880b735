// CpuBackend's recurrent layers whose channels do not see each other: the selective scan and the
// gated linear unit, from the state that a row's table names to the states after its last tokens.
// Items are rows and runs of channels: who computes leaves no trace.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/ops/row_states.h"

namespace quire {
namespace {

constexpr int kItemChannels = 64;  // a multiple of the lanes of every table

// The columns of a run of channels, which begins after `begin` of `channels`, in `rows` rows.
void clear_columns(float* state, int rows, int channels, int begin, int end) {
  for (int row = 0; row < rows; ++row) {
    float* at = state + static_cast<std::ptrdiff_t>(row) * channels;
    std::fill(at + begin, at + end, 0.0f);
  }
}

}  // namespace

void CpuBackend::run_op(const SelectiveOp& op, const Step& step) {
  const Selective& s = *op.selective;
  const BatchView& batch = step.batch;
  const int channels = op.x->columns;
  const std::size_t group = step.group(s.cache.group);
  QUIRE_CHECK(s.rows > 0 && s.rates.count == s.rows * channels && s.bias.count == channels &&
                  s.skip.count == channels,
              "a scan of {} channels of {} with {} rates", channels, s.rows, s.rates.count);
  QUIRE_CHECK(op.steps->columns == channels && op.out->columns == channels &&
                  op.keys->columns == s.rows && op.queries->columns == s.rows,
              "a scan of {} channels with {} steps and {} keys", channels, op.steps->columns,
              op.keys->columns);
  const CpuBuffer &x = cpu(*op.x), &steps = cpu(*op.steps);
  const CpuBuffer &keys = cpu(*op.keys), &queries = cpu(*op.queries);
  CpuBuffer& out = cpu(*op.out);
  const int cuts = (channels + kItemChannels - 1) / kItemChannels;
  row_states_.resize(static_cast<std::size_t>(threads()));
  pool_.for_each(batch.rows() * cuts, [&](int item, int worker) {
    const RowStates states(batch, batch.groups[group], step.kv.memory[group], s.cache.layer,
                           item / cuts, s.state_begin);
    if (states.tokens() == 0) return;
    const int first = states.first_token();
    SelectiveTask task;
    task.tokens = states.tokens();
    task.channels = channels;
    task.rows = s.rows;
    task.channel_begin = item % cuts * kItemChannels;
    task.channel_end = std::min(task.channel_begin + kItemChannels, channels);
    task.x = x.floats(first), task.x_stride = x.stride();
    task.steps = steps.floats(first), task.step_stride = steps.stride();
    task.keys = keys.floats(first), task.key_stride = keys.stride();
    task.queries = queries.floats(first), task.query_stride = queries.stride();
    task.out = out.floats(first), task.out_stride = out.stride();
    task.bias = s.bias.values.get();
    task.rates = s.rates.values.get();
    task.skip = s.skip.values.get();
    task.state = states.before(0);
    if (states.is_new()) {
      clear_columns(task.state, s.rows, channels, task.channel_begin, task.channel_end);
    }
    std::vector<float*>& pointers = row_states_[static_cast<std::size_t>(worker)];
    set_states(states, 0, pointers);
    task.states = pointers.empty() ? nullptr : pointers.data();
    kernels_.selective(task);
  });
  out.is_fresh = false;
}

void CpuBackend::run_op(const GatedUnitOp& op, const Step& step) {
  const GatedUnit& unit = *op.unit;
  const BatchView& batch = step.batch;
  const int channels = op.x->columns;
  const std::size_t group = step.group(unit.cache.group);
  QUIRE_CHECK(unit.rates.count == channels && unit.input_bias.count == channels &&
                  unit.gate_bias.count == channels && op.inputs->columns == channels &&
                  op.gates->columns == channels && op.out->columns == channels,
              "a gated unit of {} channels with {} rates, {} gates", channels, unit.rates.count,
              op.gates->columns);
  const CpuBuffer &x = cpu(*op.x), &inputs = cpu(*op.inputs), &gates = cpu(*op.gates);
  CpuBuffer& out = cpu(*op.out);
  const int cuts = (channels + kItemChannels - 1) / kItemChannels;
  row_states_.resize(static_cast<std::size_t>(threads()));
  pool_.for_each(batch.rows() * cuts, [&](int item, int worker) {
    const RowStates states(batch, batch.groups[group], step.kv.memory[group], unit.cache.layer,
                           item / cuts, unit.state_begin);
    if (states.tokens() == 0) return;
    const int first = states.first_token();
    GatedUnitTask task;
    task.tokens = states.tokens();
    task.channel_begin = item % cuts * kItemChannels;
    task.channel_end = std::min(task.channel_begin + kItemChannels, channels);
    task.x = x.floats(first), task.x_stride = x.stride();
    task.inputs = inputs.floats(first), task.input_stride = inputs.stride();
    task.gates = gates.floats(first), task.gate_stride = gates.stride();
    task.out = out.floats(first), task.out_stride = out.stride();
    task.input_bias = unit.input_bias.values.get();
    task.gate_bias = unit.gate_bias.values.get();
    task.rates = unit.rates.values.get();
    task.is_new = states.is_new();
    task.state = states.before(0);
    if (task.is_new) clear_columns(task.state, 1, channels, task.channel_begin, task.channel_end);
    std::vector<float*>& pointers = row_states_[static_cast<std::size_t>(worker)];
    set_states(states, 0, pointers);
    task.states = pointers.empty() ? nullptr : pointers.data();
    kernels_.gated_unit(task);
  });
  out.is_fresh = false;
}

}  // namespace quire
