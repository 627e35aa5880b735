// Dynamic batching over the script, in virtual time: which requests the steps let in together, when
// and in which order; and over the thread, what must hold whatever the time.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_core.h"
#include "engine/testing/script_executor.h"

namespace quire {
namespace {

using Ids = std::vector<std::uint64_t>;

constexpr Nanos ms(std::int64_t millis) { return std::chrono::milliseconds(millis); }

EngineOptions options_with(DynamicBatching batching, std::uint32_t rows_max) {
  EngineOptions options;
  options.scheduler.rows_max = rows_max;
  options.batching = std::move(batching);
  options.is_checking_invariants = true;
  return options;
}

Request ask(std::uint64_t id, int tokens = 1, int priority = 0) {
  Request request;
  request.id = RequestId{id};
  for (int i = 0; i < 6; ++i) request.prompt.push_back(static_cast<TokenId>(id) * 7 + i);
  request.params.tokens_max = tokens;
  request.params.seed = id;
  request.params.ignore_eos = true;
  request.priority = priority;
  return request;
}

// The core with a clock: requests come at their moments, a step takes ten milliseconds.
class World {
 public:
  struct Batch {
    Nanos at{0};
    Ids ids;
    auto operator<=>(const Batch&) const = default;
  };
  struct End {
    FinishReason reason = FinishReason::kNone;
    std::string message;
    Nanos at{0};
  };

  World(DynamicBatching batching, std::uint32_t rows_max)
      : script_({.capacity = script_capacity(256)}),
        core(options_with(std::move(batching), rows_max), script_, nullptr) {}

  void come(std::int64_t at_ms, Request request) {
    coming_.emplace(ms(at_ms), std::move(request));
  }

  void run() {
    for (int turn = 0; turn < 10'000; ++turn) {
      while (!coming_.empty() && coming_.begin()->first <= now_) {
        const auto first = coming_.begin();
        if (!core.submit(first->second, QueueTurn{first->first}).is_ok()) {
          refused.push_back(first->second.id.value);
        }
        coming_.erase(first);
      }
      core.let_in(now_);
      if (core.has_work()) {
        step();
        continue;
      }
      std::optional<Nanos> next = core.wake_at();
      if (!coming_.empty()) next = std::min(next.value_or(Nanos::max()), coming_.begin()->first);
      if (!next) return;
      ASSERT_GT(*next, now_) << "it would wake for nothing";
      now_ = *next;
    }
    FAIL() << "it never comes to rest";
  }

  Ids order() const {
    Ids all;
    for (const Batch& batch : batches) all.insert(all.end(), batch.ids.begin(), batch.ids.end());
    return all;
  }
  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> sizes;
    for (const Batch& batch : batches) sizes.push_back(batch.ids.size());
    return sizes;
  }

 private:
  ScriptExecutor script_;

 public:
  EngineCore core;
  std::vector<Batch> batches;  // whom a step computed for the first time
  std::map<std::uint64_t, End> ends;
  Ids refused;
  std::size_t rows_most = 0;

 private:
  void step() {
    const StepEvents events = core.advance(now_);
    Batch batch{now_, {}};
    for (const RowFact& row : events.rows) {
      if (row.is_admission) batch.ids.push_back(row.of.request.value);
    }
    if (!batch.ids.empty()) batches.push_back(batch);
    rows_most = std::max(rows_most, events.rows.size());
    if (!events.rows.empty()) now_ += ms(10);
    for (const TokenEvent& event : events.events) {
      if (event.is_last) ends[event.request.value] = {event.finish, event.message, now_};
    }
  }

