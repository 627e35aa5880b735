// Examples of EngineCore over the script: one behaviour each, small enough to read.
#include "engine/engine_core.h"

#include <gtest/gtest.h>

#include "engine/testing/world.h"

namespace quire {
namespace {

std::vector<TokenId> some_tokens(std::size_t count, TokenId first = 1) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) {
    tokens.push_back((first + static_cast<TokenId>(i * 7)) % 1000);
  }
  return tokens;
}

ScriptOptions script_of(std::uint32_t blocks, std::uint32_t depth = 1) {
  ScriptOptions script{.capacity = script_capacity(blocks)};
  script.capacity.depth = depth;
  return script;
}

void expect_right(ScriptWorld& world) {
  world.run_until_idle();
  EXPECT_EQ(world.check_ended(), "");
  EXPECT_EQ(world.check_idle(), "");
}

class AtDepth : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Depths, AtDepth, testing::Values(1, 2, 4));

TEST_P(AtDepth, OneRequestEqualsTheOracle) {
  ScriptWorld world(checked_options(), script_of(64, GetParam()));
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(21), 30)).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{1})[0].tokens.size(), 30u);
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kLength);
  EXPECT_EQ(world.shown(RequestId{1})[0].last.usage.prompt_tokens, 21u);
  EXPECT_EQ(world.script().promises() > 0, GetParam() > 1);
  expect_right(world);
}

TEST_P(AtDepth, SixteenEqualPromptsCostOne) {
  ScriptWorld world(checked_options(), script_of(400, GetParam()));
  for (int i = 0; i < 16; ++i) {
    Request request = ask_seeded(some_tokens(100), 1);
    request.params.seed = static_cast<std::uint64_t>(i);
    ASSERT_TRUE(world.submit(request).is_ok());
  }
  world.run_until_idle();
  // 100 tokens once; then each the rest of its last block, at most.
  EXPECT_LE(world.core().stats().computed_tokens, 100u + 15 * 4);
  expect_right(world);
}

TEST_P(AtDepth, SixteenEqualPromptsInChunksCostOne) {
  EngineOptions options = checked_options();
  options.scheduler.tokens_max = 16;
  ScriptWorld world(options, script_of(400, GetParam()));
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(world.submit(ask_seeded(some_tokens(100), 3)).is_ok());
  world.run_until_idle();
  EXPECT_LE(world.core().stats().computed_tokens, 100u + 15 * 4 + 16 * 3);
  expect_right(world);
}

TEST_P(AtDepth, BranchesForkBeforeTheLastPromptToken) {
  ScriptWorld world(checked_options(), script_of(100, GetParam()));
  Request request = ask_seeded(some_tokens(19), 12);
  request.n = 4;
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  // 18 tokens once, then each branch feeds the last prompt token and 11 of its own.
  EXPECT_EQ(world.core().stats().computed_tokens, 18u + 4 * 12);
  EXPECT_EQ(world.script().copies(), 3u);
  EXPECT_NE(world.shown(RequestId{1})[0].tokens, world.shown(RequestId{1})[3].tokens);
  expect_right(world);
}

TEST_P(AtDepth, PreemptionKeepsTheTokens) {
  EngineOptions options = checked_options();
  options.scheduler.is_prefix_caching = false;
  ScriptWorld world(options, script_of(16, GetParam()));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9, i), 40)).is_ok());
  world.run_until_idle();
  EXPECT_GT(world.core().stats().preemptions, 0u);
  expect_right(world);
}

TEST_P(AtDepth, EosEndsABranchAndNothingFollows) {
  EngineOptions options = checked_options();
  for (TokenId token = 0; token < 200; ++token) options.eos_ids.push_back(token);
  ScriptWorld world(options, script_of(64, GetParam()));
  Request request = ask_seeded(some_tokens(10), 100);
  ASSERT_TRUE(world.submit(request).is_ok());
  request.params.ignore_eos = true;
  ASSERT_TRUE(world.submit(request).is_ok());
  request.params.ignore_eos = false;
  request.params.tokens_min = 60;
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  const auto& stopped = world.shown(RequestId{1})[0];
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.last.stop_token, stopped.tokens.back());
  EXPECT_EQ(world.shown(RequestId{2})[0].tokens.size(), 100u);
  EXPECT_GT(world.shown(RequestId{3})[0].tokens.size(), 60u);
  expect_right(world);
}

