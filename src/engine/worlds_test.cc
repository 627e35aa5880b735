// Worlds: a million random events against EngineCore, over pools so small that preemption is daily
// life. Every event is an arrival, a cancellation, a jump in time or a step; after each step the
// ledger's balance is checked, and every branch that ends must equal the same branch alone.
// QUIRE_WORLD_EVENTS sets the number of events (sanitizer builds use fewer).
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "engine/testing/toy_constraint.h"
#include "engine/testing/world.h"
#include "sched/testing/dice.h"

namespace quire {
namespace {

std::uint64_t events_wanted() {
  const char* text = std::getenv("QUIRE_WORLD_EVENTS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1'000'000;
}

struct Climate {
  EngineOptions options;
  ScriptOptions script;
  std::uint32_t prompt_max = 0;
  std::uint32_t answer_max = 0;
};

Climate random_climate(Dice& dice) {
  Climate climate;
  const std::uint32_t block_tokens = dice.one_of<std::uint32_t>({1, 2, 4, 4, 8, 16});
  const std::uint32_t blocks = dice.one_of<std::uint32_t>({6, 10, 20, 40, 100, 255});
  ScriptOptions& script = climate.script;
  script.capacity = script_capacity(blocks, block_tokens);
  script.capacity.depth = dice.one_of<std::uint32_t>({1, 2, 4});
  script.capacity.vocab = 200;
  script.capacity.logits_rows_max = dice.between(1, 40);
  script.capacity.context_max = dice.between(8, 150);
  script.drafts_max = dice.chance(30) ? dice.between(1, 5) : 0;
  script.token_non_finite = 199;
  if (dice.chance(25)) {
    script.capacity.groups.push_back({.layers = 1,
                                      .block_tokens = block_tokens,
                                      .blocks = dice.between(4, blocks) + 1,
                                      .window = dice.between(1, 30)});
    if (dice.chance(30)) std::swap(script.capacity.groups[0], script.capacity.groups[1]);
    if (dice.chance(20)) script.capacity.groups.pop_back();
  }
  EngineOptions& options = climate.options;
  options.is_checking_invariants = true;
  options.queue_max = 40;
  options.eos_ids = {3, 4};
  options.scheduler.rows_max = dice.between(1, 12);
  options.scheduler.tokens_max = dice.between(1, 40);
  options.scheduler.is_prefix_caching = !dice.chance(15);
  options.scheduler.is_static_batching = dice.chance(8);
  const std::uint32_t positions = std::min(blocks * block_tokens, script.capacity.context_max);
  climate.prompt_max = std::max(1u, positions * 2 / 3);
  climate.answer_max = std::max(1u, positions / 2);
  return climate;
}

// The same with a recurrent layer or two, in pools from ample to hardly enough.
void add_states(Dice& dice, Climate& climate) {
  ScriptOptions& script = climate.script;
  auto& groups = script.capacity.groups;
  const std::uint32_t block_tokens = groups[0].block_tokens;
  for (std::uint32_t count = dice.between(1, 2); count > 0; --count) {
    const std::uint32_t blocks = dice.one_of<std::uint32_t>({1, 2, 3, 5, 10, 30, 100});
    groups.push_back({.layers = 1,
                      .holds = GroupHolds::kState,
                      .block_tokens = block_tokens,
                      .blocks = blocks + 1});
  }
  if (dice.chance(30)) std::swap(groups.front(), groups.back());
  if (dice.chance(10)) {  // nothing but states
    std::erase_if(groups, [](const KvGroup& group) { return holds_text(group); });
  }
  for (KvGroup& group : groups) {
    if (group.window != 0 && dice.chance(30)) group.sinks = dice.between(1, 6);
  }
}

// The same with an encoder, or with texts that are pooled.
void add_wholes(Dice& dice, Climate& climate) {
  Capacity& capacity = climate.script.capacity;
  climate.options.scheduler.tokens_max = dice.between(10, 60);
  if (dice.chance(60)) {
    capacity.lanes = 2;
    capacity.groups.push_back({.layers = 1,
                               .length = GroupLength::kEncoder,
                               .block_tokens = capacity.groups[0].block_tokens,
                               .blocks = dice.one_of<std::uint32_t>({6, 10, 20, 40, 100}) + 1});
    if (dice.chance(30)) std::swap(capacity.groups.front(), capacity.groups.back());
    return;
  }
  capacity.pooled_max = capacity.rows_max;
  capacity.segments = dice.between(1, 2);
  capacity.is_causal = dice.chance(60);
}

// Prompts of a few families, so that beginnings are shared at every length.
std::vector<TokenId> random_prompt(Dice& dice, std::uint32_t length_max) {
  std::vector<TokenId> prompt(dice.between(1, length_max));
  const std::uint32_t family = dice.below(3);
  const std::uint32_t shared = dice.below(static_cast<std::uint32_t>(prompt.size()) + 1);
  for (std::uint32_t i = 0; i < prompt.size(); ++i) {
    const std::uint64_t common = mix64(family * 1000 + i) % 5;
    prompt[i] = static_cast<TokenId>(i < shared ? common : dice.below(5)) + 10;
  }
  if (dice.chance(1)) prompt.back() = 199;  // makes the model answer with NaN
  return prompt;
}

Request random_request(Dice& dice, const Climate& climate, Nanos now) {
  Request request;
  request.prompt = random_prompt(dice, climate.prompt_max);
  SamplingParams& params = request.params;
  params.seed = dice.below(3);
  params.tokens_max = static_cast<int>(dice.between(dice.chance(5) ? 0 : 1, climate.answer_max));
  params.tokens_min = dice.chance(20) ? static_cast<int>(dice.below(8)) : 0;
  params.ignore_eos = dice.chance(30);
  if (dice.chance(20)) params.stop_ids = {7, 8, 9};
  if (dice.chance(20)) params.logprobs = static_cast<int>(dice.below(3));
  if (dice.chance(10)) params.prompt_logprobs = static_cast<int>(dice.below(3));
  request.tenant = dice.one_of({"", "", "", "a", "b"});
  request.cache_salt = dice.one_of({"", "", "", "s"});
  request.adapter = static_cast<std::int32_t>(dice.chance(10));
  request.priority = dice.one_of({0, 0, 0, 0, 1, -1});
  request.n = dice.chance(25) ? static_cast<int>(dice.between(2, 5)) : 1;
  request.branch_first = static_cast<int>(dice.chance(10));
  if (dice.chance(5)) request.deadline = now + Nanos(dice.between(1, 60));
  return request;
}

void make_whole(Dice& dice, const Climate& climate, Request& request) {
  const Capacity& capacity = climate.script.capacity;
  const std::uint32_t bound = climate.options.scheduler.tokens_max;
  if (capacity.lanes == 2) {
    request.encoder_input = random_prompt(dice, bound + dice.below(2));
    request.prompt.resize(dice.between(1, static_cast<std::uint32_t>(request.prompt.size())));
    return;
  }
  if (capacity.is_causal && dice.chance(60)) return;
  request.is_pooled = true;
  request.n = 1;
  request.params.tokens_max = 0;
  request.params.prompt_logprobs = -1;
  if (request.prompt.size() > bound + 1) request.prompt.resize(bound + dice.below(2));
  if (capacity.segments == 2) request.second_segment = dice.below(4);
}

// Messages end anywhere, also where nothing of the prompt is.
void add_message_ends(Dice& dice, Request& request) {
  std::uint32_t end = 0;
  for (std::uint32_t i = dice.below(4); i > 0; --i) {
    request.message_ends.push_back(end += dice.between(1, 20));
  }
}

// Who asks, by the name that the request has: one tenant with several caches, or tenants with
// different shares.
enum class Crowd { kOneTenant, kTenants };
void assign_tenant(Crowd crowd, Request& request) {
  if (crowd == Crowd::kOneTenant) {
    request.cache_salt += request.tenant;  // as far as the cache goes nothing changes
    request.tenant.clear();
  } else {
    request.tenant_share = request.tenant == "a" ? 3 : 1;
  }
}

struct Tally {
  std::uint64_t events = 0, refused = 0, branches = 0, preemptions = 0, steps = 0;
  std::uint64_t copies = 0, promises = 0, drafts = 0, cached = 0;
  std::uint64_t forced = 0, masks = 0;
  std::uint64_t plans = 0;  // a hash of all of them
};

// Adds facts up as a reader of them would, who knows nothing else.
class FactTally {
 public:
  void take(const StepEvents& step) {
    for (const BranchId& of : step.preempted) branches_[of].was_preempted = true;
    preemptions_ += step.preempted.size();
    for (const RowFact& row : step.rows) {
      Branch& branch = branches_[row.of];
      if (row.is_admission) branch.end = 0;
      const std::uint32_t gained = row.first_position > branch.end && !row.is_fork
                                       ? row.first_position - branch.end
                                       : 0;
      if (!branch.was_preempted) cached_ += gained;
      branch.end = row.first_position + row.tokens;
      computed_ += row.tokens;
      generated_ += row.generated;
    }
    steps_ += !step.rows.empty();
  }
  void expect_equal(const EngineStats& stats) const {
    EXPECT_EQ(steps_, stats.steps);
    EXPECT_EQ(computed_, stats.computed_tokens);
    EXPECT_EQ(generated_, stats.generated_tokens);
    EXPECT_EQ(preemptions_, stats.preemptions);
    EXPECT_EQ(cached_, stats.prefix_cached_tokens);
  }

 private:
  struct Branch {
    std::uint32_t end = 0;
    bool was_preempted = false;
  };
  std::map<BranchId, Branch> branches_;
  std::uint64_t steps_ = 0, computed_ = 0, generated_ = 0, preemptions_ = 0, cached_ = 0;
};

void expect_right_inspection(const EngineCore& core) {
  const KvInspection kv = core.inspect(0).kv;
  const EngineStats stats = core.stats();
  const KvLedger& ledger = core.scheduler().ledger();
  ASSERT_EQ(kv.groups.size(), ledger.groups());
  for (std::uint32_t g = 0; g < ledger.groups(); ++g) {
    const KvInspection::Group& group = kv.groups[g];
    const auto letters = [&](char letter) {
      return static_cast<std::uint64_t>(
          std::count(group.block_map.begin(), group.block_map.end(), letter));
    };
    ASSERT_EQ(group.blocks_per_letter, 1u);
    EXPECT_EQ(letters('f'), ledger.pool(g).free_count());
    EXPECT_EQ(letters('c'), ledger.pool(g).cached_count());
    EXPECT_EQ(letters('r') + letters('s'), ledger.pool(g).referenced_count());
    EXPECT_EQ(letters('s'), group.shared);
  }
  EXPECT_EQ(kv.groups[0].free, stats.blocks_free);
  EXPECT_EQ(kv.groups[0].cached, stats.blocks_cached);
  const auto sum = [](const std::vector<KvInspection::Bucket>& buckets) {
    std::uint64_t blocks = 0;
    for (const auto& bucket : buckets) blocks += bucket.blocks;
    return blocks;
  };
  EXPECT_EQ(kv.nodes, core.scheduler().ledger().tree().node_count());
  EXPECT_EQ(sum(kv.by_age), kv.tree_blocks);
  EXPECT_EQ(sum(kv.by_depth), kv.tree_blocks);
  EXPECT_LE(kv.tree_blocks, kv.nodes);
  EXPECT_GE(kv.tree_blocks, stats.blocks_cached);
  EXPECT_EQ(kv.largest.empty(), kv.nodes == 0);
}

// A failed check ends the process: say first which world it was.
volatile std::uint64_t world_seed = 0;
volatile std::uint64_t world_event = 0;
void tell_world(int) {
  std::fprintf(stderr, "world seed %llu, event %llu\n", static_cast<unsigned long long>(world_seed),
               static_cast<unsigned long long>(world_event));
}

enum class World { kPlain, kStates, kWholes, kConstraints };

void live_in(std::uint64_t seed, std::uint64_t events, World kind, Crowd crowd, Tally& tally) {
  world_seed = seed;
  Dice dice(seed);
  Climate climate = random_climate(dice);
  climate.options.scheduler.tenant_lag_max = Dice(~seed).one_of<std::uint32_t>({0, 20, 200, 16384});
  Dice of_kind(seed);
  if (kind == World::kStates) add_states(of_kind, climate);
  if (kind == World::kWholes) add_wholes(of_kind, climate);
  if (std::getenv("QUIRE_WORLD_SEED") != nullptr) {
    std::printf(
        "depth %u, groups %zu, block %u, blocks %u, window %u/%u, caching %d\n",
        climate.script.capacity.depth, climate.script.capacity.groups.size(),
        climate.script.capacity.groups[0].block_tokens, climate.script.capacity.groups[0].blocks,
        climate.script.capacity.groups.front().window, climate.script.capacity.groups.back().window,
        climate.options.scheduler.is_prefix_caching);
    std::fflush(stdout);
  }
  SCOPED_TRACE("world seed " + std::to_string(seed));
  ScriptWorld world(climate.options, climate.script);
  FactTally facts;
  const std::uint32_t busy = dice.between(5, 40);  // percent of events that are arrivals
  for (std::uint64_t i = 0; i < events; ++i) {
    world_event = i;
    if (dice.chance(busy)) {
      Request request = random_request(dice, climate, world.now());
      assign_tenant(crowd, request);
      if (kind == World::kStates) add_message_ends(of_kind, request);
      if (kind == World::kWholes) make_whole(of_kind, climate, request);
      if (kind == World::kConstraints && of_kind.chance(70)) {
        request.constraint = std::make_shared<ToyConstraint>(
            of_kind.below(20), climate.script.capacity.vocab, climate.options.eos_ids);
      }
      tally.refused += !world.submit(std::move(request)).is_ok();
    } else if (dice.chance(4)) {
      const std::vector<RequestId> live = world.live();
      if (!live.empty()) world.cancel(live[dice.below(static_cast<std::uint32_t>(live.size()))]);
    } else if (dice.chance(2)) {
      world.pass(Nanos(dice.below(50)));
    } else if (world.core().has_work()) {
      facts.take(world.advance());
      ASSERT_EQ(world.check_ended(), "") << "event " << i;
      if (i % 64 == 0) expect_right_inspection(world.core());
    }
  }
  while (world.core().has_work()) facts.take(world.advance());
  facts.expect_equal(world.core().stats());
  ASSERT_EQ(world.check_ended(), "");
  ASSERT_EQ(world.check_idle(), "");
  const EngineStats stats = world.core().stats();
  tally.plans = mix64(tally.plans * 31 + world.script().plans_hash());
  tally.events += events;
  tally.branches += world.branches_compared();
  tally.preemptions += stats.preemptions;
  tally.steps += stats.steps;
  tally.cached += stats.prefix_cached_tokens;
  tally.copies += world.script().copies();
  tally.promises += world.script().promises();
  tally.drafts += world.script().drafts_accepted();
  tally.forced += stats.forced_tokens;
  tally.masks += stats.masks;
}

class ManyWorlds : public testing::TestWithParam<World> {};
constexpr const char* kWorldNames[] = {"Plain", "WithStates", "WithWholes", "WithConstraints"};
INSTANTIATE_TEST_SUITE_P(Kinds, ManyWorlds,
                         testing::Values(World::kPlain, World::kStates, World::kWholes,
                                         World::kConstraints),
                         [](const auto& info) { return kWorldNames[int(info.param)]; });

TEST_P(ManyWorlds, AMillionEventsAndEveryBranchIsRight) {
  const std::uint64_t wanted = events_wanted() / (GetParam() == World::kPlain ? 1 : 2);
  const std::uint64_t events_each = std::max<std::uint64_t>(1000, wanted / 400);
  Tally tally;
  std::signal(SIGABRT, tell_world);
  const char* one = std::getenv("QUIRE_WORLD_SEED");  // start here, to look at one world
  for (std::uint64_t seed = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
       tally.events < wanted; ++seed) {
    live_in(seed, events_each, GetParam(), Crowd::kTenants, tally);
    if (HasFatalFailure()) return;
  }
  std::printf(
      "%llu events, %llu steps, %llu branches equal to the oracle, %llu refused, "
      "%llu preemptions, %llu copies, %llu promises, %llu drafts accepted, %llu cached, "
      "%llu forced, %llu masks\n",
      static_cast<unsigned long long>(tally.events), static_cast<unsigned long long>(tally.steps),
      static_cast<unsigned long long>(tally.branches),
      static_cast<unsigned long long>(tally.refused),
      static_cast<unsigned long long>(tally.preemptions),
      static_cast<unsigned long long>(tally.copies),
      static_cast<unsigned long long>(tally.promises),
      static_cast<unsigned long long>(tally.drafts), static_cast<unsigned long long>(tally.cached),
      static_cast<unsigned long long>(tally.forced), static_cast<unsigned long long>(tally.masks));
  // The worlds are hard enough to mean something.
  EXPECT_GT(tally.branches, wanted / 20);
  EXPECT_GT(tally.preemptions, wanted / 1000);
  EXPECT_GT(tally.copies, wanted / 1000);
  EXPECT_GT(tally.promises, wanted / 100);
  EXPECT_GT(tally.drafts, wanted / 1000);
  if (GetParam() == World::kConstraints) {
    EXPECT_GT(tally.forced, wanted / 50);
    EXPECT_GT(tally.masks, wanted / 50);
  }
}

// A stream of small requests, more than the pool can take, must not keep a large one out.
TEST(Worlds, ALargeRequestIsNotStarvedBySmallOnes) {
  for (const std::uint32_t depth : {1u, 2u, 4u}) {
    EngineOptions options;
    options.is_checking_invariants = true;
    options.scheduler.rows_max = 4;
    ScriptOptions script{.capacity = script_capacity(20)};
    script.capacity.depth = depth;
    ScriptWorld world(options, script);
    Request small;
    small.prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    small.params.tokens_max = 9;
    Request large;
    large.prompt.assign(60, 5);
    large.params.tokens_max = 15;
    large.id = RequestId{1'000'000};
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(world.submit(small).is_ok());
    ASSERT_TRUE(world.submit(large).is_ok());
    int steps = 0;
    bool is_done = false;
    for (; !is_done && steps < 400; ++steps) {
      small.prompt[0] = steps % 100;
      ASSERT_TRUE(world.core().stats().requests_waiting >= 200 || world.submit(small).is_ok());
      for (const TokenEvent& event : world.advance().events) is_done |= event.request == large.id;
    }
    EXPECT_TRUE(is_done) << "depth " << depth;
    EXPECT_LT(steps, 200);
    world.run_until_idle();
    EXPECT_EQ(world.check_ended(), "");
    EXPECT_EQ(world.check_idle(), "");
  }
}

// Of models without states; whoever changes a plan on purpose changes this. The number of one
// tenant is older than the fairness between tenants: with one, plans are what they were before.
TEST(Worlds, PlansAreFrozen) {
  const auto plans = [](Crowd crowd) {
    Tally tally;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      live_in(seed, 1000, World::kPlain, crowd, tally);
    }
    return tally.plans;
  };
  EXPECT_EQ(plans(Crowd::kOneTenant), 6486167991138799118u);
  EXPECT_EQ(plans(Crowd::kTenants), 3758490780435107739u);
}

// The same events give the same plans, to the byte.
TEST(Worlds, TheSameSeedGivesTheSamePlans) {
  std::uint64_t hashes[2];
  for (std::uint64_t& hash : hashes) {
    Dice dice(77);
    const Climate climate = random_climate(dice);
    ScriptWorld world(climate.options, climate.script);
    for (int i = 0; i < 3000; ++i) {
      if (dice.chance(20)) {
        (void)world.submit(random_request(dice, climate, world.now()));
      } else if (world.core().has_work()) {
        world.advance();
      }
    }
    hash = world.script().plans_hash();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_NE(hashes[0], 0u);
}

}  // namespace
}  // namespace quire
