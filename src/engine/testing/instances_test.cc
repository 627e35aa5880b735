// An engine of several instances: one door, equal answers, and what happens to one of them.
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/testing/script_executor.h"
#include "sched/testing/dice.h"

namespace quire {
namespace {

constexpr std::uint32_t kBlocks = 200;

// Gathers events, and who brought them; tests wait for what they expect.
class Listener {
 public:
  void operator()(StepEvents events) {
    const std::lock_guard lock(mutex_);
    for (TokenEvent& event : events.events) {
      Answer& answer = answers_[event.request.value];
      answer.tokens.insert(answer.tokens.end(), event.accepted.begin(), event.accepted.end());
      answer.instance = events.instance;
      if (event.is_last) answer.finish = event.finish;
    }
    if (events.inspection != nullptr) inspection_ = events.inspection;
    changed_.notify_all();
  }

  struct Answer {
    std::vector<TokenId> tokens;
    std::uint32_t instance = 0;
    FinishReason finish = FinishReason::kNone;
  };
  Answer wait_for_end(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_[id].finish != FinishReason::kNone; });
    return answers_[id];
  }
  EngineInspection wait_for_answer(std::uint64_t question) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inspection_ && inspection_->question == question; });
    return *inspection_;
  }
  bool has_ended(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return answers_[id].finish != FinishReason::kNone;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Answer> answers_;
  std::shared_ptr<const EngineInspection> inspection_;
};

// An executor whose steps wait at a gate.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++come_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  void wait_for(int steps) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return come_ >= steps; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  int come_ = 0;
};

class GatedExecutor final : public Executor {
 public:
  GatedExecutor(const ScriptOptions& options, Gate& gate) : script_(options), gate_(gate) {}
  const Capacity& capacity() const override { return script_.capacity(); }
  Ticket launch(const StepPlan& plan) override {
    gate_.pass();
    return script_.launch(plan);
  }
  void sample(Ticket ticket, const SampleSpec& spec) override { script_.sample(ticket, spec); }
  StepResult finish(Ticket ticket) override { return script_.finish(ticket); }

 private:
  ScriptExecutor script_;
  Gate& gate_;
};

ScriptOptions script_options() {
  ScriptOptions options{.capacity = script_capacity(kBlocks)};
  options.capacity.context_max = 600;
  return options;
}

using Executors = std::vector<std::unique_ptr<Executor>>;

Executors scripts(std::size_t count) {
  Executors executors;
  while (executors.size() < count) {
    executors.push_back(std::make_unique<ScriptExecutor>(script_options()));
  }
  return executors;
}

EngineOptions checked_options() {
  EngineOptions options;
  options.is_checking_invariants = true;
  options.queue_max = 100;
  return options;
}

Request ask(std::uint64_t id, std::vector<TokenId> prompt, int tokens_max) {
  Request request;
  request.id = RequestId{id};
  request.prompt = std::move(prompt);
  request.params.tokens_max = tokens_max;
  return request;
}

void expect_answer(const Capacity& capacity, const std::vector<TokenId>& prompt,
                   const Listener::Answer& answer) {
  EXPECT_EQ(answer.finish, FinishReason::kLength);
  ScriptOracle oracle(capacity);
  oracle.push(prompt);
  for (const TokenId token : answer.tokens) {
    ASSERT_EQ(token, oracle.draw(0, 0));
    oracle.push(token);
  }
}

