// Golden tests of tiny checkpoints of every kind of model against transformers in float32: the
// folder is written as Hugging Face has it, opened by the public path, and its log-probabilities
// and greedy ids compared. What is not served yet stands in the tables below and must be refused:
// no fixture is passed over in silence. Whoever serves a model takes its row away. Bounds are the
// worst that was measured times what stands beside them, and what was compared is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "engine/engine_core.h"
#include "lab/eval.h"
#include "model/model_files.h"
#include "testbed.h"
#include "tiny_checkpoint.h"
#include "tiny_compare.h"

namespace quire {
namespace {

using testing::Agreement;
using testing::compare_text;
using testing::expect_all_compared;
using testing::kBf16ErrorMax;
using testing::kErrorMax;
using testing::kFp8KvErrorMax;
using testing::kGreedyMin;
using testing::kInt4KvErrorMax;
using testing::Setting;
using testing::TempFolder;
using testing::TinyFixture;
using testing::TinySpelling;
using ::testing::HasSubstr;

constexpr std::size_t kFixturesMin = 50;

struct NotServed {
  std::string_view name;
  std::size_t spelling;  // 0: the fixture's own and so all of them
  std::string_view refusal;
};
constexpr std::array<NotServed, 0> kNotServed = {};

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

  // Of an encoder in its other spellings.
  void expect_same_vectors() {
    for (std::size_t i = 1; i < fixture_.spellings.size(); ++i) {
      const auto others = open(i, DType::kF32);
      if (others == nullptr) continue;
      EXPECT_LT(testing::pooled_error(*others, fixture_, DType::kF32),
                testing::pooled_error_max(fixture_)) << "spelling " << i;
    }
  }

  TempFolder folder_;
  TinyFixture fixture_;
};

TEST_P(TinyTest, EqualsTheReferenceInFloat32) {
  const auto files = open(0, DType::kF32);
  if (files == nullptr) {
    std::printf("FIGURE %s: not served yet\n", GetParam().c_str());
    return;
  }
  if (fixture_.kind == "encoder") {
    const double error = testing::pooled_error(*files, fixture_, DType::kF32);
    const double bound = testing::pooled_error_max(fixture_);
    std::printf("FIGURE %s: largest error of a pooled vector %.2e (below %.0e)\n",
                GetParam().c_str(), error, bound);
    EXPECT_LT(error, bound);
    return;
  }
  if (fixture_.kind == "encoder_decoder") {
    EXPECT_EQ(files->facts().words.decoder_start, fixture_.decoded);
  }
  const auto model = testing::executor_of(*files, {.kv_dtype = DType::kF32});
  for (const std::uint32_t chunk : {~0u, 7u}) {
    const Agreement agreement = compare_text(*model, fixture_, chunk);
    EXPECT_LT(agreement.error_max, kErrorMax);
    expect_all_compared(*model, fixture_, agreement);
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
    const double error = testing::pooled_error(*files, fixture_, DType::kF16);
    std::printf("FIGURE %s: largest error of a pooled vector %.2e with bf16 weights (below %.1e)\n",
                GetParam().c_str(), error, kBf16ErrorMax);
    EXPECT_LT(error, kBf16ErrorMax);
    return;
  }
  const auto model = testing::executor_of(*files, {});
  const Agreement agreement = compare_text(*model, fixture_, ~0u);
  std::printf("FIGURE %s: largest error of a log-probability %.2e with bf16 weights (below %.1e)\n",
              GetParam().c_str(), agreement.error_max, kBf16ErrorMax);
  EXPECT_LT(agreement.error_max, kBf16ErrorMax);
  expect_all_compared(*model, fixture_, agreement);
}

// Keys and values of few bits: far from the reference, but of the same model.
TEST_P(TinyTest, StaysInSightOfTheReferenceWithSmallKv) {
  const auto files = open(0, DType::kF32);
  if (files == nullptr || fixture_.kind == "encoder") return;
  const bool has_latent = !check_kv_types(files->facts(), {DType::kI8, DType::kQ4_1}).is_ok();
  const KvTypes mixed = {DType::kI8, has_latent ? DType::kI8 : DType::kQ4_1};
  for (const auto& [types, bound] : {std::pair{KvTypes(DType::kF8), kFp8KvErrorMax},
                                     std::pair{mixed, kInt4KvErrorMax},
                                     std::pair{KvTypes(DType::kQ4_1), kInt4KvErrorMax}}) {
    const auto model = testing::executor_of(*files, {.kv_dtype = types});
    const Agreement agreement = compare_text(*model, fixture_, ~0u);
    EXPECT_LT(agreement.error_max, bound) << kv_types_name(types);
    std::printf("FIGURE %s: largest error of a log-probability %.1e with KV of %s\n",
                GetParam().c_str(), agreement.error_max, kv_types_name(types).c_str());
  }
}

TEST_P(TinyTest, IsTheSameModelInEverySpelling) {
  const auto files = open(0, DType::kF32);
  if (files == nullptr) return;
  if (fixture_.kind == "encoder") return expect_same_vectors();
  const auto model = testing::executor_of(*files, {.kv_dtype = DType::kF32});
  std::vector<std::vector<float>> expected;
  auto text = fixture_.text();
  text.resize(std::min<std::size_t>(text.size(), model->capacity().context_max));
  compute_logits(*model, text, ~0u, [&](std::size_t, std::span<const float> logits) {
    expected.emplace_back(logits.begin(), logits.end());
  }, fixture_.encoder_input());
  for (std::size_t i = 1; i < fixture_.spellings.size(); ++i) {
    const auto others = open(i, DType::kF32);
    if (others == nullptr) continue;
    const auto other = testing::executor_of(*others, {.kv_dtype = DType::kF32});
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
