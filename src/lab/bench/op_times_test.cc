#include "lab/bench/op_times.h"

#include <gtest/gtest.h>

#include <map>

#include "lab/bench/bench_model.h"
#include "lab/logits_hash.h"
#include "lab/random_model.h"

namespace quire {
namespace {

BenchModelOptions timed_options() {
  BenchModelOptions options;
  options.sequences = kHashSequences;
  options.context = kHashContext;
  options.is_timing_ops = true;
  return options;
}

std::map<std::string, OpTotals> by_name(const std::vector<OpTotals>& totals) {
  std::map<std::string, OpTotals> lines;
  for (const OpTotals& line : totals) lines[line.name] = line;
  return lines;
}

// "tiny": d 256, 2 layers, 8 heads and 2 KV heads of 32, ffn 512, vocabulary 517.
TEST(OpTimesTest, CountsWhatAStepReadsAndComputes) {
  const RandomModel random = *make_random_model("tiny", {.dtype = DType::kQ8_0});
  const auto opened = BenchModel::open(random.design, random.find, timed_options());
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  BenchModel& model = **opened;
  const std::vector<TokenId> tokens = {1, 2, 3, 4, 5};
  model.op_times()->clear();
  const Feed prompt = {0, 0, tokens};
  ASSERT_TRUE(model.step({&prompt, 1}).is_ok());
  const auto lines = by_name(model.op_times()->totals());

  // Of five tokens, what runs as one pass: the projections with attention, a product with the norm
  // behind it, the gated half of the MLP.
  ASSERT_EQ(lines.size(), 9u);  // the head and the draw, too
  EXPECT_EQ(lines.at("gather").calls, 1);
  EXPECT_EQ(lines.at("norm").calls, 2);  // the first and the last
  EXPECT_EQ(lines.at("down+norm").calls, 1);
  EXPECT_EQ(lines.at("down").calls, 1);  // the last layer's: only wanted rows are normed
  for (const char* name : {"q+k+v+attention", "o+norm", "gate+up"}) {
    EXPECT_EQ(lines.at(name).calls, 2) << name;
    EXPECT_GT(lines.at(name).seconds, 0) << name;
  }
  EXPECT_EQ(lines.at("draw").calls, 1);
  EXPECT_EQ(lines.at("draw").bytes, 517.0 * 4);

  const auto int8 = static_cast<std::size_t>(ActivationForm::kInt8);
  const auto bf16 = static_cast<std::size_t>(ActivationForm::kBF16);
  EXPECT_EQ(lines.at("down").operations[int8], 2.0 * 5 * 256 * 512);
  EXPECT_EQ(lines.at("down").bytes, 256.0 * 512 / 32 * 34);
  EXPECT_EQ(lines.at("q+k+v+attention").operations[int8], 2.0 * 5 * 256 * (256 + 64 + 64) * 2);
  EXPECT_EQ(lines.at("head").operations[int8], 2.0 * 1 * 256 * 517);
  const double pairs = 1 + 2 + 3 + 4 + 5;
  EXPECT_EQ(lines.at("q+k+v+attention").operations[bf16], 2 * 4 * pairs * 256);
  // K and V of 5 positions in f16, written and read, beside the weights.
  EXPECT_EQ(lines.at("q+k+v+attention").bytes,
            2 * (2 * 5.0 * 2 * 64 * 2 + 256.0 * (256 + 64 + 64) / 32 * 34));

  model.op_times()->clear();
  EXPECT_TRUE(model.op_times()->totals().empty());
}

TEST(OpTimesTest, AWindowBoundsWhatAttentionReads) {
  const RandomModel random = *make_random_model("tiny-mistral", {.dtype = DType::kQ8_0});
  const auto opened = BenchModel::open(random.design, random.find, timed_options());
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  BenchModel& model = **opened;
  const std::vector<TokenId> tokens(100, 7);
  const Feed prompt = {0, 0, tokens};
  ASSERT_TRUE(model.step({&prompt, 1}).is_ok());
  model.op_times()->clear();
  const Feed next = {0, 100, std::span(tokens).first(1)};
  ASSERT_TRUE(model.step({&next, 1}).is_ok());
  const auto lines = by_name(model.op_times()->totals());
  const OpTotals& line = lines.at("q+k+v+attention");
  const double products = line.operations[static_cast<std::size_t>(ActivationForm::kInt8)];
  const double weights = products / 2 / 32 * 34;  // one token
  EXPECT_EQ(line.bytes, weights + 3 * 41.0 * 2 * 32 * 2);  // 3 layers, a window of 40; one written
}

TEST(OpTimesTest, ChangesNoLogits) {
  for (const char* shape : {"tiny", "tiny-tied", "tiny-qwen3"}) {
    const RandomModel random = *make_random_model(shape, {.dtype = DType::kQ4_K});
    BenchModelOptions options = timed_options();
    const auto timed = logits_hash(**BenchModel::open(random.design, random.find, options));
    options.is_timing_ops = false;
    const auto plain = logits_hash(**BenchModel::open(random.design, random.find, options));
    ASSERT_TRUE(timed.is_ok() && plain.is_ok());
    EXPECT_EQ(*timed, *plain) << shape;
  }
}

}  // namespace
}  // namespace quire
