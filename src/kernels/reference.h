// Oracles: every kernel as its plain definition in double precision, for tests over all tables.
// Slow on purpose; each reads like the formula. They allocate, so they are no KernelTable.
// Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "tensor/dtype.h"
#include "tensor/quant_blocks.h"

namespace quire::reference {

// sum of weight[k] * x[k] over a row of any DType
double dot(DType dtype, const std::byte* row, std::span<const float> x);

// The values that a kernel sees behind an activation form.
std::vector<float> values(std::span<const ActivationBlock> blocks);
std::vector<float> values(const ChannelToken& token, std::size_t columns);
std::vector<float> rounded_to_bf16(std::span<const float> x);

std::vector<double> rmsnorm(std::span<const float> x, std::span<const float> weight, double eps);
std::vector<double> silu_mul(std::span<const float> gate, std::span<const float> up);
// cosines and sines: [head_dim / 2]
std::vector<double> rope(std::span<const float> x, std::span<const float> cosines,
                         std::span<const float> sines, bool adjacent);

// bias and weight may be empty
std::vector<double> layernorm(std::span<const float> x, std::span<const float> weight,
                              std::span<const float> bias, double eps);
std::vector<double> l2norm(std::span<const float> x, double eps, double scale);
double activation(Activation kind, double x);
std::vector<double> softmax(std::span<const float> x);

// What may be added to the plain scores q * k * scale; see AttentionTask.
struct ScoreTerms {
  int v_dim = 0;      // 0: head_dim
  int position = -1;  // of the query; -1: last
  double softcap = 0, slope = 0;
  const float* bias = nullptr;   // of distance 0
  const float* sink = nullptr;
};
// One query over the keys and values of positions [first, last]: k: [positions, head_dim],
// v: [positions, v_dim].
std::vector<double> attention(std::span<const float> q, std::span<const float> k,
                              std::span<const float> v, int head_dim, int first, int last,
                              double scale, const ScoreTerms& terms = {});

// One token of ScanTask: changes the state [k_dim, v_dim] and returns what q reads.
struct ScanInput {
  std::span<const float> q, k, v;
  double decay = 1, gain = 1, skip = 0;
  bool is_delta = false;
  std::span<const float> row_decays = {};  // of each row of the state, instead of decay
};
std::vector<double> scan(const ScanInput& input, std::vector<double>& state);

// One token of SelectiveTask: changes the state [rows, channels].
struct SelectiveInput {
  std::span<const float> x, steps, bias, skip;  // [channels]
  std::span<const float> keys, queries;         // [rows]
  std::span<const float> rates;                 // [rows, channels]
};
std::vector<double> selective(const SelectiveInput& input, std::vector<double>& state);

// One token of GatedUnitTask, whose output is the state.
struct GatedUnitInput {
  std::span<const float> x, inputs, gates, input_bias, gate_bias, rates;  // [channels]
  bool is_new = false;
};
void gated_unit(const GatedUnitInput& input, std::vector<double>& state);

double logsumexp(std::span<const float> logits);

}  // namespace quire::reference
