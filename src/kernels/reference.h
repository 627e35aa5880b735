// Oracles: every kernel as its plain definition in double precision, for tests over all tables.
// Slow on purpose; each reads like the formula. They allocate, so they are no KernelTable.
// Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

// One query over the keys and values of positions [first, last]: k, v: [positions, head_dim].
std::vector<double> attention(std::span<const float> q, std::span<const float> k,
                              std::span<const float> v, int head_dim, int first, int last,
                              double scale);

double logsumexp(std::span<const float> logits);

}  // namespace quire::reference
