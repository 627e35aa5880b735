#include "kernels/reference.h"

#include <algorithm>
#include <cmath>

#include "kernels/dequantize.h"
#include "tensor/float_bits.h"

namespace quire::reference {

double dot(DType dtype, const std::byte* row, std::span<const float> x) {
  std::vector<float> weights(x.size());
  dequantize_row(dtype, row, x.size(), weights.data());
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) sum += double{weights[k]} * double{x[k]};
  return sum;
}

std::vector<float> values(std::span<const ActivationBlock> blocks) {
  std::vector<float> x;
  for (const ActivationBlock& block : blocks) {
    for (std::int8_t code : block.codes) x.push_back(block.scale * static_cast<float>(code));
  }
  return x;
}

std::vector<float> values(const ChannelToken& token, std::size_t columns) {
  std::vector<float> x;
  for (std::size_t i = 0; i < columns; ++i) {
    x.push_back(token.scale * static_cast<float>(token.codes()[i]));
  }
  return x;
}

std::vector<float> rounded_to_bf16(std::span<const float> x) {
  std::vector<float> y;
  for (float value : x) y.push_back(bf16_to_float(float_to_bf16(value)));
  return y;
}

std::vector<double> rmsnorm(std::span<const float> x, std::span<const float> weight, double eps) {
  double sum = 0;
  for (float value : x) sum += double{value} * double{value};
  const double scale = 1 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) y.push_back(x[i] * scale * weight[i]);
  return y;
}

std::vector<double> silu_mul(std::span<const float> gate, std::span<const float> up) {
  std::vector<double> y;
  for (std::size_t i = 0; i < gate.size(); ++i) {
    y.push_back(gate[i] / (1 + std::exp(-double{gate[i]})) * up[i]);
  }
  return y;
}

std::vector<double> rope(std::span<const float> x, std::span<const float> cosines,
                         std::span<const float> sines, bool adjacent) {
  std::vector<double> y(x.size());
  const std::size_t half = x.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const std::size_t a = adjacent ? 2 * i : i, b = adjacent ? 2 * i + 1 : i + half;
    y[a] = double{x[a]} * cosines[i] - double{x[b]} * sines[i];
    y[b] = double{x[a]} * sines[i] + double{x[b]} * cosines[i];
  }
  return y;
}

std::vector<double> layernorm(std::span<const float> x, std::span<const float> weight,
                              std::span<const float> bias, double eps) {
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (float value : x) mean += double{value} / count;
  for (float value : x) variance += (value - mean) * (value - mean) / count;
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double normal = (x[i] - mean) / std::sqrt(variance + eps);
    y.push_back(normal * (weight.empty() ? 1 : weight[i]) + (bias.empty() ? 0 : bias[i]));
  }
  return y;
}

std::vector<double> l2norm(std::span<const float> x, double eps, double scale) {
  double sum = 0;
  for (float value : x) sum += double{value} * double{value};
  std::vector<double> y;
  for (float value : x) y.push_back(value * scale / std::sqrt(sum + eps));
  return y;
}

double activation(Activation kind, double x) {
  switch (kind) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGelu:
      return x * 0.5 * std::erfc(-x * std::sqrt(0.5));
    case Activation::kGeluTanh:
      return x * 0.5 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(0.0, x);
    case Activation::kReluSquared:
      return std::max(0.0, x) * std::max(0.0, x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSoftplus:
      return x > 30 ? x : std::log1p(std::exp(x));
    case Activation::kExp:
      return std::exp(x);
    case Activation::kNone:
      return x;
  }
  return 0;
}

std::vector<double> softmax(std::span<const float> x) {
  const double all = logsumexp(x);
  std::vector<double> y;
  for (float value : x) y.push_back(std::exp(value - all));
  return y;
}

std::vector<double> attention(std::span<const float> q, std::span<const float> k,
                              std::span<const float> v, int head_dim, int first, int last,
                              double scale, const ScoreTerms& terms) {
  const auto dim = static_cast<std::size_t>(head_dim);
  const auto v_dim = terms.v_dim == 0 ? dim : static_cast<std::size_t>(terms.v_dim);
  const int own = terms.position < 0 ? last : terms.position;
  std::vector<double> scores;
  for (int position = first; position <= last; ++position) {
    double score = 0;
    const std::size_t at = static_cast<std::size_t>(position) * dim;
    for (std::size_t d = 0; d < dim; ++d) score += double{q[d]} * double{k[at + d]};
    score *= scale;
    if (terms.softcap != 0) score = terms.softcap * std::tanh(score / terms.softcap);
    score += terms.slope * (position - own);
    if (terms.bias != nullptr) score += double{terms.bias[position - own]};
    scores.push_back(score);
  }
  double peak = *std::max_element(scores.begin(), scores.end());
  if (terms.sink != nullptr) peak = std::max(peak, double{*terms.sink});
  double total = terms.sink == nullptr ? 0 : std::exp(*terms.sink - peak);
  std::vector<double> out(v_dim);
  for (int position = first; position <= last; ++position) {
    const double weight = std::exp(scores[static_cast<std::size_t>(position - first)] - peak);
    total += weight;
    for (std::size_t d = 0; d < v_dim; ++d) {
      out[d] += weight * v[static_cast<std::size_t>(position) * v_dim + d];
    }
  }
  for (double& value : out) value /= total;
  return out;
}

std::vector<double> scan(const ScanInput& input, std::vector<double>& state) {
  const std::size_t rows = input.k.size(), columns = input.v.size();
  std::vector<double> out(columns);
  for (std::size_t j = 0; j < columns; ++j) {
    double answer = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      state[i * columns + j] *= input.row_decays.empty() ? input.decay : input.row_decays[i];
      answer += state[i * columns + j] * input.k[i];
    }
    const double change = input.gain * (input.v[j] - (input.is_delta ? answer : 0));
    out[j] = input.skip * input.v[j];
    for (std::size_t i = 0; i < rows; ++i) {
      state[i * columns + j] += change * input.k[i];
      out[j] += state[i * columns + j] * input.q[i];
    }
  }
  return out;
}

std::vector<double> selective(const SelectiveInput& input, std::vector<double>& state) {
  const std::size_t channels = input.x.size(), rows = input.keys.size();
  std::vector<double> out(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double step = activation(Activation::kSoftplus, double{input.steps[c]} + input.bias[c]);
    out[c] = double{input.skip[c]} * input.x[c];
    for (std::size_t n = 0; n < rows; ++n) {
      double& s = state[n * channels + c];
      s = s * std::exp(input.rates[n * channels + c] * step) + step * input.x[c] * input.keys[n];
      out[c] += s * input.queries[n];
    }
  }
  return out;
}

void gated_unit(const GatedUnitInput& input, std::vector<double>& state) {
  for (std::size_t c = 0; c < state.size(); ++c) {
    const double gate =
        activation(Activation::kSigmoid, double{input.gates[c]} + input.gate_bias[c]);
    const double a = std::exp(input.rates[c] * gate);
    const double root = input.is_new ? 1 : std::sqrt(1 - a * a);
    const double let =
        activation(Activation::kSigmoid, double{input.inputs[c]} + input.input_bias[c]);
    state[c] = a * state[c] + root * let * input.x[c];
  }
}

double logsumexp(std::span<const float> logits) {
  const double peak = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (float logit : logits) total += std::exp(double{logit} - peak);
  return peak + std::log(total);
}

}  // namespace quire::reference
