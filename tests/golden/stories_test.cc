// Golden tests of two small trained models: stories260K (llama2.c) and TinyStories-656K (a Hugging
// Face directory), against outputs of independent float32 implementations. A bound is what was
// measured times kLeeway: a sum in another order may cost that.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "lab/eval.h"
#include "testbed.h"

namespace quire {
namespace {

constexpr double kLeeway = 3;
constexpr double kLogitErrorMeasured = 1.4e-5;
constexpr double kLossErrorMeasured = 5.3e-7;  // relative; the reference has four decimals

using testing::Branches;
using testing::open_test_model;
using testing::run_to_end;
using testing::read_floats;
using testing::read_ids;
using testing::shared_path;

EngineOptions greedy_options(const Words& words, bool stops_at_eos) {
  EngineOptions options;
  if (stops_at_eos) options.eos_ids = {words.eos_ids.begin(), words.eos_ids.end()};
  return options;
}

testing::Branch generate(const testing::OpenModel& model, LocalExecutor& executor,
                         std::vector<TokenId> prompt, int tokens_max, std::vector<TokenId> stops) {
  EngineCore core(greedy_options(model.files->facts().words, false), executor, model.tokenizer);
  Request request;
  request.id = {1};
  request.prompt = std::move(prompt);
  request.params.temperature = 0;
  request.params.tokens_max = tokens_max;
  request.params.stop_ids = std::move(stops);
  return run_to_end(core, {{request}, {}}).at({1, 0});
}

class StoriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = shared_path("models/stories260K/");
    if (folder_.empty()) GTEST_SKIP() << "../shared/models/stories260K is not here";
    model_ = open_test_model(folder_ + "stories260K.bin", folder_ + "tok512.bin");
    executor_ = model_.executor({.kv_dtype = DType::kF32});
  }

  std::string folder_;
  testing::OpenModel model_;
  std::unique_ptr<LocalExecutor> executor_;
};

TEST_F(StoriesTest, GreedyTextEqualsTheReferenceByteForByte) {
  auto expected = read_file(folder_ + "expected_t0_n200.txt", 1 << 16);
  ASSERT_TRUE(expected.is_ok());
  expected->pop_back();  // the newline that the reference program printed at its end
  EXPECT_EQ(expected->size(), 464u);
  const auto branch = generate(model_, *executor_, {1}, 200, {1});
  EXPECT_EQ(branch.text, *expected);
  std::printf("FIGURE stories260K: %zu bytes of greedy text, expected %zu\n", branch.text.size(),
              expected->size());
}

TEST_F(StoriesTest, GreedyIdsEqualTheReference) {
  const auto ids = read_ids(folder_ + "ref_greedy512_tokens.txt");
  const auto branch = generate(model_, *executor_, {1}, 511, {});
  ASSERT_GE(ids.size(), 512u);
  const std::vector<TokenId> expected(ids.begin() + 1, ids.begin() + 512);
  EXPECT_EQ(branch.tokens, expected);
}

TEST_F(StoriesTest, LogitsAreThoseOfTheReference) {
  auto ids = read_ids(folder_ + "ref_greedy32_from_bos.tokens.txt");
  const auto reference = read_floats(folder_ + "ref_greedy32_from_bos.logits_f32.bin");
  ids.resize(32);
  double error_max = 0;
  std::size_t compared = 0;
  compute_logits(*executor_, ids, ~0u, [&](std::size_t position, std::span<const float> logits) {
    for (std::size_t i = 0; i < logits.size(); ++i, ++compared) {
      const double error = std::abs(double{logits[i]} - reference[position * logits.size() + i]);
      error_max = std::isnan(error) ? HUGE_VAL : std::max(error_max, error);
    }
  });
  std::printf("FIGURE stories260K: largest error of %zu logits %.2e (at most %.2e)\n", compared,
              error_max, kLeeway * kLogitErrorMeasured);
  EXPECT_EQ(compared, 32u * 512u);
  EXPECT_EQ(compared, reference.size());
  EXPECT_LE(error_max, kLeeway * kLogitErrorMeasured);
}

TEST_F(StoriesTest, LossOfFiftyStoriesMatches) {
  const auto sample = read_file(shared_path("text/tinystories_sample_2MiB.txt"), 4 << 20);
  ASSERT_TRUE(sample.is_ok());
  std::ifstream reference(folder_ + "ref_nll_50stories.txt");
  const std::string separator = "\n<|endoftext|>\n";
  std::size_t begin = 0;
  double worst = 0;
  int stories = 0;
  for (std::string line; std::getline(reference, line);) {
    std::istringstream fields(line);
    std::string word;  // "story 0 ids 320 nll 392.5023"
    std::size_t index = 0, tokens = 0;
    double expected = 0;
    if (!(fields >> word >> index >> word >> tokens >> word >> expected)) continue;
    const std::size_t end = sample->find(separator, begin);
    const std::string story = sample->substr(begin, end - begin);
    begin = end + separator.size();
    auto ids = model_.tokenizer->encode(story, {.add_special = false});
    ASSERT_TRUE(ids.is_ok());
    ids->insert(ids->begin(), 1);
    if (ids->size() > 512) ids->resize(512);
    double total = 0;
    for (const double loss : token_losses(*executor_, *ids)) total += loss;
    const double error = std::abs(total - expected) / expected;
    worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
    ++stories;
  }
  std::printf("FIGURE stories260K: NLL of %d stories, largest relative error %.2e (at most %.2e)\n",
              stories, worst, kLeeway * kLossErrorMeasured);
  EXPECT_EQ(stories, 50);
  EXPECT_LE(worst, kLeeway * kLossErrorMeasured);
}

class TinyStoriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = shared_path("models/tinystories-656K/");
    if (folder_.empty()) GTEST_SKIP() << "../shared/models/tinystories-656K is not here";
    model_ = open_test_model(folder_);
    executor_ = model_.executor({.kv_dtype = DType::kF32});
  }

  void expect_greedy(const std::string& name, std::size_t prompt_tokens, std::size_t generated) {
    const auto ids = read_ids(folder_ + name + ".tokens.txt");
    const auto branch =
        generate(model_, *executor_, {ids.begin(), ids.begin() + prompt_tokens},
                 static_cast<int>(ids.size() - prompt_tokens), {});
    const std::vector<TokenId> expected(ids.begin() + prompt_tokens, ids.end());
    EXPECT_EQ(expected.size(), generated);
    EXPECT_EQ(branch.tokens, expected);
    std::printf("FIGURE TinyStories-656K: %s, %zu greedy ids equal\n", name.c_str(),
                branch.tokens == expected ? expected.size() : 0);
  }

  std::string folder_;
  testing::OpenModel model_;
  std::unique_ptr<LocalExecutor> executor_;
};

TEST_F(TinyStoriesTest, GreedyIdsFromAPromptEqualTheReference) {
  auto prompt = model_.tokenizer->encode("Once upon a time", {.add_special = true});
  ASSERT_TRUE(prompt.is_ok());
  const auto ids = read_ids(folder_ + "ref_greedy_once_upon_a_time.tokens.txt");
  EXPECT_EQ(std::vector<TokenId>(ids.begin(), ids.begin() + prompt->size()), *prompt);
  expect_greedy("ref_greedy_once_upon_a_time", prompt->size(), 115);
}

TEST_F(TinyStoriesTest, GreedyIdsFromBosEqualTheReference) {
  expect_greedy("ref_greedy_from_bos", 1, 120);
}

}  // namespace
}  // namespace quire
