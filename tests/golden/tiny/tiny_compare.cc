#include "tiny_compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/engine_core.h"
#include "lab/eval.h"

namespace quire::testing {
namespace {

// The vector of the text, or of the pair whose second text begins where the types change.
std::vector<float> pool_text(LocalExecutor& executor, const TinyFixture& fixture) {
  EngineCore core({}, executor, nullptr);
  Request request;
  request.id = {1};
  request.prompt = fixture.prompt;
  request.is_pooled = true;
  request.params.tokens_max = 0;
  const auto second = std::find(fixture.token_types.begin(), fixture.token_types.end(), 1);
  request.second_segment =
      static_cast<std::uint32_t>(second - fixture.token_types.begin()) % request.prompt.size();
  return run_to_end(core, {{request}, {}}).at({1, 0}).pooled;
}

// Of what a fixture calls it. A classifier's logits and an embedding are as the files say.
std::optional<Pool> pool_of(std::string_view name) {
  if (name == "cls") return Pool::kFirst;
  if (name == "mean") return Pool::kMean;
  if (name == "last") return Pool::kLast;
  EXPECT_TRUE(name == "logits" || name == "embedding") << name;
  return std::nullopt;
}

void scale_to_length_one(std::vector<float>& vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * value;
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
}

}  // namespace

std::unique_ptr<LocalExecutor> executor_of(const ModelFiles& files, const Setting& setting) {
  return make_test_executor(
      files.design(), [&files](std::string_view name) { return files.find(name); }, setting);
}

double largest_difference(std::span<const float> logits, std::span<const float> logprobs) {
  const double total = logits[0] - token_logprob(logits, 0);
  double largest = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double error = std::abs(logits[i] - total - logprobs[i]);
    largest = std::isnan(error) ? HUGE_VAL : std::max(largest, error);
  }
  return largest;
}

Agreement compare_text(LocalExecutor& executor, const TinyFixture& fixture,
                       std::uint32_t chunk_tokens) {
  const std::vector<TokenId> text = fixture.text();
  Agreement agreement;
  const auto compare = [&](std::size_t position, std::span<const float> logits) {
    const double logprob = token_logprob(logits, text[position + 1]);
    const double error = std::abs(logprob - fixture.next_logprobs[position]);
    agreement.error_max = std::max(agreement.error_max, std::isnan(error) ? HUGE_VAL : error);
    agreement.positions += 1;
    for (const GoldenRow& row : fixture.rows) {
      if (row.position != position) continue;
      EXPECT_EQ(row.values.size(), logits.size());
      agreement.error_max = std::max(agreement.error_max, largest_difference(logits, row.values));
      agreement.rows += 1;
    }
    const std::size_t next = position + 1;
    if (next < fixture.decoded.size()) return;
    if (fixture.margins[next - fixture.decoded.size()] <= kMarginMin) return;
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    agreement.greedy_compared += 1;
    agreement.greedy_equal += best == text[next];
  };
  const std::size_t read =
      std::min<std::size_t>(text.size() - 1, executor.capacity().context_max);
  compute_logits(executor, std::span(text).first(read), chunk_tokens, compare,
                 fixture.encoder_input());
  return agreement;
}

void expect_all_compared(const LocalExecutor& executor, const TinyFixture& fixture,
                         const Agreement& agreement) {
  const std::size_t read =
      std::min<std::size_t>(fixture.next_logprobs.size(), executor.capacity().context_max);
  EXPECT_EQ(agreement.positions, read);
  const auto is_read = [&](const GoldenRow& row) { return row.position < read; };
  EXPECT_EQ(agreement.rows, static_cast<std::size_t>(std::count_if(
                                fixture.rows.begin(), fixture.rows.end(), is_read)));
  EXPECT_GT(agreement.rows, 0u);
  EXPECT_GE(agreement.greedy_compared, kGreedyMin);
}

double pooled_error_max(const TinyFixture& fixture) {
  return fixture.pooled.at(0).first == "logits" ? kLabelErrorMax : kPooledErrorMax;
}

double pooled_error(const ModelFiles& files, const TinyFixture& fixture, DType kv_dtype,
                    bool is_of_gguf) {
  double error_max = 0;
  for (const auto& [name, values] : fixture.pooled) {
    const auto model = executor_of(files, {.kv_dtype = kv_dtype, .pool = pool_of(name)});
    std::vector<float> pooled = pool_text(*model, fixture);
    if (is_of_gguf && name == "embedding") scale_to_length_one(pooled);
    EXPECT_EQ(pooled.size(), values.size()) << name;
    for (std::size_t i = 0; i < std::min(pooled.size(), values.size()); ++i) {
      error_max = std::max<double>(error_max, std::abs(pooled[i] - values[i]));
    }
  }
  return error_max;
}

}  // namespace quire::testing