// Every draw and, where drafts are verified, every draft keeps to what is allowed.
TEST_P(AtDepth, OnlyAllowedTokensAndNoBadSequences) {
  for (const std::uint32_t drafts : {0u, 3u}) {
    ScriptOptions script = script_of(64, GetParam());
    script.drafts_max = drafts;
    ScriptWorld world(checked_options(), script);
    Request request = ask_seeded(some_tokens(10), 60);
    request.n = 2;
    request.params.allowed.assign((script.capacity.vocab + 31) / 32, 0);
    request.params.allowed[0] = 0x000000F0;  // 4 to 7
    request.params.bad_sequences = {{5}, {6, 7}, {4, 4, 4}};
    ASSERT_TRUE(world.submit(request).is_ok());
    world.run_until_idle();
    for (const ShownBranch& branch : world.shown(RequestId{1})) {
      ASSERT_EQ(branch.tokens.size(), 60u);
      for (std::size_t i = 0; i < branch.tokens.size(); ++i) {
        const auto at = [&](std::size_t back) { return i >= back ? branch.tokens[i - back] : -1; };
        EXPECT_TRUE(at(0) == 4 || at(0) == 6 || at(0) == 7) << at(0);
        EXPECT_FALSE(at(1) == 6 && at(0) == 7);
        EXPECT_FALSE(at(2) == 4 && at(1) == 4 && at(0) == 4);
      }
    }
    expect_right(world);
  }
}

TEST_P(AtDepth, SettlingStartsNothing) {
  ScriptWorld world(checked_options(), script_of(64, GetParam()));
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(10), 40)).is_ok());
  for (int i = 0; i < 3; ++i) world.advance();
  EngineCore& core = world.core();
  std::uint64_t steps = 0;
  while (core.is_unsettled()) {
    steps += core.settle(world.now()).rows.empty() ? 0 : 1;
    ASSERT_LE(steps, GetParam()) << "no more than what was under way";
  }
  EXPECT_TRUE(core.has_work());
  EXPECT_EQ(core.stats().requests_running, 1u);
  core.cancel(RequestId{1});
  ASSERT_TRUE(core.is_unsettled());
  EXPECT_TRUE(core.settle(world.now()).events.at(0).is_last);
  EXPECT_FALSE(core.has_work());
}

TEST_P(AtDepth, TheCacheForgetsTextsThatNobodyIsAt) {
  ScriptWorld world(checked_options(), script_of(64, GetParam()));
  const Request request = ask_seeded(some_tokens(20), 4);
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  EXPECT_GT(world.core().stats().blocks_cached, 0u);
  world.core().forget_cache();
  EXPECT_EQ(world.core().stats().blocks_cached, 0u);
  ASSERT_TRUE(world.submit(request).is_ok());
  for (int i = 0; i < 3; ++i) world.advance();
  world.core().forget_cache();  // what is in use stays
  world.run_until_idle();
  EXPECT_EQ(world.core().stats().prefix_cached_tokens, 0u);
  expect_right(world);
}

