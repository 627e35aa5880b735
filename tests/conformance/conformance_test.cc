// Conformance: what every executor owes the thinking wing, asked of Script, Sim and Local alike, at
// depths 1, 2 and 4. A fake is never more lenient than the real thing: the fakes have the real
// one's capacity and meet the same plans. Local runs a tiny random model; ahead of time it runs
// behind a thread.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/check.h"
#include "device_thread.h"
#include "engine/engine_core.h"
#include "engine/testing/script_executor.h"
#include "guessing_executor.h"
#include "lab/random_model.h"
#include "runtime/make_executor.h"
#include "sim/sim_executor.h"

namespace quire::testing {
namespace {

enum class Kind { kScript, kSim, kLocal };

std::unique_ptr<LocalExecutor> make_local(std::uint32_t depth) {
  static const RandomModel model = [] {
    auto made = make_random_model("tiny", {.seed = 42, .threads = 1});
    QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
    return std::move(made).value();
  }();
  auto backend = make_cpu_backend({.threads = 1});
  QUIRE_CHECK(backend.is_ok(), "{}", backend.status().message());
  LocalOptions options;
  options.capacity = {.rows_max = 16, .tokens_max = 64, .blocks = 48};
  options.capacity.depth = depth;
  options.capacity.drafts_max = 4;
  auto made = make_executor(std::move(backend).value(), model.design, model.find, options);
  QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
  return std::move(made).value();
}

std::unique_ptr<Executor> make(Kind kind, std::uint32_t depth) {
  std::unique_ptr<LocalExecutor> local = make_local(depth);
  const Capacity capacity = local->capacity();
  switch (kind) {
    case Kind::kScript: return std::make_unique<ScriptExecutor>(ScriptOptions{capacity});
    case Kind::kSim: return std::make_unique<SimExecutor>(capacity, CostModel());
    case Kind::kLocal: break;
  }
  if (depth == 1) return local;
  return std::make_unique<DeviceThread>(std::move(local));
}

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  std::vector<std::uint64_t> hashes;
  FinishReason finish = FinishReason::kNone;
  bool operator==(const Answer&) const = default;
};
using Answers = std::map<BranchId, Answer>;

EngineOptions options_of(std::vector<TokenId> eos_ids = {}) {
  EngineOptions options;
  options.eos_ids = std::move(eos_ids);
  options.is_hashing_logits = true;
  options.is_checking_invariants = true;
  return options;
}

// Request i comes before step 2 i.
Answers run(Executor& executor, const EngineOptions& options, std::vector<Request> requests,
            std::uint64_t* rows = nullptr) {
  Answers answers;
  EngineCore core(options, executor, nullptr);
  std::size_t next = 0;
  for (int step = 0; next < requests.size() || core.has_work(); ++step) {
    for (; next < requests.size() && static_cast<int>(next) * 2 <= step; ++next) {
      const Status status = core.submit(requests[next]);
      QUIRE_CHECK(status.is_ok(), "{}", status.message());
    }
    const StepEvents events = core.advance(Nanos(step));
    if (rows != nullptr) *rows += events.rows.size();
    for (const TokenEvent& event : events.events) {
      Answer& answer = answers[{event.request, event.branch}];
      answer.tokens.insert(answer.tokens.end(), event.accepted.begin(), event.accepted.end());
      for (const TokenScore& it : event.scores) answer.logprobs.push_back(it.logprob);
      answer.hashes.insert(answer.hashes.end(), event.logits_hashes.begin(),
                           event.logits_hashes.end());
      if (event.finish != FinishReason::kNone) answer.finish = event.finish;
    }
  }
  EXPECT_EQ(core.stats().blocks_referenced, 0u);
  return answers;
}

std::vector<Request> crowd(std::uint32_t vocab, int branches_max) {
  Dice dice(11);
  std::vector<Request> requests;
  for (std::uint64_t id = 1; id <= 8; ++id) {
    Request request;
    request.id = RequestId{id};
    for (std::uint32_t i = dice.between(1, 90); i > 0; --i) {
      request.prompt.push_back(static_cast<TokenId>(dice.below(vocab)));
    }
    request.params.temperature = id % 2 == 0 ? 0 : 1;
    request.params.seed = id;
    request.params.logprobs = 0;
    request.params.tokens_max = static_cast<int>(dice.between(8, 40));
    request.n = static_cast<int>(dice.between(1, static_cast<std::uint32_t>(branches_max)));
    requests.push_back(std::move(request));
  }
  return requests;
}

using Setup = std::tuple<Kind, std::uint32_t>;

class Conformance : public ::testing::TestWithParam<Setup> {
 protected:
  Kind kind() const { return std::get<0>(GetParam()); }
  std::uint32_t depth() const { return std::get<1>(GetParam()); }
  std::unique_ptr<Executor> make_one() const { return make(kind(), depth()); }
  void TearDown() override { EXPECT_EQ(violation_of(executor.get()), ""); }

