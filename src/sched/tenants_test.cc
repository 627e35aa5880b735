// Tenants in the scheduler: what is charged for, who is admitted, and who gives way.
#include <gtest/gtest.h>

#include <map>

#include "sched/scheduler.h"

namespace quire {
namespace {

Capacity capacity_of(std::uint32_t rows, std::uint32_t blocks) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 4, .blocks = blocks + 1}};
  capacity.rows_max = rows;
  capacity.tokens_max = 16;
  capacity.logits_rows_max = 8;
  capacity.context_max = 400;
  capacity.vocab = 100;
  return capacity;
}

std::shared_ptr<Request> ask(std::uint64_t id, const char* tenant, std::size_t prompt,
                             int tokens_max, TokenId first = 1) {
  auto request = std::make_shared<Request>();
  request->id = RequestId{id};
  request->tenant = tenant;
  for (std::size_t i = 0; i < prompt; ++i) {
    request->prompt.push_back((first + static_cast<TokenId>(i)) % 100);
  }
  request->params.tokens_max = tokens_max;
  return request;
}

StepPlan step(Scheduler& scheduler) {
  StepPlan plan = scheduler.plan();
  if (plan.rows.empty()) return plan;
  StepResult result;
  result.step = plan.step;
  for (const StepRow& row : plan.rows) {
    RowResult& it = result.rows.emplace_back();
    it.seq = row.seq;
    if (row.want_last > 0) it.accepted = {50};
  }
  scheduler.commit(plan, std::move(result));
  EXPECT_TRUE(scheduler.check_invariants().is_ok()) << scheduler.check_invariants().message();
  return plan;
}

std::uint64_t costs_of(const Sequence& seq) {
  return seq.tenant->served / TenantQueues::kServedUnit;
}

TEST(Tenants, ComputedPromptTokensCountOnceAndGeneratedOnesTwice) {
  Scheduler scheduler({}, capacity_of(8, 32));
  ASSERT_TRUE(scheduler.submit(ask(1, "a", 20, 5)).is_ok());
  step(scheduler);
  const Sequence& seq = *scheduler.find(SeqId{1});
  EXPECT_EQ(costs_of(seq), 16u);
  step(scheduler);
  EXPECT_EQ(costs_of(seq), 20u + 2);
  step(scheduler);
  EXPECT_EQ(costs_of(seq), 20u + 4);
}

TEST(Tenants, WhatTheCacheGivesIsFree) {
  Scheduler scheduler({}, capacity_of(8, 32));
  ASSERT_TRUE(scheduler.submit(ask(1, "a", 16, 1)).is_ok());
  while (scheduler.has_work()) step(scheduler);
  ASSERT_TRUE(scheduler.submit(ask(2, "a", 17, 2)).is_ok());
  const std::uint64_t before = costs_of(*scheduler.find(SeqId{2}));
  step(scheduler);
  EXPECT_EQ(costs_of(*scheduler.find(SeqId{2})) - before, 1u + 2);
}

// Three sequences fill twelve blocks. Of the tenant that was served more the last gives way, though
// it came before the other's and asks for a better priority. It pays for its text once.
TEST(Tenants, WhoWasServedMoreGivesWayAndPaysOnce) {
  Scheduler scheduler({}, capacity_of(8, 12));
  for (std::uint64_t id = 1; id <= 2; ++id) {
    auto greedy = ask(id, "a", 3, 20, static_cast<TokenId>(20 * id));
    greedy->priority = -5;
    ASSERT_TRUE(scheduler.submit(greedy).is_ok());
  }
  step(scheduler);
  ASSERT_TRUE(scheduler.submit(ask(3, "b", 3, 20, 80)).is_ok());
  while (scheduler.counts().preemptions == 0) step(scheduler);
  EXPECT_EQ(scheduler.find(SeqId{1})->state, SeqState::kRunning);
  EXPECT_EQ(scheduler.find(SeqId{2})->state, SeqState::kWaiting);
  EXPECT_EQ(scheduler.find(SeqId{3})->state, SeqState::kRunning);
  std::uint64_t costs = 0;
  while (scheduler.has_work()) {
    if (const Sequence* seq = scheduler.find(SeqId{2})) costs = costs_of(*seq);
    step(scheduler);
  }
  EXPECT_EQ(scheduler.counts().generated_tokens, 60u);
  EXPECT_GT(scheduler.counts().computed_tokens, 3u * (3 + 19));  // something was computed twice
  EXPECT_EQ(costs, 2u * 3 + 2 * 39);  // all but the last token, which comes with the last step
}

