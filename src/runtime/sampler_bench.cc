// One row of 151,936 logits through the sampler, for each kind of sampling: the figure to hold is
// well under a millisecond a row. Logits are normal with a few tall ones, as a model that is fairly
// sure of itself gives; "flat" ones have a nucleus of many thousand tokens.
#include <benchmark/benchmark.h>

#include <random>

#include "backend/testing/one_op.h"
#include "runtime/sampler.h"

namespace quire {
namespace {

constexpr int kVocab = 151936;

std::vector<float> logits_of(bool is_flat) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, is_flat ? 0.5f : 2.0f);
  std::vector<float> logits(kVocab);
  for (float& logit : logits) logit = normal(rng);
  if (!is_flat) {
    for (int i = 0; i < 50; ++i) logits[rng() % kVocab] = 8.0f + 0.2f * static_cast<float>(i);
  }
  return logits;
}

struct Case {
  const char* name;
  SamplingParams params;
  int logprobs = -1;
  bool is_masked = false;  // half of the vocabulary, by a grammar
  bool is_flat = false;
};

void sample(benchmark::State& state, const Case& sampling) {
  const auto backend = std::move(make_cpu_backend({.threads = 1})).value();
  Sampler sampler(*backend);
  const Buffer logits = backend->buffer(Rows::kWanted, 1, kVocab);
  testing::fill(logits, logits_of(sampling.is_flat));
  const std::vector<std::uint32_t> mask((kVocab + 31) / 32, 0x5a5a5a5a);
  std::vector<TokenId> history(600);
  for (std::size_t i = 0; i < history.size(); ++i) history[i] = static_cast<TokenId>(37 * i);
  SampleRow row;
  row.params = &sampling.params;
  row.logprobs = sampling.logprobs;
  row.history = history;
  row.prompt_count = 300;
  if (sampling.is_masked) row.mask = mask;
  for (auto _ : state) {
    ++row.position;
    benchmark::DoNotOptimize(sampler.sample({&row, 1}, logits));
  }
}

SamplingParams params_of(float temperature, int top_k, float top_p, float min_p) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  return params;
}

SamplingParams penalised() {
  SamplingParams params = params_of(0, 0, 1, 0);
  params.repetition_penalty = 1.1f;
  params.frequency_penalty = 0.2f;
  return params;
}

const Case kCases[] = {
    {"greedy", params_of(0, 0, 1, 0)},
    {"greedy, 5 log-probabilities", params_of(0, 0, 1, 0), 5},
    {"greedy, penalties", penalised()},
    {"greedy, masked", params_of(0, 0, 1, 0), -1, true},
    {"temperature", params_of(0.8f, 0, 1, 0)},
    {"temperature, top-k 40, top-p 0.95", params_of(0.8f, 40, 0.95f, 0)},
    {"temperature, top-p 0.95", params_of(0.8f, 0, 0.95f, 0)},
    {"temperature, min-p 0.05", params_of(0.8f, 0, 1, 0.05f)},
    {"temperature, top-p 0.95, 5 log-probabilities", params_of(0.8f, 0, 0.95f, 0), 5},
    {"flat: temperature", params_of(1, 0, 1, 0), -1, false, true},
    {"flat: temperature, top-p 0.95", params_of(1, 0, 0.95f, 0), -1, false, true},
    {"flat: temperature, min-p 0.05", params_of(1, 0, 1, 0.05f), -1, false, true},
};

const bool kRegistered = [] {
  for (const Case& sampling : kCases) {
    benchmark::RegisterBenchmark(sampling.name, [&sampling](benchmark::State& state) {
      sample(state, sampling);
    })->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace quire
