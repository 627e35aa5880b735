// Scheduler: what its plans look like, one rule at a time. That answers come out right is the
// worlds' business (engine/worlds_test.cc).
#include "sched/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace quire {
namespace {

Capacity small_capacity(std::uint32_t depth = 1) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 4, .blocks = 33}};
  capacity.rows_max = 8;
  capacity.tokens_max = 16;
  capacity.logits_rows_max = 8;
  capacity.context_max = 64;
  capacity.vocab = 100;
  capacity.depth = depth;
  return capacity;
}

std::vector<TokenId> run_of(std::size_t count, TokenId first) {
  std::vector<TokenId> tokens(count, first);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = (first + static_cast<TokenId>(i)) % 100;
  return tokens;
}

std::shared_ptr<Request> ask(std::uint64_t id, std::size_t prompt, int tokens_max,
                             TokenId first = 1) {
  auto request = std::make_shared<Request>();
  request->id = RequestId{id};
  request->prompt = run_of(prompt, first);
  request->params.tokens_max = tokens_max;
  return request;
}

// Answers every draw with the given token.
std::vector<Progress> answer(Scheduler& scheduler, const StepPlan& plan, TokenId token = 50) {
  StepResult result;
  result.step = plan.step;
  for (const StepRow& row : plan.rows) {
    RowResult& it = result.rows.emplace_back();
    it.seq = row.seq;
    if (row.want_last > 0) it.accepted = {token};
  }
  return scheduler.commit(plan, std::move(result));
}

TEST(Scheduler, DecodesFirstThenPromptsThenAdmissions) {
  Scheduler scheduler({}, small_capacity());
  ASSERT_TRUE(scheduler.submit(ask(1, 5, 9)).is_ok());
  answer(scheduler, scheduler.plan());
  ASSERT_TRUE(scheduler.submit(ask(2, 30, 9, 20)).is_ok());
  answer(scheduler, scheduler.plan());  // one decode, 15 tokens of the long prompt
  ASSERT_TRUE(scheduler.submit(ask(3, 2, 9, 60)).is_ok());
  const StepPlan plan = scheduler.plan();
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_EQ(plan.rows[0].tokens.count, 1u);  // the decode, though the prompt came earlier
  EXPECT_EQ(plan.rows[0].first_position, 6u);
  EXPECT_EQ(plan.rows[0].want_last, 1u);
  EXPECT_EQ(plan.rows[1].first_position, 15u);
  EXPECT_EQ(plan.rows[1].tokens.count, 15u);  // all that the budget leaves; the last chunk
  EXPECT_EQ(plan.rows[1].want_last, 1u);
  EXPECT_TRUE(validate(plan, small_capacity()).is_ok());
  answer(scheduler, plan);
  EXPECT_EQ(scheduler.plan().rows.size(), 3u);
}

TEST(Scheduler, AMiddleChunkWantsNothing) {
  Scheduler scheduler({}, small_capacity());
  ASSERT_TRUE(scheduler.submit(ask(1, 40, 1)).is_ok());
  const StepPlan first = scheduler.plan();
  EXPECT_EQ(first.rows[0].tokens.count, 16u);
  EXPECT_EQ(first.logits_rows(), 0u);
  EXPECT_EQ(answer(scheduler, first)[0].accepted.size(), 0u);
  answer(scheduler, scheduler.plan());
  const StepPlan last = scheduler.plan();
  EXPECT_EQ(last.rows[0].first_position, 32u);
  EXPECT_EQ(last.rows[0].want_last, 1u);
  const auto news = answer(scheduler, last);
  EXPECT_TRUE(news[0].is_at_end);
  EXPECT_FALSE(scheduler.has_work());
}

TEST(Scheduler, APromiseNamesTheLogitsRowOfThePlanBefore) {
  Scheduler scheduler({}, small_capacity(2));
  ASSERT_TRUE(scheduler.submit(ask(1, 3, 9)).is_ok());
  ASSERT_TRUE(scheduler.submit(ask(2, 3, 9, 30)).is_ok());
  const StepPlan first = scheduler.plan();
  const StepPlan second = scheduler.plan();
  ASSERT_EQ(second.rows.size(), 2u);
  EXPECT_EQ(second.tokens, (std::vector<TokenId>{-1, -2}));
  EXPECT_EQ(second.rows[1].first_position, 3u);
  EXPECT_TRUE(validate(second, small_capacity(2)).is_ok());
  answer(scheduler, first);
  scheduler.cancel(RequestId{1});
  const auto news = answer(scheduler, second);  // the row of the cancelled one brings nothing
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].request, RequestId{2});
  EXPECT_TRUE(scheduler.check_invariants().is_ok());
}

TEST(Scheduler, BlocksOfADrainingSequenceStayUntilTheLastPlanIsFinished) {
  Scheduler scheduler({}, small_capacity(2));
  ASSERT_TRUE(scheduler.submit(ask(1, 9, 9)).is_ok());
  const StepPlan first = scheduler.plan();
  const StepPlan second = scheduler.plan();
  scheduler.cancel(RequestId{1});
  EXPECT_EQ(scheduler.ledger().pool(0).referenced_count(), 3u);
  answer(scheduler, first);
  EXPECT_EQ(scheduler.ledger().pool(0).referenced_count(), 3u);
  EXPECT_TRUE(scheduler.plan().rows.empty());
  answer(scheduler, second);
  EXPECT_EQ(scheduler.ledger().pool(0).referenced_count(), 0u);
  EXPECT_FALSE(scheduler.has_work());
}