TEST(Instances, RequestsAreSpreadAndAnswersDoNotTellWhere) {
  Listener listener;
  Engine engine(checked_options(), scripts(3), nullptr, std::ref(listener));
  EXPECT_EQ(engine.instances(), 3u);
  engine.pause(true);
  for (std::uint64_t id = 1; id <= 6; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {5, 6, 7}, 20)).is_ok());
  }
  ASSERT_TRUE(engine.submit_all({ask(7, {5, 6, 7}, 20), ask(8, {5, 6, 7}, 20)}).is_ok());
  engine.pause(false);
  const std::vector<TokenId> first = listener.wait_for_end(1).tokens;
  EXPECT_EQ(first.size(), 20u);
  for (std::uint64_t id = 1; id <= 8; ++id) {
    const Listener::Answer answer = listener.wait_for_end(id);
    expect_answer(engine.capacity(), {5, 6, 7}, answer);
    EXPECT_EQ(answer.tokens, first);
    EXPECT_EQ(answer.instance, id > 6 ? 0 : (id - 1) % 3) << "request " << id;
  }
}

TEST(Instances, ClientsOnManyThreadsGetTheirOwnAnswers) {
  Listener listener;
  Engine engine(checked_options(), scripts(3), nullptr, std::ref(listener));
  std::vector<std::thread> clients;
  for (std::uint64_t c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      for (std::uint64_t i = 0; i < 20; ++i) {
        const std::uint64_t id = c * 20 + i + 1;
        ASSERT_TRUE(engine.submit(ask(id, {7, 7, 7, static_cast<TokenId>(id)}, 9)).is_ok());
        if (i % 5 == 4) listener.wait_for_end(id);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (std::uint64_t id = 1; id <= 80; ++id) {
    expect_answer(engine.capacity(), {7, 7, 7, static_cast<TokenId>(id)},
                  listener.wait_for_end(id));
  }
  while (!engine.is_idle()) std::this_thread::yield();
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.generated_tokens, 80u * 9);
  EXPECT_EQ(stats.prompt_tokens, 80u * 4);
  EXPECT_EQ(stats.requests_running + stats.requests_waiting, 0u);
  EXPECT_EQ(stats.blocks_total, 3u * kBlocks);
  EXPECT_EQ(stats.blocks_free + stats.blocks_cached + stats.blocks_referenced, 3u * kBlocks);
}

TEST(Instances, ACancelReachesItsInstanceAndNobodyElse) {
  Listener listener;
  Engine engine(checked_options(), scripts(2), nullptr, std::ref(listener));
  engine.pause(true);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {1, static_cast<TokenId>(id)}, 30)).is_ok());
  }
  engine.cancel(RequestId{2});
  const Listener::Answer gone = listener.wait_for_end(2);
  EXPECT_EQ(gone.finish, FinishReason::kCancelled);
  EXPECT_EQ(gone.instance, 1u);
  engine.pause(false);
  for (const std::uint64_t id : {1u, 3u, 4u}) {
    EXPECT_EQ(listener.wait_for_end(id).finish, FinishReason::kLength);
  }
}

TEST(Instances, DrainFinishesTheRequestsOfAll) {
  Listener listener;
  Engine engine(checked_options(), scripts(2), nullptr, std::ref(listener));
  engine.pause(true);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {1, 2, 3}, 50)).is_ok());
  }
  engine.drain();
  EXPECT_EQ(engine.submit(ask(5, {1}, 5)).code(), StatusCode::kUnavailable);
  EXPECT_FALSE(engine.is_idle());
  engine.pause(false);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(listener.wait_for_end(id).finish, FinishReason::kLength);
  }
  while (!engine.is_idle()) std::this_thread::yield();
  EXPECT_EQ(engine.stats().generated_tokens, 200u);
}

TEST(Instances, TheEndOfTheEngineCancelsWhatIsLeftOfAll) {
  Listener listener;
  {
    Engine engine(checked_options(), scripts(3), nullptr, std::ref(listener));
    engine.pause(true);
    for (std::uint64_t id = 1; id <= 10; ++id) {
      ASSERT_TRUE(engine.submit(ask(id, {1, 2, 3}, 400)).is_ok());
    }
  }
  for (std::uint64_t id = 1; id <= 10; ++id) EXPECT_TRUE(listener.has_ended(id));
}

