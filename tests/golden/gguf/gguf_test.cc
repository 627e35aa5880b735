// Golden tests of GGUF: every tiny fixture is written as the converter of llama.cpp would write it,
// opened by the public path, and compared with the reference of transformers within the bounds of
// tiny_test. Where such a file cannot say something that the fixture has, the model that it does
// hold is compared instead: the same checkpoint with that value, as Hugging Face has it, whose
// reader tiny_test compares. Fixtures without a form are counted and say why.
#include <gtest/gtest.h>

#include <cstdio>

#include "gguf_form.h"
#include "lab/eval.h"
#include "model/model_files.h"
#include "tiny_checkpoint.h"
#include "tiny_compare.h"

namespace quire {
namespace {

using testing::GgufForm;
using testing::kErrorMax;
using testing::TempFolder;
using testing::TinyFixture;

constexpr std::uint32_t kContext = 512;  // some files say much more
constexpr std::size_t kFormsMin = 106;   // of 146 fixtures

class GgufTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    fixture_ = testing::read_tiny(GetParam());
    form_ = testing::gguf_form(fixture_);
  }

  std::unique_ptr<ModelFiles> open_gguf() {
    auto files = open_model(folder_.write("model.gguf", gguf_bytes(fixture_, form_)));
    EXPECT_TRUE(files.is_ok()) << files.status().message();
    return files.is_ok() ? std::move(files).value() : nullptr;
  }

  std::unique_ptr<LocalExecutor> executor(const ModelFiles& files) {
    const auto said = static_cast<std::uint32_t>(files.design().facts.context_max);
    return testing::executor_of(
        files, {.kv_dtype = DType::kF32, .context_max = std::min(kContext, said)});
  }

  // What the same checkpoint gives with the values that the file implies.
  std::vector<std::vector<float>> implied_logprobs(std::span<const TokenId> text) {
    const testing::TinySpelling spelling = {form_.config, fixture_.spellings.front().rename};
    testing::write_tiny_checkpoint(fixture_, spelling, DType::kF32, implied_folder_);
    const auto files = open_model(implied_folder_.path());
    std::vector<std::vector<float>> rows;
    if (!files.is_ok()) ADD_FAILURE() << files.status().message();
    if (!files.is_ok()) return rows;
    compute_logits(*executor(**files), text, ~0u, [&](std::size_t, std::span<const float> logits) {
      std::vector<float>& row = rows.emplace_back(logits.begin(), logits.end());
      const double total = logits[0] - token_logprob(logits, 0);
      for (float& value : row) value = static_cast<float>(value - total);
    }, fixture_.encoder_input());
    return rows;
  }

  // Of all log-probabilities of the text, from the model that the file holds.
  void compare_with_implied(const ModelFiles& files) {
    auto text = fixture_.text();
    const auto model = executor(files);
    text.resize(std::min<std::size_t>(text.size(), model->capacity().context_max));
    const auto expected = implied_logprobs(text);
    ASSERT_EQ(expected.size(), text.size());
    double error_max = 0;
    compute_logits(*model, text, ~0u, [&](std::size_t position, std::span<const float> logits) {
      error_max =
          std::max(error_max, testing::largest_difference(logits, expected[position]));
    }, fixture_.encoder_input());
    std::printf("FIGURE %s as GGUF: %s, with what it implies: largest error of a log-probability "
                "%.2e (below %.1e)\n",
                GetParam().c_str(), form_.architecture.c_str(), error_max, kErrorMax);
    EXPECT_LT(error_max, kErrorMax);
  }

  void compare_with_reference(const ModelFiles& files) {
    if (fixture_.kind == "encoder") {
      const double error = testing::pooled_error(files, fixture_, DType::kF32, true);
      const double bound = testing::pooled_error_max(fixture_);
      std::printf("FIGURE %s as GGUF: %s, largest error of a pooled vector %.2e (below %.1e)\n",
                  GetParam().c_str(), form_.architecture.c_str(), error, bound);
      EXPECT_LT(error, bound);
      return;
    }
    const auto model = executor(files);
    const testing::Agreement agreement = testing::compare_text(*model, fixture_, ~0u);
    testing::expect_all_compared(*model, fixture_, agreement);
    EXPECT_EQ(agreement.greedy_equal, agreement.greedy_compared);
    std::printf("FIGURE %s as GGUF: %s, largest error of a log-probability %.2e (below %.1e), "
                "%d of %d greedy ids equal\n",
                GetParam().c_str(), form_.architecture.c_str(), agreement.error_max, kErrorMax,
                agreement.greedy_equal, agreement.greedy_compared);
    EXPECT_LT(agreement.error_max, kErrorMax);
  }

  TempFolder folder_, implied_folder_;
  TinyFixture fixture_;
  GgufForm form_;
};

TEST_P(GgufTest, HoldsTheSameModel) {
  if (form_.architecture.empty()) {
    std::printf("FIGURE %s: no GGUF: %s\n", GetParam().c_str(), form_.why_none.c_str());
    return;
  }
  const auto files = open_gguf();
  ASSERT_NE(files, nullptr);
  form_.config == fixture_.spellings.front().config ? compare_with_reference(*files)
                                                    : compare_with_implied(*files);
}

std::string name_of(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Golden, GgufTest, ::testing::ValuesIn(testing::tiny_names()), name_of);

TEST(GgufFormsTest, AlmostEveryFixtureHasOne) {
  std::size_t forms = 0;
  for (const std::string& name : testing::tiny_names()) {
    forms += !testing::gguf_form(testing::read_tiny(name)).architecture.empty();
  }
  EXPECT_GE(forms, kFormsMin);
}

}  // namespace
}  // namespace quire