// A long prompt of one tenant is under way; a short one of another comes in between its chunks.
TEST(Tenants, ALongPromptLetsOthersIn) {
  Scheduler scheduler({}, capacity_of(8, 100));
  ASSERT_TRUE(scheduler.submit(ask(1, "a", 300, 2)).is_ok());
  ASSERT_TRUE(scheduler.submit(ask(2, "a", 300, 2, 50)).is_ok());
  for (int i = 0; i < 3; ++i) step(scheduler);
  ASSERT_TRUE(scheduler.submit(ask(3, "b", 10, 3, 77)).is_ok());
  step(scheduler);  // a tie: the one that came first
  const StepPlan plan = step(scheduler);
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_EQ(plan.rows[0].seq, SeqId{3});
  EXPECT_EQ(plan.rows[0].tokens.count, 10u);
  EXPECT_EQ(plan.rows[1].seq, SeqId{1});
}

// Two rows, both held by long answers of one tenant.
TEST(Tenants, ATenantThatLagsNeedNotWaitForSomebodysLongAnswer) {
  SchedulerOptions options;
  options.tenant_lag_max = 30;
  Scheduler scheduler(options, capacity_of(2, 200));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, "a", 2, 300, static_cast<TokenId>(10 * id))).is_ok());
  }
  step(scheduler);
  ASSERT_TRUE(scheduler.submit(ask(9, "b", 2, 30, 77)).is_ok());
  int steps = 0;
  for (; scheduler.find(SeqId{4})->state == SeqState::kWaiting; ++steps) {
    ASSERT_LT(steps, 12);
    step(scheduler);
  }
  EXPECT_GE(steps, 6);  // 2 rows of 2 each: a lag of more than 30 takes eight steps
  EXPECT_EQ(scheduler.counts().preemptions, 1u);
  EXPECT_EQ(scheduler.find(SeqId{1})->state, SeqState::kRunning);  // the last one gave way
  for (int i = 0; i < 20; ++i) step(scheduler);
  EXPECT_EQ(scheduler.counts().preemptions, 1u);  // a row each: b has what is its due
}

TEST(Tenants, ASmallTokenBudgetGoesAround) {
  Capacity capacity = capacity_of(8, 200);
  capacity.tokens_max = 4;
  SchedulerOptions options;
  options.tenant_lag_max = 20;
  Scheduler scheduler(options, capacity);
  for (std::uint64_t id = 1; id <= 6; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, "a", 1, 90, static_cast<TokenId>(10 * id))).is_ok());
  }
  for (int i = 0; i < 4; ++i) step(scheduler);
  for (std::uint64_t id = 7; id <= 8; ++id) {
    ASSERT_TRUE(scheduler.submit(ask(id, "b", 1, 90, static_cast<TokenId>(10 * id))).is_ok());
  }
  for (int i = 0; i < 60; ++i) step(scheduler);
  const std::uint64_t a = costs_of(*scheduler.find(SeqId{1}));
  const std::uint64_t b = costs_of(*scheduler.find(SeqId{7}));
  EXPECT_LE(a > b ? a - b : b - a, 20u + 8) << a << " and " << b;
}

TEST(Tenants, AShareIsOneToAThousand) {
  Scheduler scheduler({}, capacity_of(2, 32));
  for (const std::uint32_t share : {0u, 1001u}) {
    auto request = ask(1, "a", 2, 2);
    request->tenant_share = share;
    EXPECT_NE(scheduler.submit(request).message().find("share is " + std::to_string(share)),
              std::string::npos);
  }
}

}  // namespace
}  // namespace quire
