// DynamicBatcher in virtual time: sizes, delays, levels and timeouts as configured; and random
// histories against a plain version that keeps one list.
#include "sched/dynamic_batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

namespace quire {
namespace {

using Ids = std::vector<std::uint64_t>;

constexpr Nanos us(std::int64_t micros) { return std::chrono::microseconds(micros); }

Ids values(const std::vector<RequestId>& ids) {
  Ids out;
  for (const RequestId id : ids) out.push_back(id.value);
  return out;
}

DynamicBatching rules(std::uint64_t delay_us, std::vector<std::uint32_t> preferred = {}) {
  DynamicBatching rules;
  rules.delay_us_max = delay_us;
  rules.preferred = std::move(preferred);
  return rules;
}

DynamicBatching with_levels(DynamicBatching rules, std::uint64_t levels, std::uint64_t by_default) {
  rules.levels = levels;
  rules.default_level = by_default;
  return rules;
}

// A batcher with a clock, and the requests 1, 2, ... in the order of their coming.
class Queue {
 public:
  explicit Queue(const DynamicBatching& rules, std::uint32_t size_max = 8)
      : batcher(rules, size_max), places(size_max) {}

  bool come(std::int64_t at_us, std::uint64_t level = 0, std::optional<Nanos> timeout = {}) {
    return batcher.offer(RequestId{++last_}, level, timeout, QueueTurn{us(at_us)});
  }
  Ids batch(std::int64_t at_us) { return values(batcher.next(places, us(at_us)).batch); }
  Ids expired(std::int64_t at_us) { return values(batcher.next(places, us(at_us)).expired); }

  DynamicBatcher batcher;
  std::uint32_t places;

