// Models and names that come and go while others are served.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "host/leased_turn.h"
#include "host/testing/script_model.h"

namespace quire {
namespace {

class ModelChangesTest : public ::testing::Test {
 protected:
  std::size_t add(std::vector<std::string> names, ScriptFile& file) {
    const auto added = host_.add(script_recipe(std::move(names), file));
    EXPECT_TRUE(added.is_ok()) << added.status().message();
    return added.is_ok() ? *added : std::size_t{999};
  }
  void wait_until_gone(std::size_t model) {
    while (!host_.is_gone(model)) std::this_thread::yield();
  }

  ScriptFile a_, b_;
  ModelHost host_;
};

TEST_F(ModelChangesTest, AnIndexIsNeverGivenAgainAndNamesAreFree) {
  const std::size_t first = add({"a", "alias"}, a_);
  ASSERT_TRUE(host_.load_now(first).is_ok());
  ASSERT_TRUE(host_.remove(first).is_ok());
  EXPECT_FALSE(host_.find("a"));
  EXPECT_FALSE(host_.find("alias"));
  EXPECT_EQ(host_.size(), 0u);
  EXPECT_TRUE(host_.rows().empty());
  const std::size_t second = add({"alias", "a"}, b_);
  EXPECT_NE(second, first);
  EXPECT_EQ(host_.find("a"), second);
  wait_until_gone(first);
  EXPECT_EQ(a_.alive, 0);
  ASSERT_EQ(host_.rows().size(), 1u);
  EXPECT_EQ(host_.rows().front().index, second);
}

TEST_F(ModelChangesTest, WhatIsAskedOfAModelThatIsGoneIsNotFound) {
  const std::size_t model = add({"a"}, a_);
  ASSERT_TRUE(host_.remove(model).is_ok());
  EXPECT_TRUE(host_.is_gone(model)) << "it was not in memory";
  EXPECT_EQ(host_.lease(model).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.lease("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.want(model).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.load_now(model).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.unload(model).code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.remove(model).code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.add_name(model, "b").code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.move_names({"b"}, model).code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.retry_in(model), Nanos{0});
  EXPECT_FALSE(host_.row(model));
  EXPECT_TRUE(host_.names(model).empty());
  EXPECT_EQ(a_.opened, 0);
}

TEST_F(ModelChangesTest, WhoUsesARemovedModelFinishes) {
  const std::size_t model = add({"a"}, a_);
  ModelLease user = *host_.load_now(model);
  Ear ear(host_);
  ASSERT_TRUE(host_.remove(model).is_ok());
  EXPECT_FALSE(host_.is_gone(model));
  EXPECT_EQ(host_.lease(model).status().code(), StatusCode::kNotFound) << "no new users";
  ASSERT_TRUE(user->engine->submit(small_request(1)).is_ok());
  ear.wait_for_ends(1);
  EXPECT_EQ(user->name(), "a");
  EXPECT_EQ(a_.alive, 1);
  user.reset();
  wait_until_gone(model);
  EXPECT_EQ(a_.alive, 0);
}

// Each of the ways in which a model goes: who waits an hour for company is let in at once.
TEST_F(ModelChangesTest, WhoWaitsForCompanyInAModelThatGoesDoesNotAnyMore) {
  a_.batching.delay_us_max = 3'600'000'000;
  using Way = std::function<Status(std::size_t)>;
  const Way ways[] = {[&](std::size_t model) { return host_.unload(model); },
                      [&](std::size_t model) { return host_.remove(model); },
                      [&](std::size_t) { return host_.sleep(); }};
  Ear ear(host_);
  std::uint64_t ends = 0;
  for (const Way& go : ways) {
    const std::string name = fmt::format("a{}", ends);
    const std::size_t model = add({name}, a_);
    ModelLease user = *host_.load_now(model);
    ASSERT_TRUE(user->engine->submit(small_request(++ends)).is_ok());
    EXPECT_FALSE(user->engine->is_idle());
    ASSERT_TRUE(go(model).is_ok());
    ear.wait_for_ends(static_cast<int>(ends));
    ASSERT_TRUE(user->engine->submit(small_request(++ends)).is_ok()) << "of a call that goes on";
    ear.wait_for_ends(static_cast<int>(ends));
  }
}

TEST_F(ModelChangesTest, AModelThatIsOnItsWayOutCanBeUnloadedAgain) {
  const std::size_t model = add({"a"}, a_);
  ASSERT_TRUE(host_.load_now(model).is_ok());
  a_.exit.set_open(false);
  ASSERT_TRUE(host_.unload(model).is_ok());
  while (host_.row(model)->bytes > 0) std::this_thread::yield();  // it ends just now
  EXPECT_EQ(host_.row(model)->state, ModelState::kUnloading);
  EXPECT_TRUE(host_.unload(model).is_ok());
  EXPECT_TRUE(host_.remove(model).is_ok());
  a_.exit.set_open(true);
  wait_until_gone(model);
}

TEST_F(ModelChangesTest, WhoTakesThePlaceOfAPinnedModelIsPinned) {
  const std::size_t old = add({"v1"}, a_);
  ASSERT_TRUE(host_.add_name(old, "m").is_ok());
  ASSERT_TRUE(host_.set_pinned(old, true).is_ok());
  EXPECT_TRUE(host_.row(old)->is_pinned);
  const auto fresh = host_.stage(script_recipe({"v2"}, b_));
  ASSERT_TRUE(fresh.is_ok());
  ASSERT_TRUE(host_.change({.come = {*fresh}, .go = {old}, .names = {{"m", *fresh}}}).is_ok());
  EXPECT_TRUE(host_.row(*fresh)->is_pinned);
  EXPECT_EQ(host_.set_pinned(old, true).code(), StatusCode::kNotFound);
}

TEST_F(ModelChangesTest, WhoWaitsForCompanyWhereAnotherNeedsTheRoomDoesNotAnyMore) {
  ModelHost host({.bytes_max = 60});
  a_.batching.delay_us_max = 3'600'000'000;
  ASSERT_TRUE(host.add(script_recipe({"a"}, a_)).is_ok());
  ASSERT_TRUE(host.add(script_recipe({"b"}, b_)).is_ok());
  {
    ModelLease user = *host.load_now(0);
    Ear ear(host);
    ASSERT_TRUE(user->engine->submit(small_request(1)).is_ok());
    ASSERT_TRUE(host.want(1).is_ok());
    ear.wait_for_ends(1);
  }
  EXPECT_TRUE(host.load_now(1).is_ok());
}

TEST_F(ModelChangesTest, AModelThatIsBeingLoadedIsNotRemoved) {
  const std::size_t model = add({"a"}, a_);
  Ear ear(host_);
  a_.door.set_open(false);
  ASSERT_TRUE(host_.want(model).is_ok());
  EXPECT_EQ(host_.remove(model).code(), StatusCode::kUnavailable);
  EXPECT_EQ(host_.find("a"), model);
  a_.door.set_open(true);
  ASSERT_TRUE(ear.wait_for_arrival(model).is_ok());
  EXPECT_TRUE(host_.remove(model).is_ok());
  wait_until_gone(model);
}

TEST_F(ModelChangesTest, WhoWaitsForAModelThatIsRemovedIsTold) {
  const std::size_t model = add({"a"}, a_);
  ModelLease user = *host_.load_now(model);
  Ear ear(host_);
  ASSERT_TRUE(host_.unload(model).is_ok());
  ASSERT_TRUE(host_.want(model).is_ok()) << "wanted back while it goes";
  ASSERT_TRUE(host_.remove(model).is_ok());
  EXPECT_EQ(ear.wait_for_arrival(model).status().code(), StatusCode::kNotFound);
  user.reset();
  wait_until_gone(model);
  EXPECT_EQ(a_.opened, 1) << "it did not come back";
}

TEST_F(ModelChangesTest, NamesAreAddedAndTakenAway) {
  const std::size_t a = add({"a"}, a_), b = add({"b"}, b_);
  ASSERT_TRUE(host_.add_name(a, "copy").is_ok());
  EXPECT_EQ(host_.find("copy"), a);
  EXPECT_TRUE(host_.is_added_name("copy"));
  EXPECT_FALSE(host_.is_added_name("a")) << "it came with its name";
  EXPECT_EQ(host_.names(a), (std::vector<std::string>{"a", "copy"}));
  EXPECT_EQ(host_.add_name(b, "copy").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(host_.add_name(b, "").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(host_.remove_name("a").code(), StatusCode::kInvalidArgument) << "its own";
  EXPECT_EQ(host_.remove_name("c").code(), StatusCode::kNotFound);
  ASSERT_TRUE(host_.remove_name("copy").is_ok());
  EXPECT_FALSE(host_.find("copy"));
  EXPECT_TRUE(host_.add_name(b, "copy").is_ok());
}

TEST_F(ModelChangesTest, NamesMoveTogetherOrNotAtAll) {
  const std::size_t a = add({"m:1", "m", "latest"}, a_), b = add({"m:2"}, b_);
  EXPECT_EQ(host_.move_names({"m", "m:1"}, b).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(host_.find("m"), a) << "one of them was somebody's own";
  ASSERT_TRUE(host_.move_names({"m", "latest", "new"}, b).is_ok());
  EXPECT_EQ(host_.find("m"), b);
  EXPECT_EQ(host_.find("new"), b);
  EXPECT_EQ(host_.names(a), (std::vector<std::string>{"m:1"}));
  ASSERT_TRUE(host_.move_names({"m", "latest", "new"}, b).is_ok()) << "twice is once";
  EXPECT_EQ(host_.names(b).size(), 4u);
}

TEST_F(ModelChangesTest, AStagedModelIsNobodysUntilItComes) {
  const std::size_t old = add({"m:1", "m"}, a_);
  ASSERT_TRUE(host_.load_now(old).is_ok());
  const auto staged = host_.stage(script_recipe({"m:1"}, b_));
  ASSERT_TRUE(staged.is_ok()) << "the same name as another's, for the time being";
  EXPECT_EQ(host_.size(), 1u);
  EXPECT_EQ((*host_.load_now(*staged))->name(), "m:1");
  EXPECT_EQ(host_.rows().size(), 1u);
  EXPECT_EQ(host_.find("m:1"), old);
  EXPECT_EQ(host_.change({.come = {*staged}}).code(), StatusCode::kInvalidArgument)
      << "two would have one name";
  EXPECT_EQ(host_.change({.come = {*staged}, .go = {old, old}}).code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.find("m"), old) << "nothing was changed";
  ASSERT_TRUE(
      host_.change({.come = {*staged}, .go = {old}, .names = {{"m", *staged}}}).is_ok());
  EXPECT_EQ(host_.find("m"), *staged);
  EXPECT_EQ(host_.find("m:1"), *staged);
  EXPECT_EQ(host_.rows().size(), 1u);
  wait_until_gone(old);
  EXPECT_EQ(a_.alive, 0);
  EXPECT_EQ(b_.alive, 1);
  EXPECT_EQ(host_.change({.come = {*staged}}).code(), StatusCode::kNotFound) << "once";
}

TEST_F(ModelChangesTest, AStagedModelThatWasNoGoodIsRemoved) {
  const std::size_t old = add({"m"}, a_);
  b_.is_damaged = true;
  const auto staged = host_.stage(script_recipe({"m"}, b_));
  ASSERT_TRUE(staged.is_ok());
  EXPECT_FALSE(host_.load_now(*staged).is_ok());
  EXPECT_TRUE(host_.remove(*staged).is_ok());
  EXPECT_TRUE(host_.is_gone(*staged));
  EXPECT_EQ(host_.find("m"), old) << "whose name it had";
}

TEST_F(ModelChangesTest, ANameMayGoRoundSeveralModels) {
  const std::size_t a = add({"m:1", "m"}, a_), b = add({"m:2"}, b_);
  ASSERT_TRUE(host_.load_now(a).is_ok());
  ASSERT_TRUE(host_.load_now(b).is_ok());
  EXPECT_EQ(host_.route("x", {{a, 1}}).code(), StatusCode::kNotFound);
  EXPECT_EQ(host_.route("m", {{a, 1}, {77, 1}}).code(), StatusCode::kNotFound);
  ASSERT_TRUE(host_.route("m", {{a, 3}, {b, 1}}).is_ok());
  std::string order;
  for (int i = 0; i < 8; ++i) {
    const std::string looked = (*host_.lease("m"))->name();
    const ModelLease lease = *host_.lease("m");
    EXPECT_EQ(lease->name(), looked) << "it is still its turn";
    end_turn(lease, TurnEnd::kKept);
    order += lease->name().back();
  }
  EXPECT_EQ(order, "11211121");
  EXPECT_EQ((*host_.lease("m:1"))->name(), "m:1") << "an own name is one model's";
  ASSERT_TRUE(host_.remove(b).is_ok());
  for (int i = 0; i < 8; ++i) EXPECT_EQ((*host_.lease("m"))->name(), "m:1");
  ASSERT_TRUE(host_.route("m", {}).is_ok());
  EXPECT_EQ((*host_.lease("m"))->name(), "m:1");
}

TEST_F(ModelChangesTest, ThereAreAtMostSoManyModels) {
  for (std::size_t i = 0; i < ModelHost::kModelsMax; ++i) add({std::to_string(i)}, a_);
  EXPECT_EQ(host_.add(script_recipe({"one more"}, a_)).status().code(),
            StatusCode::kResourceExhausted);
  ASSERT_TRUE(host_.remove(7).is_ok());
  EXPECT_TRUE(host_.add(script_recipe({"one more"}, a_)).is_ok());
}

// A name that moves from model to model, old ones removed behind it: whoever asks by name is
// answered, each time, by one that had the name at that moment or later.
TEST_F(ModelChangesTest, ANameThatMovesIsAlwaysSomebodys) {
  Ear ear(host_);
  std::size_t serving = add({"m:0", "m"}, a_);
  ASSERT_TRUE(host_.load_now(serving).is_ok());
  std::atomic<std::size_t> newest{0}, excluded_below{0};
  std::atomic<bool> is_over{false};
  std::atomic<int> served{0}, lost{0}, stale{0};
  std::vector<std::thread> users;
  for (int i = 0; i < 3; ++i) {
    users.emplace_back([&] {
      while (!is_over) {
        const std::size_t floor = excluded_below;
        const auto lease = host_.lease("m");
        lost += lease.is_ok() ? 0 : 1;
        if (!lease.is_ok()) continue;
        stale += std::stoul((*lease)->name().substr(2)) < floor ? 1 : 0;
        ++served;
      }
    });
  }
  for (std::size_t version = 1; version <= 60; ++version) {
    const std::size_t next = add({"m:" + std::to_string(version)}, version % 2 == 0 ? a_ : b_);
    ASSERT_TRUE(host_.load_now(next).is_ok());
    ASSERT_TRUE(host_.move_names({"m"}, next).is_ok());
    excluded_below = version;
    ASSERT_TRUE(host_.remove(serving).is_ok());
    serving = next;
    const int before = served;
    while (served == before) std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& user : users) user.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(stale, 0);
  EXPECT_GE(served, 60);
  EXPECT_EQ(host_.size(), 1u);
}

// Threads that add, load, use and remove models of their own beside one that all use.
TEST_F(ModelChangesTest, ManyThreadsChangeTheModels) {
  const std::size_t common = add({"common"}, a_);
  ASSERT_TRUE(host_.load_now(common).is_ok());
  std::atomic<int> served{0}, lost{0};
  std::mutex mutex;
  std::set<std::size_t> indexes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto added = host_.add(script_recipe({"mine " + std::to_string(t)}, b_));
        ASSERT_TRUE(added.is_ok());
        {
          const std::lock_guard lock(mutex);
          EXPECT_TRUE(indexes.insert(*added).second) << "an index came twice";
        }
        lost += host_.lease("common").is_ok() ? 0 : 1;
        if (i % 3 != 0) served += host_.load_now(*added).is_ok() ? 1 : 0;
        static_cast<void>(host_.rows());
        EXPECT_TRUE(host_.remove(*added).is_ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(served, 4 * 33);
  for (const std::size_t index : indexes) wait_until_gone(index);
  EXPECT_EQ(b_.alive, 0);
  EXPECT_EQ(host_.size(), 1u);
}

}  // namespace
}  // namespace quire
