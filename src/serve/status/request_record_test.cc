// Lives of requests, told by facts that a reader can follow; and the bounds of what is kept.
#include "serve/status/request_record.h"

#include <gtest/gtest.h>

#include "serve/status/request_log.h"

namespace quire {
namespace {

using Kind = RequestEventKind;
constexpr Nanos millis(std::int64_t count) { return std::chrono::milliseconds(count); }
const Nanos kArrival = std::chrono::hours(1);

AcceptedRequest accepted_from(std::uint64_t request, std::uint32_t prompt_tokens,
                              std::uint32_t choices = 1) {
  return {.model = "m", .endpoint = "/v1/completions", .id = "cmpl-" + std::to_string(request),
          .request_id = "r-" + std::to_string(request), .at = kArrival,
          .requests = {RequestId{request}}, .prompt_tokens = {prompt_tokens},
          .choices_each = choices};
}

// Steps of ten milliseconds, one after the other, from the arrival on.
class Life {
 public:
  explicit Life(AcceptedRequest accepted) : record(1, std::move(accepted)) {}

  void step(const RowFact& row, std::vector<std::uint64_t> company = {1}) {
    ++number_;
    const bool is_new = company != company_;
    company_ = std::move(company);
    record.take(0, row, {number_, now(-1), now(), company_, is_new});
    if (row.generated == 0) return;
    TokenEvent event;
    event.branch = row.of.branch;
    event.accepted.assign(row.generated, 5);
    record.take(0, event, now());
  }
  void end(FinishReason reason, int branch = 0) {
    TokenEvent event;
    event.branch = branch;
    event.finish = reason;
    record.take(0, event, now());
  }
  Nanos now(int steps = 0) const {
    return kArrival + millis(10) * (static_cast<std::int64_t>(number_) + steps);
  }
  std::vector<Kind> kinds() const {
    std::vector<Kind> kinds;
    for (const RequestEvent& event : record.events(now())) kinds.push_back(event.kind);
    return kinds;
  }

  RequestRecord record;

