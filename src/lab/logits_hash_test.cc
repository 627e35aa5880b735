#include "lab/logits_hash.h"

#include <gtest/gtest.h>

#include "kernels/select.h"
#include "lab/bench/bench.h"
#include "lab/bench/bench_report.h"
#include "lab/random_model.h"
#include "model/registry.h"

namespace quire {
namespace {

TEST(LogitsHashTest, IsTheSameAgainAndForAnyNumberOfThreads) {
  for (const KernelTable* table : all_supported()) {
    const std::string isa(table->name);
    const auto first = tiny_logits_hashes(1, isa);
    ASSERT_TRUE(first.is_ok()) << first.status().message();
    for (const int threads : {1, 3}) {
      const auto again = tiny_logits_hashes(threads, isa);
      ASSERT_TRUE(again.is_ok());
      for (std::size_t i = 0; i < first->size(); ++i) {
        EXPECT_EQ((*again)[i].hash, (*first)[i].hash)
            << isa << " " << (*first)[i].name << ", " << threads << " threads";
      }
      EXPECT_EQ(combined_hash(*again), combined_hash(*first));
    }
  }
}

TEST(LogitsHashTest, SeesWeightsAndPositions) {
  BenchModelOptions options;
  options.sequences = kHashSequences;
  options.context = kHashContext;
  const auto hash_of = [&](const RandomModel& random) {
    return *logits_hash(**BenchModel::open(random.design, random.find, options));
  };
  const RandomModel one = *make_random_model("tiny", {.seed = 1});
  const RandomModel two = *make_random_model("tiny", {.seed = 2});
  RandomModel slower = one;
  Json config = *parse_json(find_shape("tiny")->config);
  config.set("rope_theta", 2 * config.find("rope_theta")->as_double());
  slower.design = *design_of_json("llama", dump(config), Naming::kLlama2c);
  EXPECT_NE(hash_of(one), hash_of(two));
  EXPECT_NE(hash_of(one), hash_of(slower));
}

TEST(BenchTest, MeasuresEveryTestAndPrintsIt) {
  const RandomModel random = *make_random_model("tiny-tied", {.dtype = DType::kQ8_0});
  BenchOptions tests;
  tests.prompts = {20, 70};
  tests.generate = 3;
  tests.batches = {1, 5};
  tests.depth = 40;
  tests.chunk = 32;
  tests.repeats = 2;
  tests.is_roofline_quick = true;
  BenchModelOptions base;
  base.threads = 2;
  const auto model = BenchModel::open(random.design, random.find, room_for(tests, base));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const auto report = measure_speed(**model, tests);
  ASSERT_TRUE(report.is_ok()) << report.status().message();
  ASSERT_EQ(report->lines.size(), 4u);
  for (const BenchLine& line : report->lines) {
    EXPECT_GT(line.tokens_per_second, 0) << line.name;
    EXPECT_GT(line.limit, 0) << line.name;
    EXPECT_LE(line.tokens_per_second_min, line.tokens_per_second_max) << line.name;
  }
  const std::string table = bench_table({.model = "tiny"}, *report);
  for (const char* expected :
       {"prefill 20", "prefill 70", "decode x1 at 40", "decode x5 at 40", "logits hash"}) {
    EXPECT_NE(table.find(expected), table.npos) << expected << "\n" << table;
  }
}

TEST(BenchTest, MeasuresPromptsAndBatchesTogether) {
  const RandomModel random = *make_random_model("tiny", {.dtype = DType::kQ8_0});
  BenchOptions tests;
  tests.prompts = {20, 40};
  tests.generate = 4;
  tests.batches = {1, 3};
  tests.depth = 40;
  tests.chunk = 32;
  const auto model = BenchModel::open(random.design, random.find, room_for(tests, {.threads = 1}));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const auto lines = measure_batched(**model, tests);
  ASSERT_TRUE(lines.is_ok()) << lines.status().message();
  ASSERT_EQ(lines->size(), 4u);
  const BatchedLine& last = lines->back();
  EXPECT_EQ(last.kv_tokens(), 3 * 44);
  EXPECT_GT(last.prompt_seconds, 0);
  EXPECT_GT(last.generate_seconds, 0);
  EXPECT_NE(batched_table({}, *lines).find("132"), std::string::npos);
  EXPECT_NE(batched_json({}, *lines).find("\"s_tg\""), std::string::npos);
}

TEST(BenchTest, AFigureAboveTheLimitIsBroken) {
  BenchReport report;
  report.lines = {{.name = "sound", .tokens_per_second = 9, .limit = 10, .share = 0.9},
                  {.name = "impossible", .tokens_per_second = 11, .limit = 10, .share = 1.1}};
  EXPECT_FALSE(report.lines[0].is_broken());
  EXPECT_TRUE(report.lines[1].is_broken());
  EXPECT_NE(bench_table({}, report).find("BROKEN"), std::string::npos);
  EXPECT_NE(bench_json({}, report).find("\"is_broken\":true"), std::string::npos);
}

}  // namespace
}  // namespace quire