 private:
  std::uint64_t last_ = 0;
};

TEST(DynamicBatcherTest, NobodyWaitsWithoutADelay) {
  Queue queue(rules(0));
  EXPECT_TRUE(queue.batch(0).empty());
  queue.come(0);
  queue.come(0);
  EXPECT_EQ(queue.batch(0), (Ids{1, 2}));
  EXPECT_EQ(queue.batcher.size(), 0u);
  EXPECT_FALSE(queue.batcher.wake_at(8));
}

TEST(DynamicBatcherTest, WithoutADelayThePreferredSizeGoesFirst) {
  Queue queue(rules(0, {2, 4}));
  for (int i = 0; i < 7; ++i) queue.come(0);
  EXPECT_EQ(queue.batch(0), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(queue.batch(0), (Ids{5, 6}));
  EXPECT_EQ(queue.batch(0), (Ids{7}));
}

TEST(DynamicBatcherTest, APreferredSizeGoesAsSoonAsItIsThere) {
  Queue queue(rules(1000, {4}));
  for (std::int64_t i = 0; i < 3; ++i) {
    queue.come(i * 10);
    EXPECT_TRUE(queue.batch(i * 10).empty());
  }
  EXPECT_EQ(queue.batcher.wake_at(8), us(1000)) << "of the oldest";
  queue.come(30);
  EXPECT_EQ(queue.batch(30), (Ids{1, 2, 3, 4}));
}

TEST(DynamicBatcherTest, WhoIsBeyondThePreferredSizeWaitsOn) {
  Queue queue(rules(1000, {4}));
  for (int i = 0; i < 6; ++i) queue.come(i);
  EXPECT_EQ(queue.batch(5).size(), 4u);
  EXPECT_TRUE(queue.batch(5).empty());
  EXPECT_EQ(queue.batcher.wake_at(4), us(1004));
  EXPECT_TRUE(queue.batch(1003).empty());
  EXPECT_EQ(queue.batch(1004), (Ids{5, 6}));
}

TEST(DynamicBatcherTest, AfterTheDelayAllThatFitGo) {
  Queue queue(rules(1000, {2, 4}));
  queue.places = 0;  // busy
  for (int i = 0; i < 9; ++i) queue.come(i);
  EXPECT_TRUE(queue.batch(2000).empty());
  EXPECT_FALSE(queue.batcher.wake_at(0)) << "time alone brings nothing";
  queue.places = 8;
  EXPECT_EQ(queue.batch(2000).size(), 8u) << "at most max_batch_size, whatever is preferred";
  EXPECT_EQ(queue.batch(2000), (Ids{9}));
}

TEST(DynamicBatcherTest, OneAloneWaitsForTheDelayAndNoLonger) {
  Queue queue(rules(500));
  queue.come(100);
  EXPECT_TRUE(queue.batch(599).empty());
  EXPECT_EQ(queue.batcher.wake_at(8), us(600));
  EXPECT_EQ(queue.batch(600), (Ids{1}));
}

TEST(DynamicBatcherTest, WithoutPreferredSizesAFullBatchGoesAtOnce) {
  Queue queue(rules(500), 3);
  queue.come(0);
  queue.come(0);
  EXPECT_TRUE(queue.batch(0).empty());
  queue.come(1);
  EXPECT_EQ(queue.batch(1), (Ids{1, 2, 3}));
}

TEST(DynamicBatcherTest, ABatchThatCannotGrowGoes) {
  Queue queue(rules(500, {4}));
  queue.places = 2;
  queue.come(0);
  EXPECT_TRUE(queue.batch(0).empty());
  queue.come(0);
  EXPECT_EQ(queue.batch(0), (Ids{1, 2})) << "with what runs it is max_batch_size";
}

TEST(DynamicBatcherTest, LowerNumbersAreServedFirst) {
  Queue queue(with_levels(rules(0), 3, 2), 2);
  queue.come(0, 3);
  queue.come(0, 2);
  queue.come(0, 1);
  queue.come(0, 1);
  queue.come(0, 2);
  EXPECT_EQ(queue.batch(0), (Ids{3, 4}));
  EXPECT_EQ(queue.batch(0), (Ids{2, 5}));
  EXPECT_EQ(queue.batch(0), (Ids{1}));
}

TEST(DynamicBatcherTest, ABatchMayBeOfSeveralLevels) {
  Queue queue(with_levels(rules(100, {3}), 2, 2));
  queue.come(0, 2);
  queue.come(0, 2);
  queue.come(0, 1);
  EXPECT_EQ(queue.batch(0), (Ids{3, 1, 2}));
}

TEST(DynamicBatcherTest, AStreamOfAHigherLevelStarvesALowerOne) {
  Queue queue(with_levels(rules(0), 2, 1), 1);
  queue.come(0, 2);
  for (std::uint64_t i = 0; i < 100; ++i) {
    queue.come(0, 1);
    EXPECT_EQ(queue.batch(static_cast<std::int64_t>(i)), (Ids{i + 2}));
  }
  EXPECT_EQ(queue.batch(100), (Ids{1})) << "its turn comes when nobody else waits";
}

TEST(DynamicBatcherTest, TheLowLevelsDelayLetsTheirBatchGo) {
  Queue queue(with_levels(rules(100, {4}), 2, 1));
  queue.come(0, 2);
  queue.come(90, 1);
  EXPECT_EQ(queue.batch(100), (Ids{2, 1})) << "the oldest of all, not of the first level";
}

TEST(DynamicBatcherTest, WhoWaitsBeyondTheTimeoutIsTurnedAway) {
  DynamicBatching it = rules(1000);
  it.queue.timeout_us = 50;
  Queue queue(it);
  queue.come(0);
  queue.come(20);
  EXPECT_TRUE(queue.expired(50).empty()) << "not yet";
  EXPECT_EQ(queue.batcher.wake_at(8), us(50) + Nanos{1});
  EXPECT_EQ(queue.expired(51), (Ids{1}));
  EXPECT_EQ(queue.expired(71), (Ids{2}));
  EXPECT_EQ(queue.batcher.size(), 0u);
}

TEST(DynamicBatcherTest, TimeoutsHoldWhileAllPlacesAreTaken) {
  DynamicBatching it = rules(0);
  it.queue.timeout_us = 50;
  Queue queue(it);
  queue.places = 0;
  queue.come(0);
  EXPECT_EQ(queue.batcher.wake_at(0), us(50) + Nanos{1});
  EXPECT_EQ(queue.expired(51), (Ids{1}));
}

TEST(DynamicBatcherTest, WhoIsDelayedIsServedBehindItsLevelAndBeforeTheNext) {
  DynamicBatching it = with_levels(rules(0), 2, 1);
  it.queue.timeout_us = 50;
  it.queue.delays = true;
  Queue queue(it, 1);
  queue.places = 0;
  queue.come(0, 1);    // 1: will have waited too long
  queue.come(40, 1);   // 2
  queue.come(0, 2);    // 3: likewise
  queue.come(60, 2);   // 4
  EXPECT_TRUE(queue.expired(60).empty()) << "nobody is turned away";
  EXPECT_EQ(queue.batcher.wake_at(0), us(90) + Nanos{1}) << "of those that may still be late";
  queue.places = 1;
  Ids order;
  for (int i = 0; i < 4; ++i) order.push_back(queue.batch(60).at(0));
  EXPECT_EQ(order, (Ids{2, 1, 4, 3}));
}

TEST(DynamicBatcherTest, ARequestsOwnTimeoutHoldsWhereItMay) {
  DynamicBatching it = with_levels(rules(10'000), 3, 1);
  it.queue_of[1] = {.timeout_us = 100, .may_override = true};
  it.queue_of[2] = {.timeout_us = 100};
  it.queue_of[3] = {.may_override = true};
  Queue queue(it);
  queue.come(0, 1, us(30));    // 1: sooner
  queue.come(0, 1, us(5000));  // 2: not later than its level's
  queue.come(0, 2, us(30));    // 3: it has no say
  queue.come(0, 3, us(300));   // 4: its level has none
  queue.come(0, 3);            // 5: nor has it
  EXPECT_EQ(queue.expired(31), (Ids{1}));
  EXPECT_EQ(queue.expired(101), (Ids{2, 3}));
  EXPECT_EQ(queue.expired(301), (Ids{4}));
  EXPECT_EQ(queue.batch(10'000), (Ids{5}));
}

TEST(DynamicBatcherTest, EachLevelHasASizeOfItsOwn) {
  DynamicBatching it = with_levels(rules(1000), 2, 1);
  it.queue.size_max = 2;
  it.queue_of[2] = {.size_max = 1};
  Queue queue(it);
  EXPECT_TRUE(queue.come(0, 1));
  EXPECT_TRUE(queue.come(0, 1));
  EXPECT_FALSE(queue.come(0, 1));
  EXPECT_TRUE(queue.come(0, 2));
  EXPECT_FALSE(queue.come(0, 2));
  EXPECT_EQ(queue.batcher.size(1), 2u);
  EXPECT_EQ(queue.batch(1000).size(), 3u);
  EXPECT_TRUE(queue.come(1000, 2)) << "there is room again";
}

TEST(DynamicBatcherTest, OfThoseThatCameTogetherOneCounts) {
  DynamicBatching it = rules(1000);
  it.queue.size_max = 1;
  DynamicBatcher batcher(it, 8);
  EXPECT_TRUE(batcher.offer(RequestId{1}, 0, {}, QueueTurn{us(0), false}));
  EXPECT_TRUE(batcher.offer(RequestId{2}, 0, {}, QueueTurn{us(0), true}));
  EXPECT_FALSE(batcher.offer(RequestId{3}, 0, {}, QueueTurn{us(0)}));
  EXPECT_TRUE(batcher.cancel(RequestId{2}));
  EXPECT_TRUE(batcher.offer(RequestId{3}, 0, {}, QueueTurn{us(0)}));
  EXPECT_EQ(values(batcher.next(8, us(1000)).batch), (Ids{1, 3}));
}

TEST(DynamicBatcherTest, WhoIsDelayedTakesRoomToo) {
  DynamicBatching it = rules(1000);
  it.queue = {.delays = true, .timeout_us = 10, .size_max = 1};
  Queue queue(it);
  EXPECT_TRUE(queue.come(0));
  EXPECT_TRUE(queue.expired(20).empty());
  EXPECT_FALSE(queue.come(20));
  EXPECT_EQ(queue.batch(1000), (Ids{1}));
}

TEST(DynamicBatcherTest, WhoLeavesIsForgotten) {
  Queue queue(rules(100, {2}));
  queue.come(0);
  EXPECT_TRUE(queue.batcher.cancel(RequestId{1}));
  EXPECT_FALSE(queue.batcher.cancel(RequestId{1}));
  EXPECT_FALSE(queue.batcher.wake_at(8));
  queue.come(50);
  EXPECT_TRUE(queue.batch(100).empty()) << "the delay is of who is there";
  EXPECT_EQ(queue.batch(150), (Ids{2}));
}

TEST(DynamicBatcherTest, HugeSettingsOverflowNothing) {
  DynamicBatching it = rules(~0ull);
  it.queue.timeout_us = ~0ull;
  Queue queue(it);
  queue.come(0);
  EXPECT_TRUE(queue.batch(1'000'000'000).empty());
  EXPECT_GT(*queue.batcher.wake_at(8), us(1'000'000'000));
}

TEST(DynamicBatchingTest, PrioritiesCountFromTheDefaultLevel) {
  const DynamicBatching it = with_levels(rules(0), 5, 3);
  EXPECT_EQ(it.level_of(0), 3u);
  EXPECT_EQ(it.level_of(-2), 1u);
  EXPECT_EQ(it.level_of(2), 5u);
  EXPECT_EQ(it.level_of(1 << 30), 5u);
  EXPECT_EQ(it.level_of(-(1 << 30)), 1u);
  EXPECT_EQ(rules(0).level_of(7), 0u);
}

TEST(DynamicBatchingTest, SettingsThatChangeNothingDoNotAct) {
  EXPECT_FALSE(DynamicBatching().acts()) << "it is not there";
  EXPECT_FALSE(rules(0).acts());
  EXPECT_FALSE(rules(0, {4}).acts());
  EXPECT_TRUE(rules(1).acts());
  EXPECT_TRUE(with_levels(rules(0), 1, 1).acts());
  DynamicBatching it = rules(0);
  it.queue.size_max = 1;
  EXPECT_TRUE(it.acts());
}

// --- random histories ---

// One list, looked through as a whole each time.
class PlainBatcher {
 public:
  PlainBatcher(DynamicBatching rules, std::uint32_t size_max)
      : rules_(std::move(rules)), size_max_(size_max) {
    if (rules_.preferred.empty()) rules_.preferred = {size_max};
  }

  bool offer(std::uint64_t id, std::uint64_t level, std::optional<Nanos> timeout,
             const QueueTurn& turn, int priority) {
    const QueuePolicy& policy = rules_.policy_of(level);
    const auto same = std::count_if(all_.begin(), all_.end(),
                                    [&](const One& one) {
                                      return one.level == level && one.counts;
                                    });
    if (turn.counts && policy.size_max > 0 && same >= policy.size_max) return false;
    Nanos patience = policy.timeout_us > 0 ? us(static_cast<std::int64_t>(policy.timeout_us))
                                           : Nanos::max();
    if (policy.may_override && timeout) patience = std::min(patience, *timeout);
    all_.push_back({id, level, 0, priority, ++count_, turn.arrived,
                    patience == Nanos::max() ? Nanos::max() : turn.arrived + patience,
                    turn.counts});
    return true;
  }

  void cancel(std::uint64_t id) {
    std::erase_if(all_, [id](const One& one) { return one.id == id; });
  }

  std::pair<Ids, Ids> next(std::uint32_t places, Nanos now) {
    Ids batch, expired;
    std::sort(all_.begin(), all_.end());
    for (One& one : all_) {
      if (one.late > 0 || one.deadline >= now) continue;
      if (rules_.policy_of(one.level).delays) {
        one.late = ++count_;
        one.priority = 0;
      } else {
        expired.push_back(one.id);
      }
    }
    for (const std::uint64_t id : expired) cancel(id);
    std::sort(all_.begin(), all_.end());
    for (std::size_t i = 0, n = due(places, now); i < n; ++i) batch.push_back(all_[i].id);
    for (const std::uint64_t id : batch) cancel(id);
    return {batch, expired};
  }

 private:
  struct One {
    std::uint64_t id, level, late;
    int priority;
    std::uint64_t order;
    Nanos since, deadline;
    bool counts;
    bool operator<(const One& other) const {
      return std::tuple(level, late, priority, order) <
             std::tuple(other.level, other.late, other.priority, other.order);
    }
  };

  std::size_t due(std::uint32_t places, Nanos now) const {
    const std::size_t room = std::min(places, size_max_);
    const std::size_t ready = std::min<std::size_t>(room, all_.size());
    const Nanos delay = us(static_cast<std::int64_t>(rules_.delay_us_max));
    const bool is_late = std::any_of(all_.begin(), all_.end(), [&](const One& one) {
      return now - one.since >= delay;
    });
    std::size_t best = 0;
    for (const std::uint32_t size : rules_.preferred) {
      if (size <= ready) best = size;
    }
    if (best > 0 && (!is_late || delay == Nanos{0})) return best;
    return is_late || ready == room ? ready : 0;
  }

  DynamicBatching rules_;
  std::uint32_t size_max_;
  std::uint64_t count_ = 0;
  std::vector<One> all_;
};

DynamicBatching random_rules(std::mt19937& random, std::uint32_t size_max) {
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  const auto policy = [&] {
    return QueuePolicy{.delays = pick(2) == 0,
                       .timeout_us = pick(2) == 0 ? 0u : pick(200),
                       .may_override = pick(2) == 0,
                       .size_max = pick(3) == 0 ? 1 + pick(5) : 0u};
  };
  DynamicBatching it = rules(pick(3) == 0 ? 0 : pick(100));
  for (std::uint32_t size = 1; size <= size_max; ++size) {
    if (pick(3) == 0) it.preferred.push_back(size);
  }
  it.levels = pick(4);
  it.default_level = it.levels > 0 ? 1 + pick(static_cast<std::uint32_t>(it.levels)) : 0;
  it.queue = policy();
  for (std::uint64_t level = 1; level <= it.levels; ++level) {
    if (pick(2) == 0) it.queue_of[level] = policy();
  }
  return it;
}

TEST(DynamicBatcherTest, RandomHistoriesAreThoseOfThePlainVersion) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const std::uint32_t size_max = 1 + random() % 8;
    const DynamicBatching it = random_rules(random, size_max);
    DynamicBatcher batcher(it, size_max);
    PlainBatcher plain(it, size_max);
    Nanos now{0};
    std::uint64_t last = 0;
    for (int i = 0; i < 400; ++i) {
      const std::uint32_t places = random() % (size_max + 1);
      switch (random() % 8) {
        case 0: {
          const std::uint64_t id = 1 + random() % (last + 1);
          batcher.cancel(RequestId{id});
          plain.cancel(id);
          break;
        }
        case 1: now += us(random() % 60); break;
        case 2:  // to the moment that it asks for, and not a nanosecond less
          if (const auto wake = batcher.wake_at(places); wake && *wake > now + Nanos{1}) {
            const auto early = batcher.next(places, *wake - Nanos{1});
            const auto expected = plain.next(places, *wake - Nanos{1});
            ASSERT_EQ(values(early.batch), expected.first) << seed;
            ASSERT_EQ(values(early.expired), expected.second) << seed;
            now = std::max(now, *wake);
          }
          break;
        case 3:
        case 4:
        case 5: {
          const int asked = static_cast<int>(random() % 5) - 2;
          const std::uint64_t level = it.level_of(asked);
          const auto timeout = random() % 2 == 0 ? std::nullopt
                                                 : std::optional<Nanos>(us(random() % 150));
          const QueueTurn turn{std::max(now - us(random() % 20), Nanos{0}), random() % 4 != 0};
          const int priority = static_cast<int>(random() % 3) - 1;
          ++last;
          ASSERT_EQ(batcher.offer(RequestId{last}, level, timeout, turn, priority),
                    plain.offer(last, level, timeout, turn, priority)) << seed;
          break;
        }
        default: {
          const auto release = batcher.next(places, now);
          const auto expected = plain.next(places, now);
          ASSERT_EQ(values(release.batch), expected.first) << seed << " at " << i;
          ASSERT_EQ(values(release.expired), expected.second) << seed << " at " << i;
          ASSERT_LE(release.batch.size(), places);
        }
      }
    }
  }
}

// After an empty answer nothing happens before the moment that it names.
TEST(DynamicBatcherTest, NothingIsDueBeforeItIsSaid) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::uint32_t size_max = 1 + random() % 8;
    DynamicBatcher batcher(random_rules(random, size_max), size_max);
    Nanos now{0};
    for (std::uint64_t id = 1; id < 200; ++id) {
      const std::uint32_t places = random() % (size_max + 1);
      batcher.offer(RequestId{id}, 0, std::nullopt, QueueTurn{now});
      while (!batcher.next(places, now).batch.empty()) {}
      const auto wake = batcher.wake_at(places);
      if (wake) {
        ASSERT_GT(*wake, now) << seed;
      }
      now += us(random() % 40);
      if (wake && *wake > now) {
        const auto early = batcher.next(places, now);
        ASSERT_TRUE(early.batch.empty() && early.expired.empty()) << seed;
      }
    }
  }
}

}  // namespace
}  // namespace quire
