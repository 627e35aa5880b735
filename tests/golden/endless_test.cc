// Texts without an end: sinks and a window on whole models of random weights. Twenty thousand
// tokens in as many blocks as the first few hundred, far behind the rotary tables; the same bits
// alone and in crowds, with preemptions and prefix hits; and before anything is forgotten, those of
// the model that forgets nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "crowds.h"
#include "lab/random_model.h"
#include "testbed.h"

namespace quire {
namespace {

using testing::Branch;
using testing::Branches;
using testing::Crowd;
using testing::Setting;
using testing::hashing_options;
using testing::make_test_executor;
using testing::random_crowd;
using testing::run_alone;
using testing::run_to_end;

constexpr std::uint32_t kSinks = 4, kWindow = 24;
constexpr int kTrained = 48;  // positions that the models know angles of
constexpr std::uint32_t kBlock = 32;

struct Endless {
  RandomModel random;
  Design design;
};

// As if it had been trained for a few positions.
Endless endless(const std::string& shape, int context = kTrained) {
  auto made = make_random_model(shape, {.dtype = DType::kF32, .seed = 42, .threads = 2});
  QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
  Endless model{std::move(made).value(), {}};
  model.design = model.random.design;
  model.design.facts.context_max = context;
  return model;
}

Setting forgetting(Setting setting) {
  setting.sinks = kSinks;
  setting.window = kWindow;
  return setting;
}

bool can_forget(const ModelFacts& facts) {
  return facts.kind == ModelKind::kDecoder && facts.bound_to_context.empty();
}

Request ask(std::uint64_t id, std::uint32_t prompt, int tokens_max) {
  Request request;
  request.id = {id};
  for (std::uint32_t i = 0; i < prompt; ++i) {
    request.prompt.push_back(static_cast<TokenId>(i * 7 % 97 + 1));
  }
  request.params.temperature = 1;
  request.params.seed = 5;
  request.params.ignore_eos = true;
  request.params.tokens_max = tokens_max;
  return request;
}

TEST(EndlessTest, TwentyThousandTokensTakeTheBlocksOfTheFirst) {
  constexpr int kTokens = 20000;
  const Endless model = endless("tiny");
  const auto executor = make_test_executor(model.design, model.random.find,
                                           forgetting({.tokens_max = 64, .rows_max = 2}));
  EXPECT_GT(executor->capacity().context_max, 1'000'000u);
  EngineOptions options;
  EngineCore core(options, *executor, nullptr);
  ASSERT_TRUE(core.submit(ask(1, 40, kTokens)).is_ok());
  std::uint64_t held_max = 0, held_last = 0;
  std::size_t tokens = 0;
  FinishReason finish = FinishReason::kNone;
  while (core.has_work()) {
    for (const TokenEvent& event : core.advance(Nanos(0)).events) {
      tokens += event.accepted.size();
      if (event.finish != FinishReason::kNone) finish = event.finish;
    }
    const Sequence* seq = core.scheduler().find(SeqId{1});
    if (seq == nullptr) continue;
    const auto& table = seq->tables[0];
    held_last = static_cast<std::uint64_t>(
        std::count_if(table.begin(), table.end(), [](BlockId block) { return block != 0; }));
    held_max = std::max(held_max, held_last);
  }
  EXPECT_EQ(tokens, std::size_t{kTokens});
  EXPECT_EQ(finish, FinishReason::kLength);
  EXPECT_LE(held_max, 1 + (kWindow + kBlock - 1) / kBlock + 2u);
  EXPECT_EQ(core.stats().blocks_referenced, 0u);
  std::printf("FIGURE sinks %u, window %u: %d tokens held %llu blocks at most\n", kSinks, kWindow,
              kTokens, static_cast<unsigned long long>(held_max));
}

class EndlessShapeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EndlessShapeTest, IsBitwiseTheSameAloneAndInACrowd) {
  const Endless model = endless(GetParam());
  if (!can_forget(model.design.facts)) {
    std::printf("FIGURE %s: has %s\n", GetParam().c_str(),
                model.design.facts.bound_to_context.empty()
                    ? "an encoder" : model.design.facts.bound_to_context.c_str());
    return;
  }
  Crowd crowd = random_crowd(23, model.design.facts.vocab);
  crowd.requests.resize(6);
  crowd.arrivals.resize(6);
  for (Request& request : crowd.requests) request.params.tokens_max += 40;
  const Branches alone = run_alone(
      *make_test_executor(model.design, model.random.find,
                          forgetting({.threads = 1, .tokens_max = 512, .blocks = 64})),
      crowd);
  for (const auto& [tokens_max, threads, blocks] :
       {std::tuple{7u, 2, 10u}, std::tuple{512u, 2, 400u}}) {
    const auto executor = make_test_executor(
        model.design, model.random.find,
        forgetting({.threads = threads, .tokens_max = tokens_max, .blocks = blocks}));
    EngineCore core(hashing_options(), *executor, nullptr);
    EXPECT_EQ(run_to_end(core, crowd), alone) << "chunk " << tokens_max;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EndlessShapeTest, ::testing::ValuesIn(testing::tiny_shapes()),
                         testing::tiny_shape_name);

TEST(EndlessTest, NothingIsForgottenWithinTheWindow) {
  const Endless model = endless("tiny", 256);
  const Request request = ask(1, 20, 100);
  const auto hashes = [&](const Setting& setting) {
    const auto executor = make_test_executor(model.design, model.random.find, setting);
    EngineCore core(hashing_options(), *executor, nullptr);
    return run_to_end(core, {{request}, {}}).at({1, 0}).logits_hashes;
  };
  const auto kept = hashes({}), wide = hashes({.sinks = 4, .window = 128});
  EXPECT_EQ(kept, wide);  // 120 positions
  const auto forgetting = hashes({.sinks = 4, .window = 64});
  const std::size_t same = 64 - 20 + 1;  // the prompt's last token has the first row
  EXPECT_TRUE(std::equal(kept.begin(), kept.begin() + same, forgetting.begin()));
  EXPECT_NE(kept.back(), forgetting.back());
}

// A hit ends within sinks and window, before them, or far behind them: what is computed after it is
// what is computed without it.
TEST(EndlessTest, PrefixHitsChangeNothing) {
  const Endless model = endless("tiny");
  const Setting setting = forgetting({.tokens_max = 64, .blocks = 200});
  const auto executor = make_test_executor(model.design, model.random.find, setting);
  const auto other = make_test_executor(model.design, model.random.find, setting);
  EngineCore core(hashing_options(), *executor, nullptr);
  std::uint64_t id = 0;
  for (const std::uint32_t length : {300u, 20u, 33u, 70u, 299u, 300u, 340u}) {
    const Request request = ask(++id, length, 12);
    const std::uint64_t before = core.stats().computed_tokens;
    const Branch hit = run_to_end(core, {{request}, {}}).at({id, 0});
    const std::uint64_t computed = core.stats().computed_tokens - before;
    EngineOptions cold = hashing_options();
    cold.scheduler.is_prefix_caching = false;
    EngineCore anew(cold, *other, nullptr);
    EXPECT_EQ(run_to_end(anew, {{request}, {}}).at({id, 0}), hit) << length;
    if (length == 340) {
      EXPECT_LE(computed, 40 + kBlock + 12u);  // of what came before, a block at most
    }
  }
}

}  // namespace
}  // namespace quire
