#include "serve/answer/vectors.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace quire {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

float sigmoid(float x) { return static_cast<float>(1 / (1 + std::exp(-double{x}))); }

void make_shares(std::vector<float>& scores) {
  const float highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const float score : scores) sum += std::exp(double{score} - double{highest});
  for (float& score : scores) {
    score = static_cast<float>(std::exp(double{score} - double{highest}) / sum);
  }
}

}  // namespace

void PooledVectors::take(std::size_t request, const TokenEvent& event) {
  if (!event.pooled.empty()) vectors_[request] = event.pooled;
  if (event.is_last) tokens_ += event.usage.prompt_tokens;
}

void normalise(std::vector<float>& vector) {
  const double length = std::sqrt(dot(vector, vector));
  if (length <= 0) return;
  for (float& value : vector) value = static_cast<float>(double{value} / length);
}

float cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? static_cast<float>(dot(a, b) / lengths) : 0;
}

void make_probabilities(const PooledInfo& info, std::vector<float>& scores) {
  if (scores.empty() || info.words.problem == "regression") return;
  if (scores.size() > 1 && info.words.problem != "multi_label_classification") {
    return make_shares(scores);
  }
  for (float& score : scores) score = sigmoid(score);
}

float pair_score(const PooledInfo& info, float score) {
  return info.words.activation.ends_with("Identity") ? score : sigmoid(score);
}

}  // namespace quire