TEST(Scheduler, NoMoreLogitsRowsThanFit) {
  Capacity capacity = small_capacity();
  capacity.logits_rows_max = 3;
  Scheduler scheduler({}, capacity);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, 2, 3, static_cast<TokenId>(id * 10))).is_ok());
  }
  const StepPlan plan = scheduler.plan();
  EXPECT_EQ(plan.logits_rows(), 3u);
  EXPECT_TRUE(validate(plan, capacity).is_ok());
}

// Two places are left beside three decodes: they go around, and nobody's token waits for a draft.
TEST(Scheduler, DraftsTakeTurnsBehindTheDecodes) {
  Capacity capacity = small_capacity();
  capacity.tokens_max = 5;
  capacity.drafts_max = 3;
  Scheduler scheduler({}, capacity);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, 1, 40, static_cast<TokenId>(id * 10))).is_ok());
  }
  std::map<SeqId, std::uint32_t> verified;
  for (int step = 0; step < 13; ++step) {
    const StepPlan plan = scheduler.plan();
    ASSERT_EQ(plan.rows.size(), 3u);
    EXPECT_EQ(plan.tokens.size(), step == 0 ? 3u : 5u);
    EXPECT_TRUE(validate(plan, capacity).is_ok());
    StepResult result;
    result.step = plan.step;
    for (const StepRow& row : plan.rows) {
      verified[row.seq] += row.drafts;
      RowResult& it = result.rows.emplace_back();
      it.seq = row.seq;
      it.accepted = {50};
      it.drafts = {1, 2, 3, 4};
    }
    scheduler.commit(plan, std::move(result));
  }
  for (const auto& [seq, drafts] : verified) EXPECT_EQ(drafts, 8u) << seq.value;
  ASSERT_TRUE(scheduler.submit(ask(4, 9, 4, 60)).is_ok());
  EXPECT_EQ(scheduler.plan().rows.back().tokens.count, 1u);  // a prompt keeps half of what is left
}

TEST(Scheduler, TheSmallestPriorityNumberThenTheFirstToCome) {
  SchedulerOptions options;
  options.rows_max = 1;
  Scheduler scheduler(options, small_capacity());
  const int priorities[] = {5, 1, 1, 0};
  for (std::uint64_t id = 1; id <= 4; ++id) {
    auto request = ask(id, 2, 1, static_cast<TokenId>(id * 10));
    request->priority = priorities[id - 1];
    ASSERT_TRUE(scheduler.submit(request).is_ok());
  }
  std::vector<std::uint64_t> served;
  while (scheduler.has_work()) {
    for (const Progress& it : answer(scheduler, scheduler.plan())) {
      served.push_back(it.request.value);
    }
  }
  EXPECT_EQ(served, (std::vector<std::uint64_t>{4, 2, 3, 1}));
}

TEST(Scheduler, TheLastInOrderGivesWay) {
  Capacity capacity = small_capacity();
  capacity.groups[0].blocks = 9;  // eight blocks: two sequences of 16 positions fill it
  Scheduler scheduler({}, capacity);
  for (std::uint64_t id = 1; id <= 2; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, 7, 20, static_cast<TokenId>(id * 30))).is_ok());
  }
  while (scheduler.counts().preemptions == 0) answer(scheduler, scheduler.plan());
  EXPECT_EQ(scheduler.find(SeqId{1})->state, SeqState::kRunning);
  const Sequence& second = *scheduler.find(SeqId{2});
  EXPECT_EQ(second.state, SeqState::kWaiting);
  EXPECT_GT(second.known(), 7u);  // it keeps what it generated
  EXPECT_TRUE(second.tables[0].empty());
  while (scheduler.has_work()) {
    answer(scheduler, scheduler.plan());
    ASSERT_TRUE(scheduler.check_invariants().is_ok());
  }
  EXPECT_EQ(scheduler.counts().generated_tokens, 40u);
}

TEST(Scheduler, OverdueRequestsAreNamed) {
  Scheduler scheduler({}, small_capacity());
  auto request = ask(1, 3, 5);
  request->deadline = Nanos(100);
  ASSERT_TRUE(scheduler.submit(request).is_ok());
  EXPECT_TRUE(scheduler.overdue(Nanos(99)).empty());
  EXPECT_EQ(scheduler.overdue(Nanos(100)), std::vector<RequestId>{RequestId{1}});
  scheduler.cancel(RequestId{1});
  EXPECT_TRUE(scheduler.overdue(Nanos(100)).empty());
}

TEST(Scheduler, WhatCanNeverFitIsRefused) {
  Capacity capacity = small_capacity();
  capacity.groups[0].blocks = 5;  // 16 positions
  Scheduler scheduler({}, capacity);
  EXPECT_TRUE(scheduler.submit(ask(1, 12, 5)).is_ok());
  EXPECT_FALSE(scheduler.submit(ask(2, 12, 6)).is_ok());
  EXPECT_FALSE(scheduler.submit(ask(1, 2, 2)).is_ok());  // the id is in use
  auto request = ask(3, 2, 2);
  request->n = 0;
  EXPECT_FALSE(scheduler.submit(request).is_ok());
  request->n = Scheduler::kBranchesMax + 1;
  EXPECT_FALSE(scheduler.submit(request).is_ok());
}

}  // namespace
}  // namespace quire