  static std::string violation_of(Executor* of) {
    const auto* script = dynamic_cast<ScriptExecutor*>(of);
    return script == nullptr ? "" : script->violation();
  }

  // One row of the whole prompt, in block 1 and on.
  StepPlan plan_of(StepId step, std::uint64_t seq, std::vector<TokenId> tokens,
                   std::uint32_t want_last) const {
    StepPlan plan;
    plan.step = step;
    const auto count = static_cast<std::uint32_t>(tokens.size());
    plan.rows = {{.seq = SeqId{seq}, .tokens = {0, count}, .want_last = want_last}};
    plan.tokens = std::move(tokens);
    plan.tables = {{0, 1}};
    plan.blocks = {static_cast<BlockId>(seq)};
    return plan;
  }
  SampleRow draw_at(std::uint32_t position) {
    return {.position = position, .params = &params, .history = std::span(past).first(position)};
  }
  RowResult run_one(const StepPlan& plan, const SampleSpec& spec) {
    const Ticket ticket = executor->launch(plan);
    executor->sample(ticket, spec);
    const StepResult result = executor->finish(ticket);
    EXPECT_EQ(result.step, plan.step);
    EXPECT_EQ(result.rows.size(), 1u);
    return result.rows.at(0);
  }

  std::unique_ptr<Executor> executor = make_one();
  SamplingParams params;
  std::vector<TokenId> past = std::vector<TokenId>(100, 5);
};

std::string setup_name(const ::testing::TestParamInfo<Setup>& info) {
  constexpr const char* kNames[] = {"Script", "Sim", "Local"};
  return kNames[static_cast<int>(std::get<0>(info.param))] + std::string("AtDepth") +
         std::to_string(std::get<1>(info.param));
}
INSTANTIATE_TEST_SUITE_P(All, Conformance,
                         ::testing::Combine(::testing::Values(Kind::kScript, Kind::kSim,
                                                              Kind::kLocal),
                                            ::testing::Values(1u, 2u, 4u)),
                         setup_name);

TEST_P(Conformance, AnswersAreTheSameAloneAndAheadOfTime) {
  const std::vector<Request> requests = crowd(executor->capacity().vocab, 3);
  const Answers together = run(*executor, options_of(), requests);
  Answers alone;
  for (const Request& request : requests) {
    alone.merge(run(*make(kind(), 1), options_of(), {request}));
  }
  EXPECT_EQ(together, alone);
}

// Branches end while rows of theirs are launched already: those are listed and marked.
TEST_P(Conformance, BranchesThatEndAheadOfTheirRows) {
  const std::uint32_t vocab = executor->capacity().vocab;
  std::vector<TokenId> eos_ids;
  for (std::uint32_t token = 0; token < vocab; token += 5) {
    eos_ids.push_back(static_cast<TokenId>(token));
  }
  const std::vector<Request> requests = crowd(vocab, 3);
  const Answers together = run(*executor, options_of(eos_ids), requests);
  Answers alone;
  int stopped = 0;
  for (const Request& request : requests) {
    alone.merge(run(*make(kind(), 1), options_of(eos_ids), {request}));
  }
  for (const auto& [of, answer] : alone) stopped += answer.finish == FinishReason::kStop;
  EXPECT_GT(stopped, 3);
  EXPECT_EQ(together, alone);
}

TEST_P(Conformance, DraftsChangeNothingButTheNumberOfRows) {
  const std::vector<Request> requests = crowd(executor->capacity().vocab, 1);
  std::uint64_t rows_without = 0, rows_with = 0;
  const Answers without = run(*executor, options_of(), requests, &rows_without);
  std::vector<std::vector<TokenId>> texts;
  for (const auto& [of, answer] : without) texts.push_back(answer.tokens);
  GuessingExecutor guessing(make_one(), texts);
  const Answers with = run(guessing, options_of(), requests, &rows_with);
  EXPECT_EQ(with, without);
  EXPECT_GT(guessing.accepted(), 20u);
  EXPECT_GT(guessing.verified(), guessing.accepted());  // some were refused
  EXPECT_LT(rows_with, rows_without);
}

TEST_P(Conformance, NothingAllowedEndsItsOwnRequestOnly) {
  const std::uint32_t vocab = executor->capacity().vocab;
  std::vector<TokenId> all(vocab);
  for (std::uint32_t i = 0; i < vocab; ++i) all[i] = static_cast<TokenId>(i);
  std::vector<Request> requests = crowd(vocab, 1);
  requests.resize(2);
  requests[0].params.stop_ids = all;
  requests[0].params.tokens_min = 3;
  const Answers answers = run(*executor, options_of(), requests);
  const Answer& refused = answers.at({RequestId{1}, 0});
  EXPECT_EQ(refused.finish, FinishReason::kNothingAllowed);
  EXPECT_TRUE(refused.tokens.empty());
  EXPECT_EQ(answers.at({RequestId{2}, 0}).finish, FinishReason::kLength);
}

TEST_P(Conformance, AMaskDecidesWhatIsDrawn) {
  std::vector<std::uint32_t> mask((executor->capacity().vocab + 31) / 32, 0);
  SampleSpec spec{{draw_at(3)}};
  spec.rows[0].mask = mask;
  const RowResult nothing = run_one(plan_of(1, 1, {5, 6, 7}, 1), spec);
  EXPECT_EQ(nothing.outcome, RowOutcome::kNothingAllowed);
  EXPECT_TRUE(nothing.accepted.empty());
  mask[3] = 1u << 17;
  const RowResult one = run_one(plan_of(2, 1, {5, 6, 7}, 1), spec);
  EXPECT_EQ(one.outcome, RowOutcome::kOk);
  EXPECT_EQ(one.accepted, std::vector<TokenId>{3 * 32 + 17});
}

TEST_P(Conformance, OfADiscardedRowNothingComes) {
  StepPlan plan = plan_of(1, 1, {5, 6, 7}, 1);
  const RowResult row = run_one(plan, discard_all(plan));
  EXPECT_EQ(row.seq, SeqId{1});
  EXPECT_EQ(row.outcome, RowOutcome::kOk);
  EXPECT_TRUE(row.accepted.empty());
  if (depth() == 1) return;
  plan = plan_of(2, 1, {-1}, 1);  // a promise of what was not sampled: any token will do
  plan.rows[0].first_position = 3;
  EXPECT_TRUE(run_one(plan, discard_all(plan)).accepted.empty());
}

TEST_P(Conformance, ScoresComeBeforeTheDrawInOrder) {
  params.logprobs = 2;
  SampleSpec spec{{draw_at(1), draw_at(2), draw_at(3)}};
  for (SampleRow& row : spec.rows) row.logprobs = 2;
  spec.rows[0].target = 6;
  spec.rows[1].target = 7;
  StepPlan plan = plan_of(1, 1, {5, 6, 7}, 3);
  plan.rows[0].flags = kRowHashLogits;
  const RowResult row = run_one(plan, spec);
  ASSERT_EQ(row.scores.size(), 3u);
  ASSERT_EQ(row.accepted.size(), 1u);
  EXPECT_EQ(row.logits_hashes.size(), 3u);
  EXPECT_EQ(row.scores[0].token, 6);
  EXPECT_EQ(row.scores[1].token, 7);
  EXPECT_EQ(row.scores[2].token, row.accepted[0]);
}

TEST_P(Conformance, AnEngineMayLeaveWithPlansInFlight) {
  EngineCore core(options_of(), *executor, nullptr);
  for (const Request& request : crowd(executor->capacity().vocab, 2)) {
    ASSERT_TRUE(core.submit(request).is_ok());
  }
  for (int step = 0; step < 5; ++step) core.advance(Nanos(step));
}

// What the model cannot do is refused by every executor; Script notes it, the others end.
class ConformanceDeathTest : public Conformance {};
INSTANTIATE_TEST_SUITE_P(All, ConformanceDeathTest,
                         ::testing::Combine(::testing::Values(Kind::kScript, Kind::kSim,
                                                              Kind::kLocal),
                                            ::testing::Values(1u, 2u)),
                         setup_name);

TEST_P(ConformanceDeathTest, WhatTheCapacityDoesNotHaveIsRefused) {
  const std::vector<std::pair<const char*, std::function<void(StepPlan&)>>> breaks = {
      {"adapter", [](StepPlan& p) { p.rows[0].adapter = 1; }},
      {"lane", [](StepPlan& p) { p.rows[0].lane = 1; }},
      {"pooled", [](StepPlan& p) { p.rows[0].want_last = 0, p.rows[0].flags = kRowPool; }},
      {"drafts", [](StepPlan& p) { p.rows[0].drafts = 5, p.rows[0].want_last = 6; }},
      {"token", [](StepPlan& p) { p.tokens[0] = 1 << 20; }},
      {"block", [](StepPlan& p) { p.blocks[0] = 1 << 20; }},
  };
  for (const auto& [what, break_it] : breaks) {
    StepPlan plan = plan_of(1, 1, {5, 6, 7, 8, 9, 10, 11}, 1);
    break_it(plan);
    if (kind() == Kind::kScript) {
      ScriptExecutor script({executor->capacity()});
      script.launch(plan);
      EXPECT_NE(script.violation(), "") << what;
    } else {
      EXPECT_DEATH(executor->launch(plan), "step plan") << what;
    }
  }
}

TEST_P(ConformanceDeathTest, ASpecThatLeavesARowOutIsRefused) {
  const StepPlan plan = plan_of(1, 1, {5, 6, 7}, 2);
  if (kind() == Kind::kScript) {
    ScriptExecutor script({executor->capacity()});
    script.sample(script.launch(plan), {});
    EXPECT_NE(script.violation(), "");
  } else if (depth() == 1) {
    const Ticket ticket = executor->launch(plan);
    EXPECT_DEATH(executor->sample(ticket, {}), "sample spec: 0 rows");
    executor->sample(ticket, discard_all(plan));
    executor->finish(ticket);
  }
}

}  // namespace
}  // namespace quire::testing