TEST_P(AtDepth, AChoiceThatContradictsTheModelIsRefused) {
  ScriptWorld world(checked_options(), script_of(64, GetParam()));
  const Request good = ask_seeded(some_tokens(10), 10);
  const auto is_refused = [&](auto change) {
    Request request = good;
    change(request.params);
    return world.submit(request).code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(is_refused([](SamplingParams& params) { params.allowed = {1}; }));
  EXPECT_TRUE(is_refused([](SamplingParams& params) { params.bad_sequences = {{}}; }));
  EXPECT_TRUE(is_refused([](SamplingParams& params) { params.bad_sequences = {{1 << 20}}; }));
  EXPECT_TRUE(is_refused([](SamplingParams& params) { params.repetition.pattern_max = 5000; }));
}

TEST_P(AtDepth, CancelFreesTheBlocksWithinOneStep) {
  ScriptWorld world(checked_options(), script_of(64, GetParam()));
  Request request = ask_seeded(some_tokens(10), 100);
  request.n = 2;
  ASSERT_TRUE(world.submit(request).is_ok());
  for (int i = 0; i < 5; ++i) world.advance();
  world.cancel(RequestId{1});
  for (std::uint32_t i = 0; i < GetParam(); ++i) world.advance();
  EXPECT_EQ(world.core().stats().blocks_referenced, 0u);
  EXPECT_EQ(world.shown(RequestId{1})[1].finish, FinishReason::kCancelled);
  EXPECT_TRUE(world.shown(RequestId{1})[1].last.is_last);
  expect_right(world);
}

TEST_P(AtDepth, PromptScoresInChunksAndForBranches) {
  EngineOptions options = checked_options();
  options.scheduler.tokens_max = 8;
  ScriptOptions script = script_of(64, GetParam());
  script.capacity.logits_rows_max = 5;
  ScriptWorld world(options, script);
  Request request = ask_seeded(some_tokens(30), 4);
  ASSERT_TRUE(world.submit(request).is_ok());  // fills the cache, which scoring must not use
  world.run_until_idle();
  request.params.prompt_logprobs = 2;
  request.params.logprobs = 1;
  request.n = 3;
  ASSERT_TRUE(world.submit(request).is_ok());
  request.n = 1;
  request.params.tokens_max = 0;
  ASSERT_TRUE(world.submit(request).is_ok());
  request.prompt = {5};
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{2})[0].prompt_scores.size(), 29u);
  EXPECT_EQ(world.shown(RequestId{2})[0].prompt_scores[0].top.size(), 2u);
  EXPECT_TRUE(world.shown(RequestId{2})[1].prompt_scores.empty());
  EXPECT_EQ(world.shown(RequestId{2})[2].scores.size(), 4u);
  EXPECT_EQ(world.shown(RequestId{3})[0].prompt_scores.size(), 29u);
  EXPECT_TRUE(world.shown(RequestId{3})[0].tokens.empty());
  EXPECT_EQ(world.shown(RequestId{4})[0].finish, FinishReason::kLength);
  expect_right(world);
}

TEST_P(AtDepth, RawLogitsOfEveryPositionOnce) {
  EngineOptions options = checked_options();
  options.scheduler.tokens_max = 8;
  ScriptOptions script = script_of(64, GetParam());
  script.capacity.logits_rows_max = 5;
  script.capacity.context_max = 30;  // which one of them fills: nothing has to follow
  ScriptWorld world(options, script);
  for (const std::size_t size : {std::size_t{30}, std::size_t{1}}) {
    Request request = ask_seeded(some_tokens(size), 1);
    request.params.prompt_logprobs = 0;
    request.params.raw_logits = true;
    ASSERT_TRUE(world.submit(request).is_ok());
    ASSERT_TRUE(world.submit(ask_seeded(some_tokens(20), 9)).is_ok());  // asks for none
  }
  world.run_until_idle();
  const auto expected = [&](const std::vector<TokenId>& tokens) {
    std::vector<float> logits;
    ScriptOracle oracle(script.capacity);
    for (const TokenId token : tokens) {
      oracle.push(token);
      const std::vector<float> row = oracle.raw_logits();
      logits.insert(logits.end(), row.begin(), row.end());
    }
    return logits;
  };
  EXPECT_TRUE(world.shown(RequestId{1})[0].logits == expected(some_tokens(30)));
  EXPECT_TRUE(world.shown(RequestId{3})[0].logits == expected(some_tokens(1)));
  EXPECT_TRUE(world.shown(RequestId{2})[0].logits.empty());
  expect_right(world);
}

TEST_P(AtDepth, DraftsChangeNothingButTheNumberOfSteps) {
  ScriptOptions script = script_of(64, GetParam());
  script.drafts_max = 4;
  ScriptWorld world(checked_options(), script);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9, i), 60)).is_ok());
  world.run_until_idle();
  EXPECT_GT(world.script().drafts_accepted(), 0u);
  expect_right(world);
}

TEST_P(AtDepth, NonFiniteEndsItsOwnRequestOnly) {
  ScriptOptions script = script_of(64, GetParam());
  script.token_non_finite = 777;
  ScriptWorld world(checked_options(), script);
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9), 20)).is_ok());
  Request bad = ask_seeded({3, 777, 4}, 20);
  bad.n = 2;
  ASSERT_TRUE(world.submit(bad).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kLength);
  EXPECT_EQ(world.shown(RequestId{2})[0].finish, FinishReason::kNonFinite);
  EXPECT_EQ(world.shown(RequestId{2})[1].finish, FinishReason::kNonFinite);
  EXPECT_FALSE(world.shown(RequestId{2})[1].last.message.empty());
  expect_right(world);
}

