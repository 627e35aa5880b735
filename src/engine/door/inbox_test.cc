// Inbox: its bounds, and 10^5 random messages against plain lists.
#include "engine/door/inbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "sched/testing/dice.h"

namespace quire {
namespace {

Request numbered(std::uint64_t id) {
  Request request;
  request.id = RequestId{id};
  return request;
}

TEST(Inbox, RefusesWhenFullClosedOrTwice) {
  Inbox inbox(2);
  EXPECT_TRUE(inbox.is_idle());
  EXPECT_TRUE(inbox.submit(numbered(1)).is_ok());
  EXPECT_EQ(inbox.submit(numbered(1)).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(inbox.submit(numbered(2)).is_ok());
  EXPECT_EQ(inbox.submit(numbered(3)).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(inbox.take(false).requests.size(), 2u);
  EXPECT_EQ(inbox.submit(numbered(3)).code(), StatusCode::kResourceExhausted);  // not admitted yet
  const RequestId admitted[] = {RequestId{1}};
  inbox.report(admitted, {});
  EXPECT_TRUE(inbox.submit(numbered(3)).is_ok());
  inbox.report(admitted, {});  // again, after a preemption: it left the queue before
  EXPECT_EQ(inbox.submit(numbered(4)).code(), StatusCode::kResourceExhausted);
  inbox.close();
  EXPECT_EQ(inbox.submit(numbered(4)).code(), StatusCode::kUnavailable);
  EXPECT_FALSE(inbox.is_idle());
  const RequestId ended[] = {RequestId{1}, RequestId{2}, RequestId{3}};
  inbox.report({}, ended);
  EXPECT_TRUE(inbox.is_idle());
}

TEST(Inbox, AFloodOfOneTenantFillsNoOthersQueue) {
  Inbox inbox(2);
  const auto of = [](std::uint64_t id, const char* tenant) {
    Request request = numbered(id);
    request.tenant = tenant;
    return request;
  };
  for (std::uint64_t id = 1; id <= 2; ++id) ASSERT_TRUE(inbox.submit(of(id, "a")).is_ok());
  EXPECT_EQ(inbox.submit(of(3, "a")).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(inbox.submit(of(3, "b")).is_ok());
  (void)inbox.take(false);
  const RequestId ended[] = {RequestId{1}};
  inbox.report({}, ended);
  EXPECT_TRUE(inbox.submit(of(4, "a")).is_ok());
  EXPECT_EQ(inbox.submit(of(5, "a")).code(), StatusCode::kResourceExhausted);
}

TEST(Inbox, WhatComesTogetherIsTakenOrRefusedTogether) {
  Inbox inbox(3);
  EXPECT_TRUE(inbox.submit(numbered(1)).is_ok());
  const Status full = inbox.submit_all({numbered(2), numbered(3), numbered(4)}, std::nullopt);
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "1 requests are waiting; at most 3 may, and 3 came together");
  EXPECT_EQ(inbox.submit_all({numbered(2), numbered(1)}, std::nullopt).code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(inbox.submit_all({numbered(2), numbered(3)}, std::nullopt).is_ok());
  EXPECT_EQ(inbox.take(false).requests.size(), 3u);
}

TEST(Inbox, InALevelsQueueThoseThatComeTogetherCountAsOne) {
  Inbox inbox(100, DynamicBatching{.delay_us_max = 1, .queue = {.size_max = 1}});
  EXPECT_TRUE(inbox.submit_all({numbered(1), numbered(2)}, Nanos{5}).is_ok());
  EXPECT_EQ(inbox.submit(numbered(3), Nanos{6}).code(), StatusCode::kResourceExhausted);
  const Inbox::Batch batch = inbox.take(false);
  ASSERT_EQ(batch.turns.size(), 2u);
  EXPECT_EQ(batch.turns[1]->arrived, Nanos{5});
  EXPECT_EQ(batch.turns[0]->counts + batch.turns[1]->counts, 1);
  const RequestId both[] = {RequestId{1}, RequestId{2}};
  inbox.report_let_in(both);
  EXPECT_TRUE(inbox.submit(numbered(3), Nanos{7}).is_ok());
}

TEST(Inbox, ThatNobodyWaitsForCompanyIsNewsOnceAndThenAState) {
  Inbox inbox(2);
  EXPECT_FALSE(inbox.take(false).stops_waiting);
  inbox.stop_waiting();
  EXPECT_TRUE(inbox.take(true).stops_waiting) << "it wakes who sleeps";
  EXPECT_TRUE(inbox.take(false).stops_waiting);
  EXPECT_TRUE(inbox.submit(numbered(1)).is_ok());
}

TEST(Inbox, CancelsReachTheEngineOnce) {
  Inbox inbox(2);
  ASSERT_TRUE(inbox.submit(numbered(1)).is_ok());
  inbox.cancel(RequestId{1});
  inbox.cancel(RequestId{1});
  inbox.cancel(RequestId{9});
  EXPECT_EQ(inbox.take(false).cancels, std::vector<RequestId>{RequestId{1}});
}

TEST(Inbox, SleepsUntilSomethingComes) {
  Inbox inbox(2);
  std::thread sender([&] { ASSERT_TRUE(inbox.submit(numbered(1)).is_ok()); });
  EXPECT_EQ(inbox.take(true).requests.size(), 1u);
  sender.join();
  std::thread stopper([&] { inbox.stop(); });
  EXPECT_TRUE(inbox.take(true).is_stopping);
  stopper.join();
}

TEST(Inbox, TwinOfPlainLists) {
  constexpr std::uint64_t kSeed = 3;
  RecordProperty("seed", std::to_string(kSeed));
  Dice dice(kSeed);
  constexpr std::uint32_t kWaitingMax = 7;
  Inbox inbox(kWaitingMax);
  std::vector<RequestId> inside, cancels, waiting;
  std::set<RequestId> live, cancelled;
  for (int i = 0; i < 100'000; ++i) {
    const RequestId id{dice.below(30)};
    switch (dice.below(4)) {
      case 0: {
        const bool fits = inside.size() + waiting.size() < kWaitingMax && !live.contains(id);
        ASSERT_EQ(inbox.submit(numbered(id.value)).is_ok(), fits) << "seed " << kSeed;
        if (fits) inside.push_back(id), live.insert(id);
        break;
      }
      case 1:
        inbox.cancel(id);
        if (live.contains(id) && cancelled.insert(id).second) cancels.push_back(id);
        break;
      case 2: {
        const Inbox::Batch batch = inbox.take(false);
        ASSERT_TRUE(std::equal(batch.requests.begin(), batch.requests.end(), inside.begin(),
                               inside.end(),
                               [](const Request& a, RequestId b) { return a.id == b; }));
        ASSERT_EQ(batch.cancels, cancels);
        waiting.insert(waiting.end(), inside.begin(), inside.end());
        inside.clear();
        cancels.clear();
        break;
      }
      case 3:
        if (!waiting.empty()) {
          const RequestId ended = waiting.back();
          waiting.pop_back();
          inbox.report({}, std::span(&ended, 1));
          live.erase(ended);
          cancelled.erase(ended);
          cancels.erase(std::remove(cancels.begin(), cancels.end(), ended), cancels.end());
          // The engine never ends a request before it took its cancellation.
          (void)inbox.take(false);
          waiting.insert(waiting.end(), inside.begin(), inside.end());
          inside.clear();
          cancels.clear();
        }
        break;
    }
    ASSERT_EQ(inbox.is_idle(), live.empty());
  }
}

std::vector<std::uint64_t> ids_of(const Inbox::Batch& batch) {
  std::vector<std::uint64_t> ids;
  for (const Request& request : batch.requests) ids.push_back(request.id.value);
  return ids;
}

using Ids = std::vector<std::uint64_t>;

TEST(InboxOfLanes, TheLaneWithTheFewestTakesTheNextAndCancelsFindIt) {
  Inbox inbox(100, {}, 3, 8);
  for (std::uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(inbox.submit(numbered(id)).is_ok());
  ASSERT_TRUE(inbox.submit_all({numbered(5), numbered(6)}, std::nullopt).is_ok()) << "to one lane";
  ASSERT_TRUE(inbox.submit(numbered(7)).is_ok());
  ASSERT_TRUE(inbox.submit(numbered(8), std::nullopt, 2).is_ok()) << "as it was told";
  inbox.cancel(RequestId{5});
  EXPECT_EQ(ids_of(inbox.take(false, {}, 0)), (Ids{1, 4}));
  const Inbox::Batch second = inbox.take(false, {}, 1);
  EXPECT_EQ(ids_of(second), (Ids{2, 5, 6}));
  EXPECT_EQ(second.cancels, std::vector<RequestId>{RequestId{5}});
  EXPECT_EQ(ids_of(inbox.take(false, {}, 2)), (Ids{3, 7, 8}));
  const RequestId ended[] = {RequestId{7}, RequestId{8}};
  inbox.report({}, ended);
  ASSERT_TRUE(inbox.submit(numbered(9)).is_ok());
  EXPECT_EQ(ids_of(inbox.take(false, {}, 2)), (Ids{9}));
}

TEST(InboxOfLanes, TheBoundsAreTheEnginesAndNoLanes) {
  Inbox inbox(2, {}, 2, 8);
  ASSERT_TRUE(inbox.submit(numbered(1)).is_ok());
  EXPECT_EQ(inbox.submit(numbered(1)).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(inbox.submit(numbered(2)).is_ok());
  EXPECT_EQ(inbox.submit(numbered(3)).code(), StatusCode::kResourceExhausted);
}

TEST(InboxOfLanes, StatesAndQuestionsReachAll) {
  Inbox inbox(2, {}, 2, 8);
  inbox.pause(true);
  inbox.forget_cache();
  inbox.ask(7);
  inbox.stop_waiting();
  for (const std::size_t lane : {0u, 1u}) {
    const Inbox::Batch batch = inbox.take(true, {}, lane);
    EXPECT_TRUE(batch.is_paused && batch.forgets_cache && batch.stops_waiting);
    EXPECT_EQ(batch.question, 7u);
  }
  inbox.stop();
  for (const std::size_t lane : {0u, 1u}) EXPECT_TRUE(inbox.take(true, {}, lane).is_stopping);
}

constexpr Nanos kLate = std::chrono::hours(1);
const DynamicBatching kPairs = {.preferred = {2}, .delay_us_max = 1'000'000};

TEST(InboxOfLanes, ABatchOfTheCommonQueueGoesToOneLaneAndTheNextToAnother) {
  Inbox inbox(100, kPairs, 2, 8);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(inbox.submit(numbered(id), Nanos{0}).is_ok());
  }
  EXPECT_TRUE(ids_of(inbox.let_in(1, Nanos{0})).empty()) << "it is the first one's turn";
  EXPECT_EQ(inbox.wake_at(1), std::nullopt);
  EXPECT_EQ(ids_of(inbox.let_in(0, Nanos{0})), (Ids{1, 2}));
  EXPECT_EQ(inbox.held(), 1u);
  EXPECT_EQ(inbox.wake_at(0), std::nullopt);
  EXPECT_EQ(inbox.wake_at(1), Nanos(std::chrono::seconds(1)));
  ASSERT_TRUE(inbox.submit(numbered(4), Nanos{0}).is_ok());
  EXPECT_TRUE(ids_of(inbox.let_in(0, Nanos{0})).empty());
  EXPECT_EQ(ids_of(inbox.let_in(1, Nanos{0})), (Ids{3, 4}));
  const RequestId ended[] = {RequestId{3}};
  inbox.report({}, ended);
  ASSERT_TRUE(inbox.submit(numbered(5), Nanos{0}).is_ok());
  EXPECT_EQ(ids_of(inbox.let_in(1, kLate)), (Ids{5})) << "it has the fewest";
}

TEST(InboxOfLanes, NobodyIsLetInDuringAPauseThatTheLaneHasNotHeardOf) {
  Inbox inbox(100, kPairs, 2, 8);
  inbox.pause(true);
  ASSERT_TRUE(inbox.submit(numbered(1), Nanos{0}).is_ok());
  EXPECT_TRUE(ids_of(inbox.let_in(0, kLate)).empty());
  EXPECT_EQ(inbox.wake_at(0), std::nullopt);
  inbox.pause(false);
  EXPECT_EQ(ids_of(inbox.let_in(0, kLate)), (Ids{1}));
}

TEST(InboxOfLanes, NobodyIsLetInWhereAllPlacesAreTaken) {
  Inbox inbox(100, kPairs, 2, 1);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(inbox.submit(numbered(id), Nanos{0}).is_ok());
  }
  EXPECT_EQ(ids_of(inbox.let_in(0, kLate)), (Ids{1}));
  EXPECT_EQ(ids_of(inbox.let_in(1, kLate)), (Ids{2}));
  EXPECT_TRUE(ids_of(inbox.let_in(0, kLate)).empty());
  const RequestId ended[] = {RequestId{2}};
  inbox.report({}, ended);
  EXPECT_TRUE(ids_of(inbox.let_in(0, kLate)).empty());
  EXPECT_EQ(ids_of(inbox.let_in(1, kLate)), (Ids{3}));
}

TEST(InboxOfLanes, WhoLeavesTheCommonQueueOrIsLateIsToldByAnInstance) {
  Inbox inbox(100, {.delay_us_max = 7'200'000'000, .queue = {.timeout_us = 1000, .size_max = 2}}, 2,
              8);
  ASSERT_TRUE(inbox.submit(numbered(1), Nanos{0}).is_ok());
  ASSERT_TRUE(inbox.submit(numbered(2), Nanos{0}).is_ok());
  EXPECT_EQ(inbox.submit(numbered(3), Nanos{0}).message(), kQueueFull);
  inbox.cancel(RequestId{1});
  inbox.cancel(RequestId{1});
  const Inbox::Batch gone = inbox.take(false, {}, 0);
  EXPECT_EQ(ids_of(gone), (Ids{1}));
  EXPECT_EQ(gone.cancels, std::vector<RequestId>{RequestId{1}});
  EXPECT_TRUE(ids_of(inbox.let_in(0, kLate)).empty()) << "the other one has fewer";
  const Inbox::Batch late = inbox.let_in(1, kLate);
  EXPECT_EQ(ids_of(late), (Ids{2}));
  EXPECT_EQ(late.expired, std::vector<RequestId>{RequestId{2}});
  const RequestId ended[] = {RequestId{1}, RequestId{2}};
  inbox.report({}, ended);
  EXPECT_TRUE(inbox.is_idle());
  ASSERT_TRUE(inbox.submit(numbered(3), Nanos{0}).is_ok());
  inbox.stop();
  const Inbox::Batch last = inbox.take(true, {}, 0);
  EXPECT_TRUE(last.is_stopping);
  EXPECT_EQ(last.cancels, std::vector<RequestId>{RequestId{3}});
}

TEST(Inbox, AQuestionWakesTheSleeperAndTheNewestCounts) {
  Inbox inbox(4);
  inbox.ask(1);
  inbox.ask(2);
  Inbox::Batch batch = inbox.take(true);
  EXPECT_EQ(batch.question, 2u);
  EXPECT_TRUE(batch.requests.empty());
  EXPECT_FALSE(inbox.take(false).question.has_value()) << "it is answered once";
  EXPECT_TRUE(inbox.is_idle());
}

}  // namespace
}  // namespace quire