TEST(Instances, TheQueueOfATenantIsTheEnginesAndNoInstances) {
  Listener listener;
  EngineOptions options = checked_options();
  options.queue_max = 4;
  Engine engine(options, scripts(2), nullptr, std::ref(listener));
  engine.pause(true);
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(engine.submit(ask(id, {1}, 3)).is_ok());
  EXPECT_EQ(engine.submit(ask(2, {1}, 3)).code(), StatusCode::kInvalidArgument) << "wherever it is";
  ASSERT_TRUE(engine.submit(ask(4, {1}, 3)).is_ok());
  EXPECT_EQ(engine.submit(ask(5, {1}, 3)).code(), StatusCode::kResourceExhausted);
  engine.pause(false);
  for (std::uint64_t id = 1; id <= 4; ++id) listener.wait_for_end(id);
}

TEST(Instances, AFaultEndsTheRequestsOfItsInstanceAlone) {
  Listener listener;
  Executors executors = scripts(2);
  ScriptOptions broken = script_options();
  broken.step_fault = 2;
  executors[0] = std::make_unique<ScriptExecutor>(broken);
  Engine engine(checked_options(), std::move(executors), nullptr, std::ref(listener));
  engine.pause(true);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {1, 2, static_cast<TokenId>(id)}, 9)).is_ok());
  }
  engine.pause(false);
  EXPECT_EQ(listener.wait_for_end(1).finish, FinishReason::kFault);
  EXPECT_EQ(listener.wait_for_end(3).finish, FinishReason::kFault);
  expect_answer(engine.capacity(), {1, 2, 2}, listener.wait_for_end(2));
  expect_answer(engine.capacity(), {1, 2, 4}, listener.wait_for_end(4));
  ASSERT_TRUE(engine.submit_at_once(ask(5, {1, 2, 5}, 9), 0).is_ok());
  expect_answer(engine.capacity(), {1, 2, 5}, listener.wait_for_end(5));  // it starts anew
}

TEST(Instances, AnInspectionIsOfAllAndComesWhenTheLastHasAnswered) {
  Listener listener;
  Engine engine(checked_options(), scripts(2), nullptr, std::ref(listener));
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(engine.submit_at_once(ask(i + 1, std::vector<TokenId>(40, 3), 1), i).is_ok());
    EXPECT_EQ(listener.wait_for_end(i + 1).instance, i);
  }
  for (std::uint64_t question = 1; question <= 9; ++question) engine.inspect(question);
  const KvInspection kv = listener.wait_for_answer(9).kv;
  ASSERT_EQ(kv.groups.size(), 1u);
  EXPECT_EQ(kv.groups[0].block_map.size(), 2u * kBlocks);
  EXPECT_EQ(kv.groups[0].free + kv.groups[0].cached + kv.groups[0].referenced, 2u * kBlocks);
  EXPECT_EQ(kv.groups[0].cached, kv.tree_blocks);
  EXPECT_EQ(kv.nodes, 20u) << "each has the text in its own cache";
  EXPECT_EQ(kv.largest.size(), 2u);
  EXPECT_EQ(kv.by_age[0].blocks, 20u);
  engine.reset_prefix_cache();
  engine.inspect(10);
  EXPECT_EQ(listener.wait_for_answer(10).kv.groups[0].free, 2u * kBlocks);
}

TEST(Instances, OneThatHangsIsSeenAlthoughAnotherGoesOn) {
  Listener listener;
  Gate gate;
  Executors executors = scripts(2);
  executors[1] = std::make_unique<GatedExecutor>(script_options(), gate);
  Engine engine(checked_options(), std::move(executors), nullptr, std::ref(listener));
  ASSERT_TRUE(engine.submit_at_once(ask(1, {1, 2}, 3), 1).is_ok());
  gate.wait_for(1);
  const Nanos hung_at = engine.last_step_at();
  for (std::uint64_t id = 2; id <= 5; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {1, 2}, 9)).is_ok());
    EXPECT_EQ(listener.wait_for_end(id).instance, 0u) << "who is busy gets no more";
    EXPECT_EQ(engine.last_step_at(), hung_at);
    EXPECT_FALSE(engine.is_resting());
  }
  gate.open();
  listener.wait_for_end(1);
  ASSERT_TRUE(engine.submit(ask(6, {1, 2}, 1)).is_ok());
  listener.wait_for_end(6);
  EXPECT_GT(engine.last_step_at(), hung_at);
}

