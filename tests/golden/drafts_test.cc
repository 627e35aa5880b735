// Rows of drafts, accepted in part: for a tiny model of every architecture that answers, hashes of
// the raw logits rows of every accepted position, in a crowd whose sequences verify guesses of
// which the first none, some or all are right, equal those of each request alone without drafts. So
// do those of requests that go on from there and find in the prefix cache what such rows wrote. A
// planted backend whose rollback finds another state must fail it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "conformance/guessing_executor.h"
#include "crowds.h"
#include "lab/random_model.h"
#include "model/registry.h"
#include "planted_backend.h"

namespace quire {
namespace {

using testing::Branches;
using testing::Crowd;
using testing::GuessingExecutor;
using testing::Setting;
using testing::hashing_options;
using testing::make_test_executor;
using testing::run_alone;
using testing::run_to_end;

constexpr std::uint32_t kDrafts = 4;
constexpr std::uint32_t kContext = 256;
constexpr std::size_t kAsked = 16, kFollowers = 6;

// A crowd, and requests that go on where some of it ended.
struct Talk {
  Crowd crowd, followers;
  Branches alone;  // of both
};

RandomModel make(const std::string& shape, DType dtype) {
  auto made = make_random_model(shape, {.dtype = dtype, .seed = 42, .threads = 2});
  QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
  return std::move(made).value();
}

Setting alone_setting() { return {.threads = 1, .blocks = 64, .context_max = kContext}; }

// Those with the longest answers are followed: what they wrote beyond their prompts is found.
void add_followers(Talk& talk) {
  std::vector<Request> longest = talk.crowd.requests;
  std::stable_sort(longest.begin(), longest.end(), [](const Request& a, const Request& b) {
    return a.params.tokens_max > b.params.tokens_max;
  });
  longest.resize(kFollowers);
  for (Request& request : longest) {
    const std::vector<TokenId>& answer = talk.alone.at({request.id.value, 0}).tokens;
    request.prompt.insert(request.prompt.end(), answer.begin(), answer.end());
    request.prompt.push_back(static_cast<TokenId>(request.id.value));
    request.id.value += 1000;
    request.params.tokens_max = 12;
  }
  talk.followers.requests = std::move(longest);
}

Talk talk_of(const RandomModel& model, LocalExecutor& executor) {
  Talk talk{testing::random_crowd_for(23, model.design.facts), {}, {}};
  talk.crowd.requests.resize(kAsked);
  for (Request& request : talk.crowd.requests) {
    // So that they outgrow the room that let them in; beside an encoder they do already.
    if (request.encoder_input.empty()) request.params.tokens_max += 30;
  }
  talk.alone = run_alone(executor, talk.crowd);
  add_followers(talk);
  talk.alone.merge(run_alone(executor, talk.followers));
  return talk;
}

struct Outcome {
  int different = 0;  // branches
  std::uint64_t preemptions = 0, cached = 0;  // cached: prompt tokens of the followers
  GuessingExecutor::Outcomes rows;
  std::uint64_t verified = 0, accepted = 0;
};

Outcome run_with_drafts(std::unique_ptr<LocalExecutor> executor, const Talk& talk) {
  std::vector<std::vector<TokenId>> answers;
  for (const Crowd* part : {&talk.crowd, &talk.followers}) {
    for (const Request& request : part->requests) {
      answers.push_back(talk.alone.at({request.id.value, 0}).tokens);
    }
  }
  GuessingExecutor guessing(std::move(executor), std::move(answers));
  EngineCore core(hashing_options(), guessing, nullptr);
  Branches together = run_to_end(core, talk.crowd);
  const std::uint64_t cached = core.stats().prefix_cached_tokens;
  together.merge(run_to_end(core, talk.followers));
  Outcome outcome;
  outcome.cached = core.stats().prefix_cached_tokens - cached;
  outcome.preemptions = core.stats().preemptions;
  outcome.rows = guessing.outcomes();
  outcome.verified = guessing.verified();
  outcome.accepted = guessing.accepted();
  EXPECT_EQ(together.size(), talk.alone.size());
  for (const auto& [key, branch] : talk.alone) {
    const auto found = together.find(key);
    outcome.different += found == together.end() || !(found->second == branch);
  }
  return outcome;
}

// Its blocks come back by themselves.
bool has_window(const ModelFacts& facts) {
  return std::any_of(facts.groups.begin(), facts.groups.end(),
                     [](const GroupFacts& group) { return group.window > 0; });
}

// It needs no more room as its texts grow.
bool has_states_alone(const ModelFacts& facts) {
  return std::all_of(facts.groups.begin(), facts.groups.end(),
                     [](const GroupFacts& group) { return group.holds_state; });
}

// Any number of drafts was verified, any number of those accepted, and each of that often.
void expect_all_met(const GuessingExecutor::Outcomes& rows) {
  for (std::uint32_t drafts = 1; drafts <= kDrafts; ++drafts) {
    for (std::uint32_t accepted = 0; accepted <= drafts; ++accepted) {
      const auto met = rows.find({drafts, accepted});
      EXPECT_GE(met == rows.end() ? 0u : met->second, 3u) << accepted << " of " << drafts;
    }
  }
}

std::vector<std::string> answering_shapes() {
  std::vector<std::string> names = testing::tiny_shapes();
  names.emplace_back("tiny");
  std::erase_if(names, [](const std::string& name) {
    return make(name, DType::kF32).design.facts.kind == ModelKind::kEncoder;
  });
  return names;
}

class DraftsTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Shapes, DraftsTest, ::testing::ValuesIn(answering_shapes()),
                         testing::tiny_shape_name);

TEST_P(DraftsTest, AcceptedInPartTheyChangeNoLogits) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    const RandomModel model = make(GetParam(), dtype);
    const auto start = [&](const Setting& setting) {
      return make_test_executor(model.design, model.find, setting);
    };
    const Talk talk = talk_of(model, *start(alone_setting()));
    std::size_t rows = 0;
    for (const auto& [key, branch] : talk.alone) rows += branch.logits_hashes.size();
    EXPECT_EQ(rows, testing::tokens_of(talk.crowd) + testing::tokens_of(talk.followers));
    Outcome all;
    // The last one has no room for all of them.
    for (const auto& [threads, tokens_max, rows_max, blocks] :
         {std::tuple{1, 160u, 16u, 400u}, std::tuple{2, 512u, 64u, 400u},
          std::tuple{2, 144u, 16u, 8u}}) {
      const Outcome outcome = run_with_drafts(
          start({.threads = threads, .tokens_max = tokens_max, .rows_max = rows_max,
                 .blocks = blocks, .context_max = kContext, .drafts_max = kDrafts}), talk);
      EXPECT_EQ(outcome.different, 0) << dtype_name(dtype) << ": " << threads << " threads, "
                                      << blocks << " blocks";
      all.verified += outcome.verified, all.accepted += outcome.accepted;
      all.preemptions += outcome.preemptions, all.cached += outcome.cached;
      if (blocks >= 400) {
        expect_all_met(outcome.rows);
      } else {
        EXPECT_GT(outcome.verified, 0u);
      }
    }
    EXPECT_GT(all.accepted, rows / 2);
    EXPECT_GT(all.verified - all.accepted, rows / 2);
    EXPECT_TRUE(all.preemptions > 0 || has_window(model.design.facts) ||
                has_states_alone(model.design.facts));
    EXPECT_EQ(all.cached > 0, model.design.facts.kind == ModelKind::kDecoder);
    std::printf("FIGURE %s %s: 3 times %zu logits rows equal with drafts: %llu accepted, %llu "
                "refused, %llu preemptions, %llu tokens of follow-ups cached\n",
                GetParam().c_str(), std::string(dtype_name(dtype)).c_str(), rows,
                static_cast<unsigned long long>(all.accepted),
                static_cast<unsigned long long>(all.verified - all.accepted),
                static_cast<unsigned long long>(all.preemptions),
                static_cast<unsigned long long>(all.cached));
  }
}

class PlantedStatesTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Shapes, PlantedStatesTest,
                         ::testing::Values("tiny-falcon-h1", "tiny-granite", "tiny-granite-moe",
                                           "tiny-jamba", "tiny-kimi-linear", "tiny-lfm2",
                                           "tiny-mamba", "tiny-mamba2", "tiny-qwen3-next",
                                           "tiny-qwen3.5", "tiny-recurrent-gemma",
                                           "tiny-zamba2"),
                         testing::tiny_shape_name);

TEST_P(PlantedStatesTest, ARollbackThatKeepsTheWrongStateIsCaughtByDraftsAlone) {
  const RandomModel model = make(GetParam(), DType::kF32);
  const auto planted = [&] {
    LocalOptions options;
    options.capacity.tokens_max = 160;
    options.capacity.blocks = 400;
    options.capacity.context_max = kContext;
    options.capacity.drafts_max = kDrafts;
    auto made = make_executor(testing::planted_states_backend(1), model.design, model.find,
                              options);
    QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
    return std::move(made).value();
  };
  const Talk talk =
      talk_of(model, *make_test_executor(model.design, model.find, alone_setting()));
  const auto executor = planted();
  EngineCore core(hashing_options(), *executor, nullptr);
  const Branches plain = run_to_end(core, talk.crowd);
  for (const auto& [key, branch] : plain) EXPECT_EQ(branch, talk.alone.at(key));
  const Outcome outcome = run_with_drafts(planted(), talk);
  std::printf("FIGURE planted states, %s: %d of %zu requests differ\n", GetParam().c_str(),
              outcome.different, talk.alone.size());
  EXPECT_GT(outcome.different, static_cast<int>(kAsked / 2));
}

}  // namespace
}  // namespace quire
