// Golden tests of tiny checkpoints of every kind of model against transformers in float32: the
// folder is written as Hugging Face has it, opened by the public path, and its log-probabilities
// and greedy ids compared. What is not served yet stands in the tables below and must be refused:
// no fixture is passed over in silence. Whoever serves a model takes its row away. Bounds are the
// worst that was measured times what stands beside them, and what was compared is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/engine_core.h"
#include "lab/eval.h"
#include "model/model_files.h"
#include "testbed.h"
#include "tiny_checkpoint.h"

namespace quire {
namespace {

using testing::Setting;
using testing::TempFolder;
using testing::TinyFixture;
using testing::TinySpelling;
using ::testing::HasSubstr;

// Of a log-probability. In F32 only the order of sums differs from the reference; with weights in
// BF16 products round the activations, which the reference does not.
constexpr double kErrorMax = 3 * 6.9e-6;         // weights and KV in F32
constexpr double kBf16ErrorMax = 1.5 * 1.17e-2;  // weights in BF16
constexpr float kMarginMin = 0.01f;              // greedy ids are compared where it is larger
constexpr int kGreedyMin = 20;                   // of 64; dynamic NTK stops at its context
constexpr std::size_t kFixturesMin = 28;

struct NotServed {
  std::string_view name;
  std::size_t spelling;  // 0: the fixture's own and so all of them
  std::string_view refusal;
};
constexpr NotServed kNotServed[] = {
    {"mistral", 2, "Mistral3ForConditionalGeneration"},
};

// The row of a spelling, or null.
const NotServed* not_served(const std::string& name, std::size_t spelling) {
  for (const NotServed& row : kNotServed) {
    if (row.name == name && (row.spelling == 0 || row.spelling == spelling)) return &row;
  }
  return nullptr;
}

Result<std::unique_ptr<ModelFiles>> open_tiny(const TinyFixture& fixture,
                                              const TinySpelling& spelling, DType dtype,
                                              const TempFolder& folder) {
  write_tiny_checkpoint(fixture, spelling, dtype, folder);
  return open_model(folder.path());
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

struct Agreement {
  double error_max = 0;      // of all log-probabilities of the fixture
  std::size_t positions = 0;  // whose next token was compared
  std::size_t rows = 0;       // whose whole distribution was
  int greedy_compared = 0;
  int greedy_equal = 0;
};

// Reads the whole text in chunks, as far as the model's context goes (the reference of dynamic NTK
// turns otherwise beyond). An id that is not the likeliest counts where the margin is large.
Agreement compare_text(LocalExecutor& executor, const TinyFixture& fixture,
                       std::uint32_t chunk_tokens) {
  const std::vector<TokenId> text = fixture.text();
  Agreement agreement;
  const auto compare = [&](std::size_t position, std::span<const float> logits) {
    const double logprob = token_logprob(logits, text[position + 1]);
    const double error = std::abs(logprob - fixture.next_logprobs[position]);
    agreement.error_max = std::max(agreement.error_max, std::isnan(error) ? HUGE_VAL : error);
    agreement.positions += 1;
    for (const testing::GoldenRow& row : fixture.rows) {
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

std::vector<TokenId> decode_greedily(LocalExecutor& executor, const TinyFixture& fixture) {
  EngineCore core({}, executor, nullptr);
  Request request;
  request.id = {1};
  request.prompt = fixture.decoded;
  request.encoder_input = fixture.encoder_input();
  request.params.temperature = 0;
  request.params.tokens_max = static_cast<int>(fixture.greedy.size());
  return testing::run_to_end(core, {{request}, {}}).at({1, 0}).tokens;
}

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
  return testing::run_to_end(core, {{request}, {}}).at({1, 0}).pooled;
}

class TinyTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { fixture_ = testing::read_tiny(GetParam()); }

  // Null after a refusal that the table expects, or after a failure.
  std::unique_ptr<ModelFiles> open(std::size_t spelling, DType dtype) {
    auto files = open_tiny(fixture_, fixture_.spellings[spelling], dtype, folder_);
    const NotServed* row = not_served(fixture_.name, spelling);
    if (row == nullptr) {
      EXPECT_TRUE(files.is_ok()) << files.status().message();
      return files.is_ok() ? std::move(files).value() : nullptr;
    }
    EXPECT_FALSE(files.is_ok()) << fixture_.name << " is served now: take it out of kNotServed";
    if (!files.is_ok()) {
      EXPECT_THAT(files.status().message(), HasSubstr(std::string(row->refusal)));
    }
    return nullptr;
  }

  static std::optional<Pool> pool_of(std::string_view name);

  std::unique_ptr<LocalExecutor> executor(const ModelFiles& files, const Setting& setting) {
    return testing::make_test_executor(
        files.design(), [&files](std::string_view name) { return files.find(name); }, setting);
  }

  // Every position that the model's context reaches, and enough greedy ids to tell anything.
  void expect_all_compared(const LocalExecutor& executor, const Agreement& agreement) {
    const std::size_t read = std::min<std::size_t>(fixture_.next_logprobs.size(),
                                                   executor.capacity().context_max);
    EXPECT_EQ(agreement.positions, read);
    const auto is_read = [&](const testing::GoldenRow& row) { return row.position < read; };
    EXPECT_EQ(agreement.rows, static_cast<std::size_t>(std::count_if(
                                  fixture_.rows.begin(), fixture_.rows.end(), is_read)));
    EXPECT_GT(agreement.rows, 0u);
    EXPECT_GE(agreement.greedy_compared, kGreedyMin);
  }

  // The largest difference of a pooled vector, of every kind of pooling.
  double pooled_error(const ModelFiles& files, DType kv_dtype) {
    double error_max = 0;
    for (const auto& [name, values] : fixture_.pooled) {
      const std::optional<Pool> pool = pool_of(name);
      if (!pool) continue;
      const auto model = executor(files, {.kv_dtype = kv_dtype, .pool = pool});
      const std::vector<float> pooled = pool_text(*model, fixture_);
      EXPECT_EQ(pooled.size(), values.size()) << name;
      for (std::size_t i = 0; i < std::min(pooled.size(), values.size()); ++i) {
        error_max = std::max<double>(error_max, std::abs(pooled[i] - values[i]));
      }
    }
    return error_max;
  }

  TempFolder folder_;
  TinyFixture fixture_;
};

// Of what a fixture calls it; "pooler" is a head of another task.
std::optional<Pool> TinyTest::pool_of(std::string_view name) {
  if (name == "cls") return Pool::kFirst;
  if (name == "mean") return Pool::kMean;
  if (name == "last") return Pool::kLast;
  EXPECT_EQ(name, "pooler");
  return std::nullopt;
}

TEST_P(TinyTest, EqualsTheReferenceInFloat32) {
  const auto files = open(0, DType::kF32);
  if (files == nullptr) {
    std::printf("FIGURE %s: not served yet\n", GetParam().c_str());
    return;
  }
  if (fixture_.kind == "encoder") {
    const double error = pooled_error(*files, DType::kF32);
    std::printf("FIGURE %s: largest error of a pooled vector %.2e (below %.0e)\n",
                GetParam().c_str(), error, kErrorMax);
    EXPECT_LT(error, kErrorMax);
    return;
  }
  const auto model = executor(*files, {.kv_dtype = DType::kF32});
  for (const std::uint32_t chunk : {~0u, 7u}) {
    const Agreement agreement = compare_text(*model, fixture_, chunk);
    EXPECT_LT(agreement.error_max, kErrorMax);
    expect_all_compared(*model, agreement);
    EXPECT_EQ(agreement.greedy_equal, agreement.greedy_compared);
    if (chunk == 7) continue;
    std::printf("FIGURE %s: largest error of a log-probability %.2e (below %.1e), %d of %d greedy "
                "ids equal\n", GetParam().c_str(), agreement.error_max, kErrorMax,
                agreement.greedy_equal, agreement.greedy_compared);
  }
  std::vector<TokenId> expected = fixture_.greedy, decoded = decode_greedily(*model, fixture_);
  expected.resize(std::min(expected.size(),
                           model->capacity().context_max - fixture_.prompt.size()));
  decoded.resize(expected.size());  // the last one may be answered at the end of the context
  EXPECT_GE(expected.size(), std::size_t{kGreedyMin});
  EXPECT_EQ(decoded, expected);
}

TEST_P(TinyTest, StaysNearTheReferenceWithBf16Weights) {
  const auto files = open(0, DType::kBF16);
  if (files == nullptr) return;
  if (fixture_.kind == "encoder") {
    const double error = pooled_error(*files, DType::kF16);
    std::printf("FIGURE %s: largest error of a pooled vector %.2e with bf16 weights (below %.1e)\n",
                GetParam().c_str(), error, kBf16ErrorMax);
    EXPECT_LT(error, kBf16ErrorMax);
    return;
  }
  const auto model = executor(*files, {});
  const Agreement agreement = compare_text(*model, fixture_, ~0u);
  std::printf("FIGURE %s: largest error of a log-probability %.2e with bf16 weights (below %.1e)\n",
              GetParam().c_str(), agreement.error_max, kBf16ErrorMax);
  EXPECT_LT(agreement.error_max, kBf16ErrorMax);
  expect_all_compared(*model, agreement);
}

TEST_P(TinyTest, IsTheSameModelInEverySpelling) {
  const auto files = open(0, DType::kF32);
  if (files == nullptr || fixture_.kind == "encoder") return;  // which has one spelling
  const auto model = executor(*files, {.kv_dtype = DType::kF32});
  std::vector<std::vector<float>> expected;
  auto text = fixture_.text();
  text.resize(std::min<std::size_t>(text.size(), model->capacity().context_max));
  compute_logits(*model, text, ~0u, [&](std::size_t, std::span<const float> logits) {
    expected.emplace_back(logits.begin(), logits.end());
  }, fixture_.encoder_input());
  for (std::size_t i = 1; i < fixture_.spellings.size(); ++i) {
    const auto others = open(i, DType::kF32);
    if (others == nullptr) continue;
    const auto other = executor(*others, {.kv_dtype = DType::kF32});
    std::size_t equal = 0;
    compute_logits(*other, text, ~0u, [&](std::size_t position, std::span<const float> logits) {
      equal += std::equal(logits.begin(), logits.end(), expected[position].begin());
    }, fixture_.encoder_input());
    EXPECT_EQ(equal, text.size()) << "spelling " << i;
  }
}

std::string name_of(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Golden, TinyTest, ::testing::ValuesIn(testing::tiny_names()), name_of);

TEST(TinyTablesTest, NameFixturesThatAreThere) {
  const auto names = testing::tiny_names();
  EXPECT_GE(names.size(), kFixturesMin);
  for (const NotServed& row : kNotServed) {
    EXPECT_THAT(names, ::testing::Contains(std::string(row.name)));
  }
}

}  // namespace
}  // namespace quire
