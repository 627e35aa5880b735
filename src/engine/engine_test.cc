// Engine: the thread, with clients on other threads.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "engine/testing/script_executor.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

// Gathers events; tests wait for what they expect.
class Gatherer {
 public:
  void operator()(StepEvents events) {
    const std::lock_guard lock(mutex_);
    for (TokenEvent& event : events.events) {
      auto& tokens = tokens_[event.request];
      tokens.insert(tokens.end(), event.accepted.begin(), event.accepted.end());
      texts_[event.request] += event.text;
      if (event.is_last) finished_[event.request] = event.finish;
    }
    stats_ = events.stats;
    if (events.inspection != nullptr) inspection_ = events.inspection;
    changed_.notify_all();
  }
  EngineInspection wait_for_answer(std::uint64_t question) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inspection_ && inspection_->question == question; });
    return *inspection_;
  }
  FinishReason wait_for_end(RequestId id) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_.contains(id); });
    return finished_[id];
  }
  void wait_for_tokens(RequestId id, std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tokens_[id].size() >= count; });
  }
  std::vector<TokenId> tokens(RequestId id) {
    const std::lock_guard lock(mutex_);
    return tokens_[id];
  }
  std::string text(RequestId id) {
    const std::lock_guard lock(mutex_);
    return texts_[id];
  }
  std::size_t finished() {
    const std::lock_guard lock(mutex_);
    return finished_.size();
  }
  EngineStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<RequestId, std::vector<TokenId>> tokens_;
  std::map<RequestId, std::string> texts_;
  std::map<RequestId, FinishReason> finished_;
  EngineStats stats_;
  std::shared_ptr<const EngineInspection> inspection_;
};

EngineOptions queue_of_100() {
  EngineOptions options;
  options.is_checking_invariants = true;
  options.queue_max = 100;
  return options;
}

std::unique_ptr<Executor> script(std::uint32_t depth) {
  ScriptOptions options{.capacity = script_capacity(200)};
  options.capacity.depth = depth;
  options.capacity.context_max = 600;
  return std::make_unique<ScriptExecutor>(options);
}

Request ask(std::uint64_t id, std::vector<TokenId> prompt, int tokens_max) {
  Request request;
  request.id = RequestId{id};
  request.prompt = std::move(prompt);
  request.params.tokens_max = tokens_max;
  return request;
}

class EngineAtDepth : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Depths, EngineAtDepth, testing::Values(1, 2));

