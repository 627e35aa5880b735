// Inbox: its bounds, and 10^5 random messages against plain lists.
#include "engine/inbox.h"

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