 private:
  StepId number_ = 0;
  std::vector<std::uint64_t> company_;
};

RowFact prefill(std::uint32_t from, std::uint32_t tokens, std::uint32_t generated = 0) {
  return {.first_position = from, .tokens = tokens, .generated = generated};
}
RowFact admission(std::uint32_t from, std::uint32_t tokens, std::uint32_t generated = 0) {
  RowFact row = prefill(from, tokens, generated);
  row.is_admission = true;
  return row;
}
RowFact decode(std::uint32_t from) {
  return {.first_position = from, .tokens = 1, .generated = 1, .is_decode = true};
}

TEST(RequestRecord, ChunksThenOneRunOfDecodes) {
  Life life(accepted_from(1, 100));
  life.step(admission(32, 40), {1, 7});
  life.step(prefill(72, 28, 1), {1, 7});
  for (std::uint32_t i = 0; i < 50; ++i) life.step(decode(100 + i), {1, 7});
  life.step(decode(150), {1, 7, 9});
  life.step(decode(151), {1, 3});
  life.end(FinishReason::kLength);

  EXPECT_EQ(life.kinds(), (std::vector{Kind::kQueued, Kind::kAdmitted, Kind::kPrefill,
                                       Kind::kPrefill, Kind::kFirstToken, Kind::kDecode,
                                       Kind::kFinished}));
  const std::vector<RequestEvent> events = life.record.events(life.now());
  EXPECT_EQ(events[1].cached, 32u);
  EXPECT_EQ(events[2].cached, 0u) << "it was told by the admission";
  EXPECT_EQ(events[3].generated, 1u);
  const RequestEvent& run = events[5];
  EXPECT_EQ(run.first_step, 3u);
  EXPECT_EQ(run.last_step, 54u);
  EXPECT_EQ(run.steps, 52u);
  EXPECT_EQ(run.generated, 52u);
  EXPECT_EQ(run.at, millis(20));
  EXPECT_EQ(run.time, millis(520));
  EXPECT_EQ(run.sharers, 3u);
  EXPECT_EQ(run.sharers_shown, (std::array<std::uint64_t, 8>{3, 7, 9}));
  EXPECT_EQ(life.record.cached_tokens(), 32u);
  EXPECT_EQ(life.record.generated_tokens(), 53u);
  EXPECT_EQ(life.record.first_token_after(), millis(20));
  EXPECT_EQ(life.record.total(), millis(540));
  EXPECT_TRUE(life.record.is_finished());
}

TEST(RequestRecord, APreemptionIsToldAndItsSecondPassIsNoCacheHit) {
  Life life(accepted_from(1, 10));
  life.step(admission(4, 6, 1));
  life.step(decode(10));
  life.record.preempt(0, 0, life.now());
  life.step(admission(8, 4, 1));  // two of the prompt, the two that were generated
  life.step(decode(12));
  life.end(FinishReason::kStop);
  EXPECT_EQ(life.kinds(), (std::vector{Kind::kQueued, Kind::kAdmitted, Kind::kPrefill,
                                       Kind::kFirstToken, Kind::kDecode, Kind::kPreempted,
                                       Kind::kResumed, Kind::kPrefill, Kind::kDecode,
                                       Kind::kFinished}));
  EXPECT_EQ(life.record.preemptions(), 1u);
  EXPECT_EQ(life.record.cached_tokens(), 4u);
  EXPECT_EQ(life.record.generated_tokens(), 4u);
}

TEST(RequestRecord, WhatOthersPublishMeanwhileIsCached) {
  Life life(accepted_from(1, 100));
  life.step(admission(0, 32));
  life.step(prefill(64, 36, 1));
  EXPECT_EQ(life.record.events(life.now())[3].cached, 32u);
  EXPECT_EQ(life.record.cached_tokens(), 32u);
}

TEST(RequestRecord, ChoicesEndOnTheirOwn) {
  Life life(accepted_from(1, 10, 2));
  life.step(admission(0, 9));
  EXPECT_EQ(life.record.events(life.now()).front().kind, Kind::kQueued);
  RowFact fork = admission(9, 1, 1);
  fork.of.branch = 1;
  fork.is_fork = true;
  life.step(fork);
  life.step(prefill(9, 1, 1));
  life.end(FinishReason::kStop, 1);
  EXPECT_FALSE(life.record.is_finished());
  life.end(FinishReason::kCancelled, 0);
  EXPECT_TRUE(life.record.is_finished());
  EXPECT_EQ(life.record.finish_reason(), FinishReason::kCancelled);
  EXPECT_EQ(life.record.cached_tokens(), 0u) << "a fork is no cache hit";
  std::size_t forks = 0;
  for (const RequestEvent& event : life.record.events(life.now())) {
    forks += event.is_fork;
    EXPECT_EQ(event.is_fork, event.kind == Kind::kAdmitted && event.choice == 1);
  }
  EXPECT_EQ(forks, 1u);
  life.step(decode(10));  // a row that was launched before the end
  EXPECT_EQ(life.record.generated_tokens(), 2u);
}

TEST(RequestRecord, ARequestThatNeverRanWaited) {
  Life life(accepted_from(1, 10));
  EXPECT_EQ(life.record.events(kArrival + millis(7)).front().time, millis(7));
  EXPECT_FALSE(life.record.has_begun());
  life.end(FinishReason::kCancelled);
  EXPECT_EQ(life.kinds(), (std::vector{Kind::kQueued, Kind::kCancelled}));
}

TEST(RequestRecord, EventsAndNeighboursAreBounded) {
  Life life(accepted_from(1, 10));
  std::vector<std::uint64_t> crowd(1000);
  for (std::size_t i = 0; i < crowd.size(); ++i) crowd[i] = i + 1;
  life.step(admission(0, 10, 1), crowd);
  life.step(decode(10), crowd);
  const RequestEvent run = life.record.events(life.now()).back();
  EXPECT_EQ(run.sharers, RequestRecord::kSharersMax - 1);
  EXPECT_EQ(run.sharers_shown.back(), 9u);
  for (int i = 0; i < 5000; ++i) life.step(prefill(0, 1));
  EXPECT_EQ(life.record.event_count(), RequestRecord::kEventsMax);
  EXPECT_EQ(life.record.events_dropped(), 5000 + 5 - RequestRecord::kEventsMax);
}

TEST(RequestLog, KeepsTheNewestAndForgetsTheRest) {
  RequestLog log;
  for (std::uint64_t id = 1; id <= 1000; ++id) {
    RequestRecord& record = log.add(accepted_from(id, 1));
    TokenEvent event;
    event.finish = FinishReason::kStop;
    record.take(0, event, kArrival);
    log.finish(record);
  }
  log.add(accepted_from(2000, 1));
  EXPECT_EQ(log.records().size(), RequestLog::kFinishedMax + 1);
  EXPECT_EQ(log.find("cmpl-744"), nullptr);
  EXPECT_EQ(log.find(RequestId{744}).record, nullptr);
  EXPECT_EQ(log.at(744), nullptr);
  ASSERT_NE(log.find("cmpl-745"), nullptr);
  EXPECT_EQ(log.find("r-745"), log.find("cmpl-745"));
  EXPECT_EQ(log.find(RequestId{745}).record, log.find("cmpl-745"));
  EXPECT_FALSE(log.find("cmpl-2000")->is_finished()) << "who is alive is not forgotten";
}

TEST(RequestLog, ManyEventsMakeRoomForFewerRequests) {
  RequestLog log;
  const StepFrame frame;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    RequestRecord& record = log.add(accepted_from(id, 1));
    for (int i = 0; i < 2000; ++i) record.take(0, prefill(0, 1), frame);
    TokenEvent event;
    event.finish = FinishReason::kStop;
    record.take(0, event, kArrival);
    log.finish(record);
  }
  EXPECT_EQ(log.records().size(), RequestLog::kEventsKeptMax / RequestRecord::kEventsMax);
  EXPECT_NE(log.find("cmpl-100"), nullptr);
}

TEST(RequestLog, OfARepeatedRequestIdTheNewestIsFound) {
  RequestLog log;
  AcceptedRequest first = accepted_from(1, 1), second = accepted_from(2, 1);
  first.request_id = second.request_id = "same";
  log.add(first);
  log.add(second);
  EXPECT_EQ(log.find("same")->accepted().id, "cmpl-2");
}

}  // namespace
}  // namespace quire