TEST_P(EngineAtDepth, ClientsOnManyThreadsGetTheirOwnAnswers) {
  Gatherer gatherer;
  Engine engine(queue_of_100(), script(GetParam()), nullptr, std::ref(gatherer));
  std::vector<std::thread> clients;
  for (std::uint64_t c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      for (std::uint64_t i = 0; i < 20; ++i) {
        const auto token = static_cast<TokenId>(c * 20 + i);
        ASSERT_TRUE(engine.submit(ask(c * 20 + i + 1, {7, 7, 7, token}, 9)).is_ok());
        if (i % 5 == 4) gatherer.wait_for_end(RequestId{c * 20 + i + 1});
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (std::uint64_t id = 1; id <= 80; ++id) {
    EXPECT_EQ(gatherer.wait_for_end(RequestId{id}), FinishReason::kLength);
    ScriptOracle oracle(engine.capacity());
    oracle.push(std::vector<TokenId>{7, 7, 7, static_cast<TokenId>(id - 1)});
    for (const TokenId token : gatherer.tokens(RequestId{id})) {
      ASSERT_EQ(token, oracle.draw(0, 0));
      oracle.push(token);
    }
  }
  EXPECT_GT(engine.last_step_at().count(), 0);
}

TEST_P(EngineAtDepth, AClientThatLeavesFreesItsBlocks) {
  Gatherer gatherer;
  std::mutex gate;  // holds the engine thread inside the sink, so that the cancel is in time
  std::unique_lock closed(gate);
  Engine engine(queue_of_100(), script(GetParam()), nullptr, [&](StepEvents events) {
    gatherer(std::move(events));
    if (gatherer.tokens(RequestId{1}).size() < 3) return;
    const std::lock_guard wait(gate);
  });
  ASSERT_TRUE(engine.submit(ask(1, {1, 2, 3}, 500)).is_ok());
  gatherer.wait_for_tokens(RequestId{1}, 3);
  engine.cancel(RequestId{1});
  closed.unlock();
  EXPECT_EQ(gatherer.wait_for_end(RequestId{1}), FinishReason::kCancelled);
  engine.cancel(RequestId{1});
  ASSERT_TRUE(engine.submit(ask(2, {4}, 1)).is_ok());
  gatherer.wait_for_end(RequestId{2});
  EXPECT_LT(gatherer.tokens(RequestId{1}).size(), 500u);
  EXPECT_LE(gatherer.stats().blocks_referenced, 1u);
}

TEST(Engine, DrainRefusesNewRequestsAndFinishesTheOld) {
  Gatherer gatherer;
  Engine engine(queue_of_100(), script(1), nullptr, std::ref(gatherer));
  ASSERT_TRUE(engine.submit(ask(1, {1, 2, 3}, 50)).is_ok());
  engine.drain();
  EXPECT_EQ(engine.submit(ask(2, {1}, 5)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(gatherer.wait_for_end(RequestId{1}), FinishReason::kLength);
  while (!engine.is_idle()) std::this_thread::yield();
  EXPECT_EQ(engine.stats().requests_running, 0u);
  EXPECT_EQ(engine.stats().generated_tokens, 50u);
}

// The engine thread has taken the pause once it has answered a question that was asked behind it.
TEST_P(EngineAtDepth, APausedEngineKeepsWhatItHasAndGoesOn) {
  Gatherer gatherer;
  Engine engine(queue_of_100(), script(GetParam()), nullptr, std::ref(gatherer));
  engine.pause(true);
  engine.inspect(1);
  gatherer.wait_for_answer(1);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(engine.submit(ask(id, {1, 2, static_cast<TokenId>(id)}, 20)).is_ok());
  }
  engine.cancel(RequestId{3});
  EXPECT_EQ(gatherer.wait_for_end(RequestId{3}), FinishReason::kCancelled) << "who leaves, leaves";
  EXPECT_EQ(gatherer.finished(), 1u);
  EXPECT_EQ(gatherer.stats().steps, 0u);
  engine.pause(false);
  EXPECT_EQ(gatherer.wait_for_end(RequestId{1}), FinishReason::kLength);
  EXPECT_EQ(gatherer.wait_for_end(RequestId{2}), FinishReason::kLength);
}

TEST(Engine, ThePrefixCacheIsForgottenBetweenSteps) {
  Gatherer gatherer;
  Engine engine(queue_of_100(), script(1), nullptr, std::ref(gatherer));
  const std::vector<TokenId> prompt(100, 7);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    if (id == 3) engine.reset_prefix_cache();
    ASSERT_TRUE(engine.submit(ask(id, prompt, 1)).is_ok());
    gatherer.wait_for_end(RequestId{id});
  }
  EXPECT_GT(gatherer.stats().prefix_cached_tokens, 0u);
  EXPECT_LT(gatherer.stats().prefix_cached_tokens, 100u) << "of the second request alone";
}

TEST(Engine, TheQueueIsBounded) {
  Gatherer gatherer;
  EngineOptions options = queue_of_100();
  options.queue_max = 3;
  options.scheduler.rows_max = 1;
  std::mutex gate;  // holds the engine thread inside the sink
  std::unique_lock closed(gate);
  Engine engine(options, script(1), nullptr, [&](StepEvents events) {
    gatherer(std::move(events));
    const std::lock_guard wait(gate);
  });
  ASSERT_TRUE(engine.submit(ask(1, {1}, 3)).is_ok());
  gatherer.wait_for_tokens(RequestId{1}, 1);
  for (std::uint64_t id = 2; id <= 3; ++id) ASSERT_TRUE(engine.submit(ask(id, {1}, 3)).is_ok());
  StatusCode code = StatusCode::kOk;
  for (std::uint64_t id = 4; id <= 6; ++id) code = engine.submit(ask(id, {1}, 3)).code();
  EXPECT_EQ(code, StatusCode::kResourceExhausted);
  closed.unlock();
  gatherer.wait_for_end(RequestId{3});
}

TEST(Engine, TheEndOfTheEngineCancelsWhatIsLeft) {
  Gatherer gatherer;
  {
    Engine engine(queue_of_100(), script(2), nullptr, std::ref(gatherer));
    for (std::uint64_t id = 1; id <= 10; ++id) {
      ASSERT_TRUE(engine.submit(ask(id, {1, 2, 3}, 400)).is_ok());
    }
  }
  EXPECT_EQ(gatherer.finished(), 10u);
}

TEST_P(EngineAtDepth, QuestionsAreAnsweredAsleepAndBetweenSteps) {
  Gatherer gatherer;
  std::mutex gate;  // holds the engine thread inside the sink while a request is under way
  std::unique_lock closed(gate);
  Engine engine(queue_of_100(), script(GetParam()), nullptr, [&](StepEvents events) {
    const bool is_step = !events.rows.empty();
    gatherer(std::move(events));
    if (!is_step) return;
    const std::lock_guard wait(gate);
  });
  engine.inspect(1);
  EXPECT_EQ(gatherer.wait_for_answer(1).kv.groups[0].block_map, std::string(200, 'f'));
  EXPECT_TRUE(engine.is_idle());
  ASSERT_TRUE(engine.submit(ask(1, {1, 2, 3, 4, 5, 6}, 500)).is_ok());
  gatherer.wait_for_tokens(RequestId{1}, 1);
  for (std::uint64_t question = 2; question <= 10; ++question) engine.inspect(question);
  closed.unlock();
  const KvInspection kv = gatherer.wait_for_answer(10).kv;
  EXPECT_NE(kv.groups[0].block_map.find('r'), std::string::npos);
  EXPECT_EQ(engine.limits().rows_max, queue_of_100().scheduler.rows_max);
}

TEST(Engine, TextComesWithATokenizer) {
  Gatherer gatherer;
  ScriptOptions options{.capacity = script_capacity(200)};
  options.capacity.vocab = 128;
  Engine engine(queue_of_100(), std::make_unique<ScriptExecutor>(options),
                byte_level_tokenizer(), std::ref(gatherer));
  ASSERT_TRUE(engine.submit(ask(1, {'a'}, 40)).is_ok());
  Request bad = ask(2, {'a'}, 40);
  bad.params.stop_strings = {""};
  EXPECT_EQ(engine.submit(bad).code(), StatusCode::kInvalidArgument);
  gatherer.wait_for_end(RequestId{1});
  std::string expected;
  for (const TokenId token : gatherer.tokens(RequestId{1})) expected += static_cast<char>(token);
  EXPECT_EQ(gatherer.text(RequestId{1}), expected);
}

}  // namespace
}  // namespace quire
