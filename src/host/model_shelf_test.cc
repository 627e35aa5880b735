// ModelShelf under times that the test makes up: every rule of its header, and a long random
// history against the promises that must hold at each step.
#include "host/model_shelf.h"

#include <gtest/gtest.h>

#include <random>

namespace quire {
namespace {

using Work = ModelShelf::Work;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

ModelShelf shelf_of(std::size_t models, ShelfOptions options) {
  ModelShelf shelf(options);
  for (std::size_t i = 0; i < models; ++i) shelf.add();
  return shelf;
}

void expect_task(ModelShelf& shelf, Nanos now, Work work, std::size_t model) {
  const ModelShelf::Task task = shelf.next(now);
  EXPECT_EQ(static_cast<int>(task.work), static_cast<int>(work));
  EXPECT_EQ(task.model, model);
}

void expect_rest(ModelShelf& shelf, Nanos now, Nanos until = kForever) {
  const ModelShelf::Task task = shelf.next(now);
  EXPECT_EQ(static_cast<int>(task.work), static_cast<int>(Work::kRest));
  EXPECT_EQ(task.until, until);
}

// Through all of its tasks, where nothing stands in the way.
void load(ModelShelf& shelf, std::size_t model, std::uint64_t bytes, Nanos now = kStart) {
  shelf.want(model);
  expect_task(shelf, now, Work::kOpen, model);
  shelf.opened(model, bytes);
  expect_task(shelf, now, Work::kLoad, model);
  shelf.loaded(model, now);
  EXPECT_EQ(shelf.state(model), ModelState::kReady);
}

TEST(ModelShelfTest, AWishIsOpenedAndLoadedOnce) {
  ModelShelf shelf = shelf_of(2, {});
  expect_rest(shelf, kStart);
  shelf.want(1);
  shelf.want(1);
  EXPECT_EQ(model_state_name(shelf.state(1)), "loading");
  expect_task(shelf, kStart, Work::kOpen, 1);
  shelf.opened(1, 50);
  EXPECT_EQ(shelf.bytes_used(), 0u);
  expect_task(shelf, kStart, Work::kLoad, 1);
  EXPECT_EQ(shelf.bytes_used(), 50u);
  shelf.want(1);
  shelf.loaded(1, kStart);
  shelf.want(1);
  expect_rest(shelf, kStart + seconds(100'000));
}

TEST(ModelShelfTest, TheLeastRecentlyUsedMakesRoom) {
  ModelShelf shelf = shelf_of(4, {.bytes_max = 100});
  for (const std::size_t model : {0, 1, 2}) load(shelf, model, 30);
  shelf.lease(0, kStart + seconds(1));  // now 1 is the oldest
  shelf.give_back(0, kStart + seconds(2));
  shelf.want(3);
  expect_task(shelf, kStart, Work::kOpen, 3);
  shelf.opened(3, 40);
  expect_task(shelf, kStart, Work::kUnload, 1);
  EXPECT_EQ(shelf.bytes_used(), 90u) << "it is there until it is gone";
  shelf.unloaded(1);
  expect_task(shelf, kStart, Work::kLoad, 3);
  shelf.loaded(3, kStart);
  EXPECT_EQ(shelf.bytes_used(), 100u);
  EXPECT_EQ(shelf.state(0), ModelState::kReady);
  EXPECT_EQ(shelf.state(1), ModelState::kUnloaded);
}

TEST(ModelShelfTest, AnIdleModelGoesBeforeABusyOneThatIsOlder) {
  ModelShelf shelf = shelf_of(3, {.bytes_max = 100});
  load(shelf, 0, 50);
  shelf.lease(0, kStart);
  load(shelf, 1, 50);
  shelf.want(2);
  expect_task(shelf, kStart, Work::kOpen, 2);
  shelf.opened(2, 50);
  expect_task(shelf, kStart, Work::kUnload, 1);
  EXPECT_EQ(shelf.state(0), ModelState::kReady);
}

TEST(ModelShelfTest, ABusyModelIsDrainedAndComesBackForWhoMissesIt) {
  ModelShelf shelf = shelf_of(2, {.bytes_max = 100});
  load(shelf, 0, 60);
  shelf.lease(0, kStart);
  shelf.lease(0, kStart);
  shelf.want(1);
  expect_task(shelf, kStart, Work::kOpen, 1);
  shelf.opened(1, 60);
  expect_rest(shelf, kStart);
  EXPECT_EQ(shelf.state(0), ModelState::kUnloading) << "no new users";
  shelf.want(0);  // one that came too late
  EXPECT_FALSE(shelf.give_back(0, kStart));
  expect_rest(shelf, kStart);
  EXPECT_TRUE(shelf.give_back(0, kStart));
  expect_task(shelf, kStart, Work::kUnload, 0);
  shelf.unloaded(0);
  EXPECT_EQ(shelf.state(0), ModelState::kWanted);
  expect_task(shelf, kStart, Work::kLoad, 1);
  shelf.loaded(1, kStart);
  expect_task(shelf, kStart, Work::kOpen, 0);
  shelf.opened(0, 60);
  expect_task(shelf, kStart, Work::kUnload, 1);
}

TEST(ModelShelfTest, WhatNeverFitsIsRefusedAndNobodyGoesForIt) {
  ModelShelf shelf = shelf_of(2, {.bytes_max = 100, .retry_after = seconds(5)});
  load(shelf, 0, 60);
  shelf.want(1);
  expect_task(shelf, kStart, Work::kOpen, 1);
  shelf.opened(1, 101);
  expect_task(shelf, kStart, Work::kRefuse, 1);
  shelf.failed(1, Status(StatusCode::kResourceExhausted, "too large"), kStart);
  expect_rest(shelf, kStart);
  EXPECT_EQ(shelf.state(0), ModelState::kReady);
  EXPECT_EQ(shelf.failure(1).message(), "too large");
}

TEST(ModelShelfTest, AFailureHoldsForAWhile) {
  ModelShelf shelf = shelf_of(1, {.retry_after = seconds(5)});
  shelf.want(0);
  expect_task(shelf, kStart, Work::kOpen, 0);
  shelf.failed(0, Status(StatusCode::kCorrupt, "a bad byte"), kStart);
  EXPECT_EQ(shelf.state(0), ModelState::kUnloaded);
  EXPECT_FALSE(shelf.may_try(0, kStart + seconds(4)));
  EXPECT_TRUE(shelf.may_try(0, kStart + seconds(5)));
  load(shelf, 0, 10);
  EXPECT_TRUE(shelf.failure(0).is_ok());
  EXPECT_TRUE(shelf.may_try(0, kStart));
}

TEST(ModelShelfTest, KeepAliveCountsFromTheLastUse) {
  ModelShelf shelf = shelf_of(2, {.keep_alive = seconds(60)});
  load(shelf, 0, 10, kStart);
  load(shelf, 1, 10, kStart + seconds(10));
  expect_rest(shelf, kStart + seconds(20), kStart + seconds(60));
  shelf.lease(0, kStart + seconds(50));
  expect_rest(shelf, kStart + seconds(69), kStart + seconds(70));
  expect_task(shelf, kStart + seconds(70), Work::kUnload, 1);
  shelf.unloaded(1);
  expect_rest(shelf, kStart + seconds(500));  // 0 is in use
  EXPECT_TRUE(shelf.give_back(0, kStart + seconds(600)));
  expect_rest(shelf, kStart + seconds(600), kStart + seconds(660));
  expect_task(shelf, kStart + seconds(660), Work::kUnload, 0);
}

TEST(ModelShelfTest, AKeepAliveOfNothingUnloadsAtOnce) {
  ModelShelf shelf = shelf_of(1, {.keep_alive = Nanos{0}});
  shelf.want(0);
  expect_task(shelf, kStart, Work::kOpen, 0);
  shelf.opened(0, 10);
  expect_task(shelf, kStart, Work::kLoad, 0);
  shelf.loaded(0, kStart);
  shelf.lease(0, kStart);  // what the load was for
  expect_rest(shelf, kStart);
  EXPECT_TRUE(shelf.give_back(0, kStart + seconds(1)));
  expect_task(shelf, kStart + seconds(1), Work::kUnload, 0);
}

TEST(ModelShelfTest, AModelMayHaveAKeepAliveOfItsOwn) {
  ModelShelf shelf = shelf_of(2, {.keep_alive = seconds(60)});
  EXPECT_FALSE(shelf.set_keep_alive(0, seconds(1))) << "it is not here";
  EXPECT_EQ(shelf.keep_alive(0), seconds(60));
  load(shelf, 0, 10);
  load(shelf, 1, 10);
  EXPECT_TRUE(shelf.set_keep_alive(0, kForever));
  EXPECT_TRUE(shelf.set_keep_alive(1, Nanos::max() - seconds(1))) << "no sum overflows";
  expect_rest(shelf, kStart + seconds(100'000));
  shelf.lease(1, kStart + seconds(100'000));
  EXPECT_FALSE(shelf.set_keep_alive(1, seconds(5))) << "its user has not gone";
  EXPECT_TRUE(shelf.give_back(1, kStart + seconds(100'000)));
  expect_rest(shelf, kStart + seconds(100'000), kStart + seconds(100'005));
  expect_task(shelf, kStart + seconds(100'005), Work::kUnload, 1);
  shelf.unloaded(1);
  load(shelf, 1, 10, kStart + seconds(100'010));
  EXPECT_EQ(shelf.keep_alive(1), seconds(60)) << "it went with the model";
  EXPECT_TRUE(shelf.set_keep_alive(0, std::nullopt));
  expect_task(shelf, kStart + seconds(100'010), Work::kUnload, 0);
}

TEST(ModelShelfTest, DismissingDrains) {
  ModelShelf shelf = shelf_of(1, {});
  EXPECT_TRUE(shelf.dismiss(0).is_ok()) << "it is not here: fine";
  shelf.want(0);
  EXPECT_EQ(shelf.dismiss(0).code(), StatusCode::kUnavailable);
  load(shelf, 0, 10);
  shelf.lease(0, kStart);
  EXPECT_TRUE(shelf.dismiss(0).is_ok());
  EXPECT_EQ(shelf.state(0), ModelState::kUnloading);
  expect_rest(shelf, kStart);
  EXPECT_TRUE(shelf.give_back(0, kStart));
  expect_task(shelf, kStart, Work::kUnload, 0);
  shelf.unloaded(0);
  EXPECT_EQ(shelf.state(0), ModelState::kUnloaded);
  expect_rest(shelf, kStart);
}

TEST(ModelShelfTest, APinnedModelGoesNeitherForAnotherNorUnusedButWhereItIsDismissed) {
  ModelShelf shelf = shelf_of(3, {.bytes_max = 100, .keep_alive = seconds(10)});
  shelf.pin(0, true);  // before it is here
  load(shelf, 0, 50);
  load(shelf, 1, 50);
  shelf.want(2);
  expect_task(shelf, kStart, Work::kOpen, 2);
  shelf.opened(2, 50);
  expect_task(shelf, kStart, Work::kUnload, 1);
  shelf.unloaded(1);
  expect_task(shelf, kStart, Work::kLoad, 2);
  shelf.loaded(2, kStart);
  expect_task(shelf, kStart + seconds(10), Work::kUnload, 2);
  shelf.unloaded(2);
  expect_rest(shelf, kStart + seconds(1000));
  EXPECT_EQ(shelf.state(0), ModelState::kReady);
  shelf.want(1);
  expect_task(shelf, kStart, Work::kOpen, 1);
  shelf.opened(1, 51);
  expect_task(shelf, kStart, Work::kRefuse, 1);
  shelf.failed(1, Status(StatusCode::kResourceExhausted, "too large"), kStart);
  EXPECT_TRUE(shelf.dismiss(0).is_ok());
  expect_task(shelf, kStart, Work::kUnload, 0);
  shelf.unloaded(0);
  load(shelf, 0, 50);
  EXPECT_TRUE(shelf.is_pinned(0)) << "over loads";
  shelf.pin(0, false);
  expect_task(shelf, kStart + seconds(10), Work::kUnload, 0);
}

// Random wishes, uses and failures: the budget holds at every moment, nothing that is in use is
// unloaded, and every wish is granted or refused in the end.
TEST(ModelShelfTest, RandomHistoriesKeepThePromises) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 rng(seed);
    const auto below = [&](std::uint64_t n) { return static_cast<std::size_t>(rng() % n); };
    const std::uint64_t sizes[] = {40, 50, 60, 30, 120};
    ModelShelf shelf = shelf_of(5, {.bytes_max = 110, .keep_alive = seconds(20)});
    std::vector<std::size_t> users;  // the model of each
    Nanos now = kStart;
    int loads = 0;
    for (int step = 0; step < 2000; ++step) {
      now += std::chrono::milliseconds(below(2000));
      const std::size_t model = below(5);
      if (below(3) == 0 && shelf.may_try(model, now)) shelf.want(model);
      if (below(20) == 0) shelf.pin(below(4), below(3) == 0);
      if (shelf.state(model) == ModelState::kReady && users.size() < 3) {
        shelf.lease(model, now);
        users.push_back(model);
      } else if (!users.empty()) {
        std::swap(users[below(users.size())], users.back());
        shelf.give_back(users.back(), now);
        users.pop_back();
      }
      const ModelShelf::Task task = shelf.next(now);
      ASSERT_LE(shelf.bytes_used(), 110u) << "seed " << seed << ", step " << step;
      switch (task.work) {
        case Work::kRest: break;
        case Work::kOpen: shelf.opened(task.model, sizes[task.model]); break;
        case Work::kLoad:
          ++loads;
          if (below(10) == 0) {
            shelf.failed(task.model, Status(StatusCode::kCorrupt, "chance"), now);
          } else {
            shelf.loaded(task.model, now);
          }
          break;
        case Work::kRefuse:
          ASSERT_TRUE(task.model == 4u || shelf.pinned_bytes() > 0);
          shelf.failed(task.model, Status(StatusCode::kResourceExhausted, "large"), now);
          break;
        case Work::kUnload:
          ASSERT_EQ(std::count(users.begin(), users.end(), task.model), 0);
          shelf.unloaded(task.model);
          break;
      }
    }
    EXPECT_GT(loads, 50) << "seed " << seed;
    for (const std::size_t model : users) shelf.give_back(model, now);
    for (int i = 0; i < 100; ++i) {  // nobody wants anything any more: all wishes come to an end
      const ModelShelf::Task task = shelf.next(now);
      if (task.work == Work::kOpen) shelf.opened(task.model, sizes[task.model]);
      if (task.work == Work::kLoad) shelf.loaded(task.model, now);
      if (task.work == Work::kUnload) shelf.unloaded(task.model);
      if (task.work == Work::kRefuse) {
        shelf.failed(task.model, Status(StatusCode::kInternal, "large"), now);
      }
    }
    for (std::size_t model = 0; model < 5; ++model) {
      EXPECT_NE(shelf.state(model), ModelState::kWanted) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace quire
