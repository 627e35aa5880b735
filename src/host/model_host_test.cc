// ModelHost with scripted models: what a test cannot make happen in time waits at a door.
#include "host/model_host.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "host/testing/script_model.h"

namespace quire {
namespace {

class ModelHostTest : public ::testing::Test {
 protected:
  void start(ShelfOptions options = {}) {
    host_ = std::make_unique<ModelHost>(options);
    ASSERT_TRUE(host_->add(script_recipe({"a", "alias"}, a_)).is_ok());
    ASSERT_TRUE(host_->add(script_recipe({"b"}, b_)).is_ok());
    ASSERT_TRUE(host_->add(script_recipe({"c"}, c_)).is_ok());
  }

  ScriptFile a_, b_, c_;
  std::unique_ptr<ModelHost> host_;
};

TEST_F(ModelHostTest, ModelsAreFoundByEveryNameAndNamesAreUnique) {
  start();
  EXPECT_EQ(host_->find("a"), std::optional<std::size_t>(0));
  EXPECT_EQ(host_->find("alias"), std::optional<std::size_t>(0));
  EXPECT_EQ(host_->find("c"), std::optional<std::size_t>(2));
  EXPECT_EQ(host_->find("d"), std::nullopt);
  ScriptFile file;
  const std::vector<std::vector<std::string>> bad = {{}, {""}, {"d", "b"}, {"e", "e"}};
  for (const auto& names : bad) {
    EXPECT_EQ(host_->add(script_recipe(names, file)).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(host_->size(), 3u);
  EXPECT_EQ(a_.opened, 0) << "nothing is opened before it is wanted";
}

TEST_F(ModelHostTest, OneModelMayAnswerToAnyName) {
  ScriptFile one, other;
  ModelHost host;
  ASSERT_TRUE(host.add(script_recipe({"a", kAnyName}, one)).is_ok());
  ASSERT_TRUE(host.add(script_recipe({"b"}, other)).is_ok()) << "a name of its own is no conflict";
  EXPECT_FALSE(host.add(script_recipe({"c", kAnyName}, other)).is_ok());
  EXPECT_EQ(host.find("b"), 1u);
  EXPECT_EQ(host.find("whatever"), 0u);
  EXPECT_FALSE(host.find(""));
}

TEST_F(ModelHostTest, AModelIsLoadedWhenItIsWantedAndItsArrivalTold) {
  start();
  Ear ear(*host_);
  EXPECT_EQ(host_->lease(1).status().code(), StatusCode::kUnavailable);
  b_.door.set_open(false);
  const auto wish = host_->want(1);
  ASSERT_TRUE(wish.is_ok());
  EXPECT_EQ(*wish, nullptr);
  EXPECT_EQ(host_->unload(1).code(), StatusCode::kUnavailable) << "it is being loaded";
  EXPECT_EQ(model_state_name(host_->rows()[1].state), "loading");
  b_.door.set_open(true);
  const auto arrived = ear.wait_for_arrival(1);
  ASSERT_TRUE(arrived.is_ok());
  EXPECT_EQ((*arrived)->name(), "b");
  EXPECT_EQ(*host_->lease(1), *arrived);
  EXPECT_EQ(*host_->want(1), *arrived);
  const ModelRow row = host_->rows()[1];
  EXPECT_EQ(row.state, ModelState::kReady);
  EXPECT_EQ(row.bytes, 40u);
  EXPECT_EQ(row.loads, 1u);
  EXPECT_EQ(row.info.context_max, 64u);
}

TEST_F(ModelHostTest, WhoWaitsForAModelGoesOnWhenItsArrivalIsTold) {
  start();
  std::atomic<int> told = 0;
  host_->listen({.step = {}, .arrival = [&](auto, const auto&) {
                   std::this_thread::sleep_for(std::chrono::milliseconds(10));
                   ++told;
                 }});
  EXPECT_TRUE(host_->load_now(0).is_ok());
  EXPECT_EQ(told, 1);
  b_.is_damaged = true;
  EXPECT_FALSE(host_->load_now(1).is_ok());
  EXPECT_EQ(told, 2);
  host_->listen({});
}

TEST_F(ModelHostTest, EventsGoToTheListenerUntilThereIsNone) {
  start();
  const ModelLease model = *host_->load_now(0);
  {
    Ear ear(*host_);
    ASSERT_TRUE(model->engine->submit(small_request(1)).is_ok());
    ear.wait_for_ends(1);
  }
  Ear ear(*host_);
  host_->listen({});
  ASSERT_TRUE(model->engine->submit(small_request(2)).is_ok());
  while (!host_->is_idle()) std::this_thread::yield();
  EXPECT_EQ(ear.ended(), 0) << "nobody was told of the second";
}

TEST_F(ModelHostTest, WhileOneLoadsTheOthersWork) {
  start();
  Ear ear(*host_);
  const ModelLease model = *host_->load_now(0);
  b_.door.set_open(false);
  ASSERT_TRUE(host_->want(1).is_ok());
  while (b_.opened == 0) std::this_thread::yield();
  ASSERT_TRUE(model->engine->submit(small_request(1)).is_ok());
  ear.wait_for_ends(1);
  EXPECT_TRUE(host_->lease(0).is_ok());
  b_.door.set_open(true);
  EXPECT_TRUE(ear.wait_for_arrival(1).is_ok());
}

TEST_F(ModelHostTest, AFailedLoadIsToldAndTriedAgainLater) {
  start({.retry_after = std::chrono::milliseconds(50)});
  Ear ear(*host_);
  a_.is_damaged = true;
  ASSERT_TRUE(host_->want(0).is_ok());
  const Status failure = ear.wait_for_arrival(0).status();
  EXPECT_EQ(failure.code(), StatusCode::kInternal);
  EXPECT_EQ(failure.message(), "The model 'a' cannot be loaded: byte 7 is wrong");
  EXPECT_TRUE(host_->load_now(1).is_ok()) << "the others are served on";
  const ModelRow row = host_->rows()[0];
  EXPECT_EQ(row.failures, 1u);
  EXPECT_EQ(row.failure, failure.message());
  a_.is_damaged = false;
  while (host_->retry_in(0) > Nanos{0}) std::this_thread::yield();
  EXPECT_TRUE(host_->load_now(0).is_ok());
  EXPECT_TRUE(host_->rows()[0].failure.empty());
}

TEST_F(ModelHostTest, AModelThatHasLostItsFileIsLoadedAnewForWhoComesNext) {
  start({.retry_after = std::chrono::milliseconds(50)});
  Result<ModelLease> user = host_->load_now(0);
  a_.is_lost = a_.is_damaged = true;
  EXPECT_EQ(host_->lease(0).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(a_.alive, 1) << "somebody uses it";
  user = ModelLease();
  EXPECT_EQ(host_->load_now(0).status().message(),
            "The model 'a' cannot be loaded: byte 7 is wrong");
  EXPECT_EQ(a_.alive, 0);
  a_.is_lost = a_.is_damaged = false;
  while (host_->retry_in(0) > Nanos{0}) std::this_thread::yield();
  EXPECT_TRUE(host_->load_now(0).is_ok());
}

TEST_F(ModelHostTest, AfterAFailureNobodyOpensTheFileForAWhile) {
  start({.retry_after = std::chrono::hours(1)});
  a_.throws = true;
  EXPECT_EQ(host_->load_now(0).status().message(),
            "The model 'a' cannot be loaded: the library gave up");
  EXPECT_EQ(host_->lease(0).status().code(), StatusCode::kInternal);
  EXPECT_EQ(host_->want(0).status().code(), StatusCode::kInternal);
  EXPECT_EQ(host_->load_now(0).status().code(), StatusCode::kInternal);
  EXPECT_EQ(a_.opened, 1);
  EXPECT_GT(host_->retry_in(0), std::chrono::minutes(59));
}

TEST_F(ModelHostTest, TheLeastRecentlyUsedLeavesMemoryForWhoIsWanted) {
  start({.bytes_max = 100});
  host_->load_now(0).status();
  host_->load_now(1).status();
  host_->lease(0).status();  // now b is the older one
  EXPECT_TRUE(host_->load_now(2).is_ok());
  const std::vector<ModelRow> rows = host_->rows();
  EXPECT_EQ(rows[0].state, ModelState::kReady);
  EXPECT_EQ(rows[1].state, ModelState::kUnloaded);
  EXPECT_EQ(rows[1].unloads, 1u);
  EXPECT_EQ(rows[1].bytes, 0u);
  EXPECT_EQ(b_.alive, 0);
}

TEST_F(ModelHostTest, WhatNeverFitsFailsWithTheNumbers) {
  a_.bytes = std::uint64_t{3} << 20;
  start({.bytes_max = std::uint64_t{2} << 20});
  ASSERT_TRUE(host_->load_now(1).is_ok());
  const std::string message = host_->load_now(0).status().message();
  EXPECT_NE(message.find("take 3 MiB"), std::string::npos) << message;
  EXPECT_NE(message.find("may take 2 MiB"), std::string::npos) << message;
  EXPECT_EQ(host_->rows()[1].state, ModelState::kReady) << "nobody left for it";
}

TEST_F(ModelHostTest, ABusyModelIsDrainedBeforeItLeaves) {
  start({.bytes_max = 50});
  ModelLease busy = *host_->load_now(0);
  Ear ear(*host_);
  ASSERT_TRUE(host_->want(1).is_ok());
  wait_for_state(*host_, 0, ModelState::kUnloading);
  EXPECT_EQ(host_->lease(0).status().code(), StatusCode::kUnavailable) << "no new users";
  ASSERT_TRUE(busy->engine->submit(small_request(1)).is_ok());
  ear.wait_for_ends(1);  // who is in finishes
  EXPECT_EQ(a_.alive, 1);
  const auto missed = host_->want(0);  // by somebody who came too late
  ASSERT_TRUE(missed.is_ok());
  EXPECT_EQ(*missed, nullptr);
  busy.reset();
  EXPECT_TRUE(ear.wait_for_arrival(1).is_ok());
  const auto back = ear.wait_for_arrival(0);
  ASSERT_TRUE(back.is_ok());
  EXPECT_EQ(a_.opened, 2);
}

TEST_F(ModelHostTest, CountersGoOnAfterAnUnload) {
  start();
  Ear ear(*host_);
  for (int life = 1; life <= 3; ++life) {
    ModelLease model = *host_->load_now(0);
    ASSERT_TRUE(ear.wait_for_arrival(0).is_ok());  // which is a lease as well
    ASSERT_TRUE(model->engine->submit(small_request(1)).is_ok());
    ear.wait_for_ends(life);
    EXPECT_EQ(host_->rows()[0].stats.generated_tokens, 2u * static_cast<unsigned>(life));
    ASSERT_TRUE(host_->unload(0).is_ok());
    EXPECT_EQ(host_->rows()[0].state, ModelState::kUnloading);
    model.reset();
    wait_for_state(*host_, 0, ModelState::kUnloaded);
    EXPECT_EQ(host_->rows()[0].stats.generated_tokens, 2u * static_cast<unsigned>(life));
    EXPECT_EQ(host_->rows()[0].stats.blocks_total, 0u) << "gauges are of the present";
  }
  EXPECT_EQ(host_->rows()[0].loads, 3u);
  EXPECT_EQ(host_->rows()[0].unloads, 3u);
}

TEST_F(ModelHostTest, AnIdleModelLeavesAfterItsKeepAlive) {
  start({.keep_alive = std::chrono::milliseconds(20)});
  ModelLease used = *host_->load_now(0);
  host_->load_now(1).status();
  wait_for_state(*host_, 1, ModelState::kUnloaded);
  EXPECT_EQ(host_->rows()[0].state, ModelState::kReady) << "it is in use";
  used.reset();
  wait_for_state(*host_, 0, ModelState::kUnloaded);
  EXPECT_EQ(a_.alive, 0);
}

TEST_F(ModelHostTest, AKeepAliveOfAModelActsWhereOthersStay) {
  start();
  ASSERT_TRUE(host_->load_now(0).is_ok());
  ASSERT_TRUE(host_->load_now(1).is_ok());
  EXPECT_EQ(host_->rows()[1].keep_alive, kForever);
  host_->set_keep_alive(1, std::chrono::milliseconds(1));
  wait_for_state(*host_, 1, ModelState::kUnloaded);
  EXPECT_EQ(host_->rows()[0].state, ModelState::kReady);
  EXPECT_EQ(host_->rows()[1].keep_alive, kForever);
  host_->set_keep_alive(99, Nanos{0});
}

TEST_F(ModelHostTest, DrainingReachesEveryEngineAndLoadsNothing) {
  start();
  const ModelLease a = *host_->load_now(0), b = *host_->load_now(1);
  host_->drain();
  EXPECT_EQ(a->engine->submit(small_request(1)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(b->engine->submit(small_request(1)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(host_->want(2).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(c_.opened, 0);
}

TEST_F(ModelHostTest, AsleepNothingIsInMemoryAndWakingBringsItBack) {
  start();
  ModelLease a = *host_->load_now(0);
  ASSERT_TRUE(host_->load_now(1).is_ok());
  ASSERT_TRUE(host_->sleep().is_ok());
  ASSERT_TRUE(host_->sleep().is_ok()) << "twice is once";
  EXPECT_TRUE(host_->is_asleep());
  EXPECT_EQ(host_->rows()[0].state, ModelState::kUnloading) << "it is in use";
  a.reset();
  wait_for_state(*host_, 0, ModelState::kUnloaded);
  wait_for_state(*host_, 1, ModelState::kUnloaded);
  EXPECT_EQ(host_->want(0).status().code(), StatusCode::kUnavailable);
  EXPECT_NE(host_->want(2).status().message().find("/wake_up"), std::string::npos);
  host_->wake();
  EXPECT_FALSE(host_->is_asleep());
  wait_for_state(*host_, 0, ModelState::kReady);
  wait_for_state(*host_, 1, ModelState::kReady);
  EXPECT_EQ(host_->rows()[2].state, ModelState::kUnloaded) << "it was not here before";
}

// Threads that want, use and unload whatever chance tells them to, with room for two of three.
TEST_F(ModelHostTest, ManyThreadsWantManyModels) {
  start({.bytes_max = 100});
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&, seed] {
      unsigned state = seed;
      for (int i = 0; i < 100; ++i) {
        state = state * 1664525 + 1013904223;
        const std::size_t model = state / 65536 % 3;
        if (state / 1024 % 16 == 0) (void)host_->unload(model);  // may be loading: fine
        const auto lease = host_->load_now(model);
        if (!lease.is_ok()) continue;  // it left again before we had it
        EXPECT_EQ((*lease)->name(), host_->names(model).front());
        ++served;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(served, 100);
  for (const ModelRow& row : host_->rows()) EXPECT_EQ(row.failures, 0u);
  EXPECT_LE(a_.alive + b_.alive + c_.alive, 2);
}

}  // namespace
}  // namespace quire