  std::multimap<Nanos, Request> coming_;
  Nanos now_{0};
};

TEST(BatchingTest, WhatComesWithinTheDelayIsOneBatch) {
  World world({.delay_us_max = 100'000}, 8);
  for (int i = 0; i < 3; ++i) world.come(i * 20, ask(static_cast<std::uint64_t>(i) + 1));
  world.come(150, ask(4));
  world.run();
  EXPECT_EQ(world.batches, (std::vector<World::Batch>{{ms(100), {1, 2, 3}}, {ms(250), {4}}}));
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(world.ends[id].reason, FinishReason::kLength);
  }
}

TEST(BatchingTest, APreferredSizeIsStartedWhenItIsReached) {
  World world({.preferred = {4}, .delay_us_max = 100'000}, 8);
  for (int i = 0; i < 6; ++i) world.come(i * 5, ask(static_cast<std::uint64_t>(i) + 1));
  world.run();
  EXPECT_EQ(world.batches,
            (std::vector<World::Batch>{{ms(15), {1, 2, 3, 4}}, {ms(120), {5, 6}}}));
}

TEST(BatchingTest, ACrowdIsComputedInBatchesOfTheMaximum) {
  World world({.delay_us_max = 50'000}, 4);
  for (std::uint64_t id = 1; id <= 10; ++id) world.come(0, ask(id, 3));
  world.run();
  EXPECT_EQ(world.sizes(), (std::vector<std::size_t>{4, 4, 2}));
  EXPECT_EQ(world.rows_most, 4u);
  EXPECT_EQ(world.batches[2].at, ms(60)) << "its delay passed while others were computed";
}

TEST(BatchingTest, ContinuousBatchingGoesOnWherePlacesBecomeFree) {
  World world({.delay_us_max = 5'000}, 2);
  world.come(0, ask(1, 10));
  world.come(0, ask(2, 2));
  world.come(1, ask(3, 1));
  world.come(1, ask(4, 1));
  world.run();
  EXPECT_EQ(world.batches, (std::vector<World::Batch>{{ms(0), {1, 2}}, {ms(20), {3}},
                                                      {ms(30), {4}}}));
}

TEST(BatchingTest, LevelsAreServedInTheirOrder) {
  World world({.levels = 3, .default_level = 2}, 1);
  world.come(0, ask(1, 5));
  world.come(1, ask(2, 1, 1));    // level 3
  world.come(2, ask(3, 1, 0));    // 2
  world.come(3, ask(4, 1, -1));   // 1
  world.come(4, ask(5, 1, 100));  // 3, the last
  world.come(5, ask(6, 1, -100)); // 1
  world.run();
  EXPECT_EQ(world.order(), (Ids{1, 4, 6, 3, 2, 5}));
}

TEST(BatchingTest, WhoWaitsTooLongIsTurnedAway) {
  World world({.queue = {.timeout_us = 30'000}}, 1);
  world.come(0, ask(1, 10));  // until 100 ms
  world.come(5, ask(2));
  world.come(90, ask(3));
  world.run();
  EXPECT_EQ(world.order(), (Ids{1, 3}));
  EXPECT_EQ(world.ends[2].reason, FinishReason::kDeadline);
  EXPECT_EQ(world.ends[2].message, "Request timeout expired");
  EXPECT_LE(world.ends[2].at, ms(50)) << "at the next step, not when there is a place";
  EXPECT_EQ(world.ends[1].reason, FinishReason::kLength) << "the timeout is of those that wait";
}

TEST(BatchingTest, WhoWaitsTooLongIsServedLast) {
  World world({.queue = {.delays = true, .timeout_us = 30'000}}, 1);
  world.come(0, ask(1, 10));
  world.come(5, ask(2));
  world.come(90, ask(3));
  world.run();
  EXPECT_EQ(world.order(), (Ids{1, 3, 2}));
  EXPECT_EQ(world.ends[2].reason, FinishReason::kLength);
}

TEST(BatchingTest, ARequestsOwnTimeoutHoldsWhereItIsAllowed) {
  for (const bool may_override : {true, false}) {
    World world({.queue = {.timeout_us = 500'000, .may_override = may_override}}, 1);
    world.come(0, ask(1, 10));
    Request hasty = ask(2);
    hasty.deadline = ms(25);
    world.come(5, hasty);
    Request calm = ask(3, 20);
    calm.deadline = ms(150);  // lets it in before, and does not end it
    world.come(5, calm);
    world.run();
    EXPECT_EQ(world.ends[2].reason,
              may_override ? FinishReason::kDeadline : FinishReason::kLength);
    EXPECT_EQ(world.ends[3].reason, FinishReason::kLength);
  }
}

TEST(BatchingTest, AFullLevelRefusesAndTheOthersDoNot) {
  DynamicBatching batching{.levels = 2, .default_level = 1};
  batching.queue_of[1].size_max = 2;
  World world(batching, 1);
  world.come(0, ask(1, 5));
  for (std::uint64_t id = 2; id <= 4; ++id) world.come(1, ask(id));
  world.come(1, ask(5, 1, 1));
  world.run();
  EXPECT_EQ(world.refused, (Ids{4}));
  EXPECT_EQ(world.order(), (Ids{1, 2, 3, 5}));
}

TEST(BatchingTest, WhoIsInNoHurryCanBeAskedNotToWait) {
  World world({.delay_us_max = 100'000}, 8);
  ASSERT_TRUE(world.core.submit(ask(9)).is_ok());
  world.come(0, ask(1));
  world.run();
  EXPECT_EQ(world.batches, (std::vector<World::Batch>{{ms(0), {9}}, {ms(100), {1}}}));
}

TEST(BatchingTest, WhoLeavesWhileHeWaitsIsToldSoAndLeavesNothing) {
  World world({.delay_us_max = 100'000}, 8);
  ASSERT_TRUE(world.core.submit(ask(1), QueueTurn{ms(0)}).is_ok());
  ASSERT_TRUE(world.core.submit(ask(2), QueueTurn{ms(0)}).is_ok());
  EXPECT_TRUE(world.core.let_in(ms(0)).empty());
  EXPECT_EQ(world.core.stats().requests_waiting, 2u);
  EXPECT_FALSE(world.core.has_work());
  world.core.cancel(RequestId{1});
  EXPECT_EQ(world.core.held(), 1u);
  world.run();
  EXPECT_EQ(world.ends[1].reason, FinishReason::kCancelled);
  EXPECT_EQ(world.order(), (Ids{2}));
  EXPECT_EQ(world.core.stats().requests_waiting, 0u);
}

TEST(BatchingTest, WithoutSettingsThatActNobodyIsHeld) {
  World world({.preferred = {4}}, 8);
  world.come(0, ask(1));
  world.come(1, ask(2));
  world.run();
  EXPECT_EQ(world.batches, (std::vector<World::Batch>{{ms(0), {1}}, {ms(10), {2}}}));
  EXPECT_EQ(world.core.held(), 0u);
}

// --- with the thread ---

class Gatherer {
 public:
  void take(const StepEvents& events) {
    const std::lock_guard lock(mutex_);
    for (const RowFact& row : events.rows) {
      if (row.is_admission) admitted_.push_back(row.of.request.value);
    }
    for (const TokenEvent& event : events.events) {
      if (event.is_last) ends_[event.request.value] = event;
    }
    waiting_ = events.stats.requests_waiting;
    changed_.notify_all();
  }
  TokenEvent wait_for_end(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_.contains(id); });
    return ends_[id];
  }
  void wait_for_waiting(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ == count; });
  }
  Ids admitted() {
    const std::lock_guard lock(mutex_);
    return admitted_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Ids admitted_;
  std::map<std::uint64_t, TokenEvent> ends_;
  std::uint64_t waiting_ = 0;
};

// What holds for one instance holds for several: they have one queue.
class BatchingThreadTest : public testing::TestWithParam<std::size_t> {
 protected:
  static std::unique_ptr<Engine> make_engine(DynamicBatching batching, std::uint32_t rows_max,
                                             Gatherer& gatherer) {
    std::vector<std::unique_ptr<Executor>> executors;
    while (executors.size() < GetParam()) {
      executors.push_back(
          std::make_unique<ScriptExecutor>(ScriptOptions{.capacity = script_capacity(256)}));
    }
    return std::make_unique<Engine>(
        options_with(std::move(batching), rows_max), std::move(executors), nullptr,
        [&](const StepEvents& events) { gatherer.take(events); });
  }
};
INSTANTIATE_TEST_SUITE_P(Instances, BatchingThreadTest, testing::Values(1, 2, 3));

constexpr std::uint64_t kHour = 3'600'000'000;  // microseconds

TEST_P(BatchingThreadTest, TheDelayPassesByItself) {
  Gatherer gatherer;
  const auto engine = make_engine({.delay_us_max = 2000}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  EXPECT_EQ(gatherer.wait_for_end(1).finish, FinishReason::kLength);
}

TEST_P(BatchingThreadTest, ABatchGoesWhenItIsFullAndUntilThenAllWaitAndAreSeen) {
  Gatherer gatherer;
  const auto engine = make_engine({.preferred = {3}, .delay_us_max = kHour}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  ASSERT_TRUE(engine->submit(ask(2)).is_ok());
  gatherer.wait_for_waiting(2);
  EXPECT_TRUE(gatherer.admitted().empty());
  EXPECT_FALSE(engine->is_idle());
  ASSERT_TRUE(engine->submit_at_once(ask(9)).is_ok());
  gatherer.wait_for_end(9);
  EXPECT_EQ(gatherer.admitted(), (Ids{9}));
  ASSERT_TRUE(engine->submit(ask(3)).is_ok());
  for (std::uint64_t id = 1; id <= 3; ++id) gatherer.wait_for_end(id);
  EXPECT_EQ(gatherer.admitted(), (Ids{9, 1, 2, 3}));
}

TEST_P(BatchingThreadTest, WhoFillsThePlacesOfThoseWhoEndedIsLetInAtOnce) {
  Gatherer gatherer;
  const auto engine = make_engine({.delay_us_max = kHour}, 1, gatherer);
  for (std::uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(engine->submit(ask(id)).is_ok());
  for (std::uint64_t id = 1; id <= 4; ++id) gatherer.wait_for_end(id);
}

TEST(BatchingTest, WithoutLevelsWhoIsInAHurryGoesFirst) {
  World world({.delay_us_max = 1000}, 1);
  world.come(0, ask(1, 1, 100));
  world.come(0, ask(2, 1, 0));
  world.come(0, ask(3, 1, -5));
  world.come(0, ask(4, 1, 0));
  world.run();
  EXPECT_EQ(world.batches, (std::vector<World::Batch>{
                               {ms(0), {3}}, {ms(10), {2}}, {ms(20), {4}}, {ms(30), {1}}}));
}

TEST_P(BatchingThreadTest, AFullQueueIsToldAtOnceAndHasRoomAgain) {
  Gatherer gatherer;
  const auto engine =
      make_engine({.preferred = {3}, .delay_us_max = kHour, .queue = {.size_max = 2}}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  ASSERT_TRUE(engine->submit(ask(2)).is_ok());
  const Status full = engine->submit(ask(3));
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "Exceeds maximum queue size");
  engine->cancel(RequestId{1});
  EXPECT_EQ(gatherer.wait_for_end(1).finish, FinishReason::kCancelled);
  while (!engine->submit(ask(4)).is_ok()) std::this_thread::yield();  // events go before the room
}

TEST_P(BatchingThreadTest, TimeoutsPassByThemselves) {
  Gatherer gatherer;
  const auto engine =
      make_engine({.delay_us_max = kHour, .queue = {.timeout_us = 1000}}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  const TokenEvent end = gatherer.wait_for_end(1);
  EXPECT_EQ(end.finish, FinishReason::kDeadline);
  EXPECT_EQ(end.message, "Request timeout expired");
}

TEST_P(BatchingThreadTest, WhoWaitsWhenTheEngineEndsIsTold) {
  Gatherer gatherer;
  auto engine = make_engine({.delay_us_max = kHour}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  engine.reset();
  EXPECT_EQ(gatherer.wait_for_end(1).finish, FinishReason::kCancelled);
}

TEST_P(BatchingThreadTest, DrainingLetsAllInWhoWait) {
  Gatherer gatherer;
  const auto engine = make_engine({.preferred = {8}, .delay_us_max = kHour}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  ASSERT_TRUE(engine->submit(ask(2)).is_ok());
  engine->drain();
  EXPECT_EQ(gatherer.wait_for_end(1).finish, FinishReason::kLength);
  EXPECT_EQ(gatherer.wait_for_end(2).finish, FinishReason::kLength);
}

TEST_P(BatchingThreadTest, WhoIsToldNotToWaitGoesAtOnceAndWhoComesLaterToo) {
  Gatherer gatherer;
  const auto engine = make_engine({.preferred = {8}, .delay_us_max = kHour}, 8, gatherer);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  gatherer.wait_for_waiting(1);
  engine->stop_waiting();
  EXPECT_EQ(gatherer.wait_for_end(1).finish, FinishReason::kLength);
  ASSERT_TRUE(engine->submit(ask(2)).is_ok()) << "it is not closed";
  EXPECT_EQ(gatherer.wait_for_end(2).finish, FinishReason::kLength);
}

TEST_P(BatchingThreadTest, WhatComesTogetherCountsAsOneAndIsLetInOrRefusedTogether) {
  Gatherer gatherer;
  const auto engine =
      make_engine({.preferred = {5}, .delay_us_max = kHour, .queue = {.size_max = 2}}, 8, gatherer);
  ASSERT_TRUE(engine->submit_all({ask(1), ask(2), ask(3)}).is_ok());
  ASSERT_TRUE(engine->submit(ask(4)).is_ok()) << "the second of two";
  const Status full = engine->submit_all({ask(5), ask(6)});
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "Exceeds maximum queue size");
  gatherer.wait_for_waiting(4);
  EXPECT_TRUE(gatherer.admitted().empty()) << "nothing of what was refused is here";
  for (std::uint64_t id = 1; id <= 4; ++id) engine->cancel(RequestId{id});
  for (std::uint64_t id = 1; id <= 4; ++id) gatherer.wait_for_end(id);
  while (!engine->submit_all({ask(5), ask(6), ask(7), ask(8), ask(9)}).is_ok()) {
    std::this_thread::yield();  // events go before the room
  }
  for (std::uint64_t id = 5; id <= 9; ++id) gatherer.wait_for_end(id);
}

TEST_P(BatchingThreadTest, OneBadRequestOfSeveralLetsInNone) {
  Gatherer gatherer;
  const auto engine = make_engine({}, 8, gatherer);
  Request bad = ask(2);
  bad.prompt.clear();
  EXPECT_EQ(engine->submit_all({ask(1), bad}).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(engine->is_idle());
}

TEST_P(BatchingThreadTest, APauseHoldsThoseWhoseTurnItIsToo) {
  Gatherer gatherer;
  const auto engine = make_engine({.preferred = {2}, .delay_us_max = kHour}, 8, gatherer);
  engine->pause(true);
  ASSERT_TRUE(engine->submit(ask(1)).is_ok());
  ASSERT_TRUE(engine->submit(ask(2)).is_ok());
  gatherer.wait_for_waiting(2);
  EXPECT_TRUE(gatherer.admitted().empty());
  engine->pause(false);
  gatherer.wait_for_end(2);
}

}  // namespace
}  // namespace quire
