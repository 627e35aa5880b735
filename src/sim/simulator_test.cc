// Simulator: the same seed gives the same plans; traces are read right; the figures add up.
#include "sim/simulator.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace quire {
namespace {

SimOptions small_options() {
  SimOptions options;
  options.synthetic = {.requests = 200,
                       .requests_per_second = 20,
                       .prompt_tokens_mean = 40,
                       .answer_tokens_mean = 20,
                       .shared_tokens = 64,
                       .prefixes = 3};
  options.engine.is_checking_invariants = true;
  options.kv_blocks = 200;
  return options;
}

TEST(Simulator, TheSameSeedGivesTheSameHash) {
  const auto first = simulate(small_options());
  const auto again = simulate(small_options());
  SimOptions other_options = small_options();
  other_options.seed = 2;
  const auto other = simulate(other_options);
  ASSERT_TRUE(first.is_ok() && again.is_ok() && other.is_ok());
  EXPECT_EQ(first->plans_hash, again->plans_hash);
  EXPECT_EQ(render(*first), render(*again));
  EXPECT_NE(first->plans_hash, other->plans_hash);
}

TEST(Simulator, EverybodyIsServedAndTheFiguresAddUp) {
  for (const std::uint32_t depth : {1u, 2u}) {
    SimOptions options = small_options();
    options.depth = depth;
    const auto report = simulate(options);
    ASSERT_TRUE(report.is_ok());
    EXPECT_EQ(report->finished, 200u);
    EXPECT_EQ(report->refused, 0u);
    EXPECT_GT(report->hit_rate(), 0.3);
    EXPECT_GE(report->computed_tokens + report->prefix_cached_tokens, report->prompt_tokens);
    EXPECT_GT(report->time_to_first_token.p50, 0);
    EXPECT_LE(report->time_to_first_token.p50, report->time_to_first_token.p99);
    EXPECT_GE(report->inter_token_latency.p50, 0.012);  // no step is shorter than the weights
    EXPECT_GT(report->tokens_per_second(), 0);
  }
}

TEST(Simulator, TheCacheAndTheBatchPay) {
  const auto base = simulate(small_options());
  SimOptions options = small_options();
  options.engine.scheduler.is_prefix_caching = false;
  const auto without_cache = simulate(options);
  options = small_options();
  options.engine.scheduler.is_static_batching = true;
  const auto with_static_batches = simulate(options);
  ASSERT_TRUE(base.is_ok() && without_cache.is_ok() && with_static_batches.is_ok());
  EXPECT_EQ(without_cache->hit_rate(), 0);
  EXPECT_GT(without_cache->computed_tokens, base->computed_tokens);
  EXPECT_GT(with_static_batches->time_to_first_token.mean, base->time_to_first_token.mean);
  EXPECT_EQ(base->generated_tokens, with_static_batches->generated_tokens);
}

TEST(Simulator, ASmallPoolPreempts) {
  SimOptions options = small_options();
  options.kv_blocks = 24;
  options.synthetic.answer_tokens_mean = 100;
  const auto report = simulate(options);
  ASSERT_TRUE(report.is_ok());
  EXPECT_GT(report->preemptions, 0u);
  EXPECT_EQ(report->finished + report->refused, 200u);
}

TEST(Simulator, LaunchingAheadHidesTheHost) {
  SimOptions options = small_options();
  options.synthetic.requests_per_second = 1000;
  options.cost.host = Nanos(5'000'000);
  const auto one = simulate(options);
  options.depth = 2;
  const auto two = simulate(options);
  ASSERT_TRUE(one.is_ok() && two.is_ok());
  EXPECT_LT(two->elapsed, one->elapsed);
}

TEST(Simulator, NonsenseIsRefused) {
  SimOptions options = small_options();
  options.depth = 0;
  EXPECT_FALSE(simulate(options).is_ok());
  options = small_options();
  options.trace_path = "/no/such/trace.jsonl";
  EXPECT_EQ(simulate(options).status().code(), StatusCode::kNotFound);
}

TEST(Workload, MooncakeSharesBlocksByTheirIds) {
  const auto workload = parse_mooncake(
      "{\"timestamp\": 1500, \"input_length\": 1030, \"output_length\": 52, \"hash_ids\": [46, 47, "
      "9]}\n"
      "{\"timestamp\": 2000, \"input_length\": 1030, \"output_length\": 1, \"hash_ids\": [46, 5, "
      "6]}\n",
      {.length_scale = 0.125});
  ASSERT_TRUE(workload.is_ok()) << workload.status().message();
  const auto& [a, b] = std::pair(workload->arrivals[0], workload->arrivals[1]);
  EXPECT_EQ(a.at, Nanos(1'500'000'000));
  EXPECT_EQ(a.prompt_tokens, 129u);
  EXPECT_EQ(a.answer_tokens, 7u);
  EXPECT_EQ(a.segment_tokens, 64u);
  const auto first = prompt_of(a, 32000), second = prompt_of(b, 32000);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 64, second.begin()));
  EXPECT_NE(first[64], second[64]);
}

TEST(Workload, AzureTimesAreRelativeToTheFirst) {
  const auto workload = parse_azure(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:59:59.9000000,4808,10\r\n"
      "2023-11-16 19:00:01.1500000,3180,8\r\n",
      {.time_scale = 2});
  ASSERT_TRUE(workload.is_ok()) << workload.status().message();
  EXPECT_EQ(workload->arrivals[0].at, Nanos(0));
  EXPECT_EQ(workload->arrivals[1].at, Nanos(2'500'000'000));
  EXPECT_EQ(workload->arrivals[1].prompt_tokens, 3180u);
}

TEST(Workload, BrokenTracesNameTheLine) {
  for (const char* text : {"{}", "{\"timestamp\": 1, \"input_length\": 0}", "x",
                           "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 5, "
                           "\"hash_ids\": [x]}",
                           "{\"timestamp\": 99999999999999999999, \"input_length\": 5, "
                           "\"output_length\": 5, \"hash_ids\": []}"}) {
    const auto workload = parse_mooncake(text, {});
    ASSERT_FALSE(workload.is_ok()) << text;
    EXPECT_NE(workload.status().message().find("line 1"), std::string::npos);
  }
  const std::string header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  for (const char* row : {"a,1,2", "2023-11-16 18:59:59.9,1", "2023-11-16 18:59,1,2", "2023,1,2",
                          "2023-11-16 18:59:59.9,1,99999999999"}) {
    EXPECT_FALSE(parse_azure(header + row, {}).is_ok()) << row;
  }
  EXPECT_FALSE(parse_azure("1,2,3\n", {}).is_ok());
}

// The production traces lie beside the project on machines that have them.
TEST(Workload, ProductionTracesRunAndHash) {
  const std::string shared = std::string(QUIRE_SOURCE_DIR) + "/../shared/testdata/";
  const std::string mooncake = shared + "mooncake-traces/FAST25-release/traces/";
  const std::string traces[] = {mooncake + "conversation_trace.jsonl",
                                mooncake + "synthetic_trace.jsonl",
                                shared + "azure-llm-traces/data/AzureLLMInferenceTrace_conv.csv"};
  for (const std::string& path : traces) {
    SimOptions options;
    options.trace_path = path;
    options.trace = {.requests_max = 200, .length_scale = 1.0 / 16};
    options.engine.is_checking_invariants = true;
    const auto report = simulate(options);
    if (!report.is_ok() && report.status().code() == StatusCode::kNotFound) {
      GTEST_SKIP() << "no trace at " << path;
    }
    ASSERT_TRUE(report.is_ok()) << report.status().message();
    EXPECT_EQ(report->finished + report->refused, 200u);
    EXPECT_EQ(report->plans_hash, simulate(options)->plans_hash);
    std::printf("%s\n", render(*report).c_str());
  }
}

TEST(Report, QuantilesAreNearestRanks) {
  std::vector<Nanos> samples;
  for (int i = 100; i >= 1; --i) samples.push_back(Nanos(i * 1'000'000'000ll));
  const Quantiles q = quantiles_of(samples);
  EXPECT_EQ(q.p50, 50);
  EXPECT_EQ(q.p99, 99);
  EXPECT_EQ(q.max, 100);
  EXPECT_EQ(q.mean, 50.5);
  EXPECT_EQ(quantiles_of({Nanos(5)}).p99, 5e-9);
  EXPECT_EQ(quantiles_of({}).p99, 0);
}

}  // namespace
}  // namespace quire