TEST_P(AtDepth, AFaultEndsAllAndTheNextRequestStartsAnew) {
  ScriptOptions script = script_of(64, GetParam());
  script.step_fault = 4;
  ScriptWorld world(checked_options(), script);
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9), 20)).is_ok());
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9, 2), 20)).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kFault);
  EXPECT_EQ(world.shown(RequestId{2})[0].last.message, "scripted fault");
  EXPECT_EQ(world.core().stats().blocks_cached, 0u);
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9), 20)).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{3})[0].finish, FinishReason::kLength);
  expect_right(world);
}

TEST_P(AtDepth, DeadlinesEndWhatRunsAndWhatWaits) {
  EngineOptions options = checked_options();
  options.scheduler.rows_max = 1;
  ScriptWorld world(options, script_of(64, GetParam()));
  Request request = ask_seeded(some_tokens(9), 1000);
  request.params.tokens_max = 100;
  request.deadline = Nanos(10);
  ASSERT_TRUE(world.submit(request).is_ok());
  ASSERT_TRUE(world.submit(request).is_ok());
  request.deadline.reset();
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kDeadline);
  EXPECT_GT(world.shown(RequestId{1})[0].tokens.size(), 0u);
  EXPECT_EQ(world.shown(RequestId{2})[0].finish, FinishReason::kDeadline);
  EXPECT_EQ(world.shown(RequestId{3})[0].finish, FinishReason::kLength);
  expect_right(world);
}

TEST_P(AtDepth, WindowGroupsLetGoOfWhatFellBehind) {
  ScriptOptions script = script_of(64, GetParam());
  script.capacity.groups.push_back({.layers = 1, .block_tokens = 4, .blocks = 41, .window = 10});
  EngineOptions options = checked_options();
  options.scheduler.tokens_max = 16;
  ScriptWorld world(options, script);
  // 60 blocks in the first group; far more than the second has for two of them.
  for (int i = 0; i < 4; ++i) {
    Request request = ask_seeded(some_tokens(100, i % 2), 100);
    request.n = 1 + i % 2;
    ASSERT_TRUE(world.submit(request).is_ok());
  }
  expect_right(world);
}

TEST(EngineCore, AFullCacheHitFeedsOneToken) {
  ScriptWorld world(checked_options(), script_of(64));
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(40), 1)).is_ok());
  world.run_until_idle();
  const std::uint64_t before = world.core().stats().computed_tokens;
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(40), 1)).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.core().stats().computed_tokens, before + 1);
  EXPECT_EQ(world.shown(RequestId{2})[0].last.usage.cached_tokens, 39u);
  expect_right(world);
}

TEST(EngineCore, GeneratedBlocksAreReusedByTheNextTurn) {
  ScriptWorld world(checked_options(), script_of(64));
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(10), 20)).is_ok());
  world.run_until_idle();
  std::vector<TokenId> next = some_tokens(10);
  for (const TokenId token : world.shown(RequestId{1})[0].tokens) next.push_back(token);
  next.push_back(3);
  ASSERT_TRUE(world.submit(ask_seeded(next, 1)).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{2})[0].last.usage.cached_tokens, 28u);
  expect_right(world);
}

TEST(EngineCore, NamespacesShareNothing) {
  ScriptWorld world(checked_options(), script_of(64));
  Request request = ask_seeded(some_tokens(40), 1);
  for (int i = 0; i < 4; ++i) {
    request.tenant = i == 1 ? "a" : "";
    request.cache_salt = i == 2 ? "s" : "";
    request.adapter = i == 3 ? 1 : 0;
    ASSERT_TRUE(world.submit(request).is_ok());
    world.run_until_idle();
    EXPECT_EQ(world.shown(RequestId{static_cast<std::uint64_t>(i + 1)})[0].last.usage.cached_tokens,
              0u);
  }
  expect_right(world);
}