TEST(Instances, ABatchOfTheCommonQueueIsOneInstances) {
  Listener listener;
  Gate gates[2];
  Executors executors;
  for (Gate& gate : gates) {
    executors.push_back(std::make_unique<GatedExecutor>(script_options(), gate));
  }
  EngineOptions options = checked_options();
  options.scheduler.rows_max = 4;
  options.batching = {.preferred = {4}, .delay_us_max = 3'600'000'000, .queue = {.size_max = 4}};
  Engine engine(options, std::move(executors), nullptr, std::ref(listener));
  for (std::uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(engine.submit(ask(id, {1}, 2)).is_ok());
  gates[0].wait_for(1);
  for (std::uint64_t id = 5; id <= 8; ++id) ASSERT_TRUE(engine.submit(ask(id, {1}, 2)).is_ok());
  gates[1].wait_for(1);
  for (std::uint64_t id = 9; id <= 12; ++id) ASSERT_TRUE(engine.submit(ask(id, {1}, 2)).is_ok());
  EXPECT_EQ(engine.submit(ask(13, {1}, 2)).message(), kQueueFull) << "all places are taken";
  gates[1].open();
  for (std::uint64_t id = 5; id <= 12; ++id) {
    EXPECT_EQ(listener.wait_for_end(id).instance, 1u) << "whoever is free goes on, request " << id;
  }
  gates[0].open();
  for (std::uint64_t id = 1; id <= 4; ++id) EXPECT_EQ(listener.wait_for_end(id).instance, 0u);
}

// Come, go, pause and look on four threads at once: everybody ends, once and as it should be.
TEST(Instances, WhateverHappensAtOnceEverybodyEnds) {
  constexpr std::uint64_t kSeed = 11;
  RecordProperty("seed", std::to_string(kSeed));
  for (const bool batches : {false, true}) {
    Listener listener;
    EngineOptions options = checked_options();
    options.scheduler.rows_max = 3;
    options.queue_max = 1000;
    if (batches) options.batching = {.preferred = {2}, .delay_us_max = 200};
    Engine engine(options, scripts(3), nullptr, std::ref(listener));
    std::vector<std::thread> clients;
    for (std::uint64_t c = 0; c < 4; ++c) {
      clients.emplace_back([&, c] {
        Dice dice(kSeed + c);
        for (std::uint64_t i = 0; i < 60; ++i) {
          const std::uint64_t id = c * 60 + i + 1;
          ASSERT_TRUE(engine.submit(ask(id, {1, static_cast<TokenId>(id)}, 7)).is_ok());
          if (id % 3 == 0) engine.cancel(RequestId{id - dice.below(2)});
          if (dice.below(10) == 0) engine.pause(true);
          if (dice.below(20) == 0) engine.reset_prefix_cache();
          if (dice.below(5) == 0) engine.pause(false);
          (void)engine.stats();
          (void)engine.is_resting();
          (void)engine.last_step_at();
        }
      });
    }
    for (std::thread& client : clients) client.join();
    engine.pause(false);
    for (std::uint64_t id = 1; id <= 240; ++id) {
      const Listener::Answer answer = listener.wait_for_end(id);
      if (answer.finish == FinishReason::kCancelled) continue;
      expect_answer(engine.capacity(), {1, static_cast<TokenId>(id)}, answer);
    }
    while (!engine.is_idle()) std::this_thread::yield();
    EXPECT_EQ(engine.stats().requests_running + engine.stats().requests_waiting, 0u);
  }
}

}  // namespace
}  // namespace quire