TEST(EngineCore, BranchesCanBeRunAlone) {
  ScriptWorld world(checked_options(), script_of(100));
  Request request = ask_seeded(some_tokens(19), 12);
  request.n = 4;
  ASSERT_TRUE(world.submit(request).is_ok());
  request.n = 1;
  request.branch_first = 2;
  ASSERT_TRUE(world.submit(request).is_ok());
  world.run_until_idle();
  EXPECT_EQ(world.shown(RequestId{2})[0].tokens, world.shown(RequestId{1})[2].tokens);
  expect_right(world);
}

TEST(EngineCore, PriorityGoesFirstAndPushesOut) {
  EngineOptions options = checked_options();
  options.scheduler.rows_max = 2;
  ScriptWorld world(options, script_of(64));
  for (int i = 0; i < 3; ++i) {
    Request request = ask_seeded(some_tokens(9, i), 30);
    request.priority = 5;
    ASSERT_TRUE(world.submit(request).is_ok());
  }
  for (int i = 0; i < 4; ++i) world.advance();
  Request urgent = ask_seeded(some_tokens(5, 9), 5);
  urgent.priority = 1;
  ASSERT_TRUE(world.submit(urgent).is_ok());
  for (int i = 0; i < 5; ++i) world.advance();
  EXPECT_EQ(world.shown(RequestId{4})[0].finish, FinishReason::kLength);
  EXPECT_EQ(world.shown(RequestId{1})[0].finish, FinishReason::kNone);
  EXPECT_EQ(world.core().stats().preemptions, 1u);
  expect_right(world);
}

TEST(EngineCore, StaticBatchingAdmitsOnlyWhenNothingRuns) {
  EngineOptions options = checked_options();
  options.scheduler.is_static_batching = true;
  ScriptWorld world(options, script_of(64));
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9), 20)).is_ok());
  world.advance();
  ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9, 3), 2)).is_ok());
  for (int i = 0; i < 10; ++i) world.advance();
  EXPECT_TRUE(world.shown(RequestId{2})[0].tokens.empty());
  expect_right(world);
}

TEST(EngineCore, WhatCanNeverBeServedIsRefused) {
  EngineOptions options = checked_options();
  options.queue_max = 2;
  ScriptOptions script = script_of(8);  // 32 positions
  script.capacity.context_max = 64;
  ScriptWorld world(options, script);
  EXPECT_EQ(world.submit(ask_seeded({}, 5)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(world.submit(ask_seeded(some_tokens(64), 5)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(world.submit(ask_seeded({1000}, 5)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(world.submit(ask_seeded({-1}, 5)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(world.submit(ask_seeded(some_tokens(30), 4)).code(), StatusCode::kInvalidArgument);
  Request crowd = ask_seeded({1}, 1);
  crowd.n = 1'000'000;
  EXPECT_EQ(world.submit(crowd).code(), StatusCode::kInvalidArgument);
  Request stop = ask_seeded({1}, 1);
  stop.params.stop_strings = {"x"};
  EXPECT_EQ(world.submit(stop).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(world.submit(ask_seeded(some_tokens(30), 3)).is_ok());
  EXPECT_TRUE(world.submit(ask_seeded(some_tokens(5), 3)).is_ok());
  EXPECT_EQ(world.submit(ask_seeded(some_tokens(5), 3)).code(), StatusCode::kResourceExhausted);
  expect_right(world);
}

TEST(EngineCore, LogitsHashesAreTheSameInAnyCrowd) {
  EngineOptions options = checked_options();
  options.is_hashing_logits = true;
  std::vector<std::uint64_t> alone;
  for (const int crowd : {0, 5}) {
    ScriptWorld world(options, script_of(100));
    for (int i = 0; i < crowd; ++i)
      ASSERT_TRUE(world.submit(ask_seeded(some_tokens(9, i + 2), 9)).is_ok());
    Request request = ask_seeded(some_tokens(11), 1);
    request.id = RequestId{99};
    ASSERT_TRUE(world.submit(request).is_ok());
    world.run_until_idle();
    const auto& hashes = world.shown(RequestId{99})[0].last.logits_hashes;
    ASSERT_EQ(hashes.size(), 1u);
    if (alone.empty()) alone = hashes;
    EXPECT_EQ(hashes, alone);
  }
}

}  // namespace
}  // namespace quire
