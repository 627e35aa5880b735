// Planted bugs: the proof that the worlds would see what they are there for. A bug is planted
// either between the core and the script, by an executor that changes plans on their way, or in the
// ledger, through a saboteur who is its friend. Each must be noticed, and the same world without it
// must not.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "engine/testing/world.h"
#include "sched/testing/dice.h"

namespace quire {

struct LedgerSaboteur {
  static void free_early(KvLedger& ledger, BlockId block) { ledger.pools_[0].release(block); }
  static void leak(KvLedger& ledger, BlockId block) { ledger.pools_[0].retain(block); }
  // It lets go of what fell behind a smaller window than the model's.
  static void shrink_windows(KvLedger& ledger) {
    for (KvGroup& group : ledger.groups_) group.window /= 2;
  }
};
struct SchedulerSaboteur {
  static KvLedger& ledger(EngineCore& core) { return core.scheduler_.ledger_; }
  // A block in the middle of what some running sequence has computed.
  static BlockId victim(EngineCore& core) {
    for (const Sequence* seq : core.scheduler_.running_) {
      if (seq->rows_in_flight == 0 && seq->tables[0].size() >= 3) return seq->tables[0][1];
    }
    return 0;
  }
};

namespace {

using Tamper = std::function<void(StepPlan&)>;

class TamperingExecutor : public Executor {
 public:
  TamperingExecutor(Executor& inner, Tamper tamper) : inner_(inner), tamper_(std::move(tamper)) {}
  const Capacity& capacity() const override { return inner_.capacity(); }
  Ticket launch(const StepPlan& plan) override {
    StepPlan changed = plan;
    tamper_(changed);
    return inner_.launch(changed);
  }
  void sample(Ticket ticket, const SampleSpec& spec) override { inner_.sample(ticket, spec); }
  StepResult finish(Ticket ticket) override { return inner_.finish(ticket); }

 private:
  Executor& inner_;
  Tamper tamper_;
};

// A busy little world: shared beginnings, forks, preemption. Returns the first complaint of the
// oracle, the contract or (asked last) the balance.
std::string live(const Tamper& tamper, std::uint32_t depth = 1,
                 const std::function<void(ScriptWorld&, int)>& sabotage = {},
                 bool is_hybrid = false) {
  Dice dice(5);
  EngineOptions options;
  options.queue_max = 20;
  options.scheduler.rows_max = 6;
  options.scheduler.tokens_max = 24;
  ScriptOptions script{.capacity = script_capacity(24)};
  script.capacity.depth = depth;
  if (is_hybrid) {
    auto& groups = script.capacity.groups;
    groups.push_back({.layers = 1, .block_tokens = 4, .blocks = 40, .window = 12});
    groups.push_back(
        {.layers = 1, .holds = GroupHolds::kState, .block_tokens = 4, .blocks = 40});
    script.drafts_max = 4;
  }
  ScriptWorld::Wrap wrap;
  if (tamper) {
    wrap = [&](Executor& inner) { return std::make_unique<TamperingExecutor>(inner, tamper); };
  }
  ScriptWorld world(options, script, wrap);
  for (int i = 0; i < 2000; ++i) {
    if (dice.chance(15)) {
      Request request;
      for (std::uint32_t t = 0; t < dice.between(1, 30); ++t) {
        request.prompt.push_back(static_cast<TokenId>(t % 7 + dice.below(50) / 49));
      }
      request.params.tokens_max = static_cast<int>(dice.between(1, 30));
      request.params.seed = dice.next();
      request.n = dice.chance(30) ? 3 : 1;
      (void)world.submit(std::move(request));
    }
    if (sabotage) sabotage(world, i);
    // Before the step: one that ends a sequence would meet BlockPool's own check.
    const Status balance = world.core().scheduler().check_invariants();
    if (!balance.is_ok()) return "balance: " + balance.message();
    if (!world.core().has_work()) continue;
    world.advance();
    std::string complaint = world.check_ended();
    if (!complaint.empty()) return "oracle: " + complaint;
  }
  world.run_until_idle();
  std::string complaint = world.check_ended();
  return complaint.empty() ? world.check_idle() : complaint;
}

TEST(PlantedBugs, WithoutOneNothingIsSeen) {
  for (const std::uint32_t depth : {1u, 2u, 4u}) {
    EXPECT_EQ(live({}, depth), "");
    EXPECT_EQ(live([](StepPlan&) {}, depth), "");
  }
}

constexpr std::uint16_t kStateGroup = 2;

TEST(PlantedBugs, WithoutOneNothingIsSeenInAHybrid) {
  for (const std::uint32_t depth : {1u, 2u, 4u}) EXPECT_EQ(live({}, depth, {}, true), "");
}

// Copied after the row that overwrites it: the state of a later position.
TEST(PlantedBugs, AStateTakenAtTheWrongPositionIsSeen) {
  std::vector<BlockCopy> late;
  const auto tamper = [&](StepPlan& plan) {
    std::vector<BlockCopy> now = std::move(late);
    late.clear();
    const auto is_snapshot = [&](const BlockCopy& copy) {
      for (std::size_t r = 0; r < plan.rows.size() && copy.group == kStateGroup; ++r) {
        if (plan.blocks[plan.table(r, kStateGroup).begin] == copy.src) return true;
      }
      return false;
    };
    for (const BlockCopy& copy : plan.copies) (is_snapshot(copy) ? late : now).push_back(copy);
    plan.copies = now;
  };
  EXPECT_NE(live(tamper, 1, {}, true), "");
}

TEST(PlantedBugs, ASnapshotThatIsOverwrittenIsSeen) {
  std::vector<BlockId> snapshots;
  int plans = 0;
  const auto tamper = [&](StepPlan& plan) {
    if (++plans % 10 == 0 && !plan.rows.empty()) {
      for (const BlockId block : snapshots) {
        bool is_named = false;
        for (std::size_t r = 0; r < plan.rows.size(); ++r) {
          const Span table = plan.table(r, kStateGroup);
          for (std::uint32_t i = 0; i < table.count; ++i) {
            is_named |= plan.blocks[table.begin + i] == block;
          }
        }
        for (const BlockCopy& copy : plan.copies) {
          is_named |= copy.group == kStateGroup && (copy.src == block || copy.dst == block);
        }
        const BlockId other = plan.blocks[plan.table(0, kStateGroup).begin];
        if (!is_named) plan.copies.push_back({.group = kStateGroup, .src = other, .dst = block});
      }
      snapshots.clear();
    }
    for (const BlockCopy& copy : plan.copies) {
      if (copy.group == kStateGroup) snapshots.push_back(copy.dst);
    }
    std::sort(snapshots.begin(), snapshots.end());
    snapshots.erase(std::unique(snapshots.begin(), snapshots.end()), snapshots.end());
  };
  const std::string seen = live(tamper, 1, {}, true);
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, ARollbackThatKeepsTheWrongEntryIsSeen) {
  const auto tamper = [](StepPlan& plan) {
    for (std::size_t r = 0; r < plan.rows.size(); ++r) {
      const Span table = plan.table(r, kStateGroup);
      if (table.count > 2) std::swap(plan.blocks[table.begin + 1], plan.blocks[table.begin + 2]);
    }
  };
  const std::string seen = live(tamper, 1, {}, true);
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

// A smaller window than the model has: the plan itself shows it.
TEST(PlantedBugsDeathTest, AWindowBlockFreedTooEarlyIsSeenByTheContract) {
  const auto shrink = [](ScriptWorld& world, int i) {
    if (i == 100) LedgerSaboteur::shrink_windows(SchedulerSaboteur::ledger(world.core()));
  };
  EXPECT_DEATH(live({}, 1, shrink, true), "block 0 at . of group 1");
}

// ... and if it did not, another's tokens in the block would.
TEST(PlantedBugs, AWindowBlockThatAnotherWritesIsSeen) {
  int plans = 0;
  const auto tamper = [&](StepPlan& plan) {
    if (++plans < 40 || plan.rows.size() < 2) return;
    const Span table = plan.table(0, 1);
    const std::uint32_t first = plan.rows[0].first_position;
    if (first < 12 || first / 4 + 1 > table.count) return;
    plan.blocks[table.begin + (first - 11) / 4] = plan.blocks[table.begin + first / 4];
  };
  const std::string seen = live(tamper, 1, {}, true);
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, CopiesAfterTheWritesAreSeen) {
  std::vector<BlockCopy> late;
  const std::string seen = live([&](StepPlan& plan) { std::swap(plan.copies, late); });
  EXPECT_NE(seen, "");
}

TEST(PlantedBugs, SourceAndDestinationSwappedAreSeen) {
  const std::string seen = live([](StepPlan& plan) {
    for (BlockCopy& copy : plan.copies) std::swap(copy.src, copy.dst);
  });
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, ALostCopyIsSeen) {
  const std::string seen = live([](StepPlan& plan) { plan.copies.clear(); });
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, AWrongOffsetIsSeen) {
  int plans = 0;
  const std::string seen = live([&](StepPlan& plan) {
    if (++plans != 40) return;
    for (StepRow& row : plan.rows) {
      if (row.first_position > 0) --row.first_position;
    }
  });
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, AForeignBlockIsSeen) {
  int plans = 0;
  const std::string seen = live([&](StepPlan& plan) {
    if (++plans < 40 || plan.rows.size() < 2) return;
    const Span table = plan.tables[0];
    if (table.count > 2) plan.blocks[table.begin] = plan.blocks[table.begin + 1];
  });
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

TEST(PlantedBugs, AnExchangedPromiseIsSeen) {
  const std::string seen = live(
      [](StepPlan& plan) {
        for (TokenId& token : plan.tokens) {
          if (token < -1) token = -1;
        }
      },
      2);
  EXPECT_EQ(seen.substr(0, 7), "oracle:") << seen;
}

// The balance sees it at once...
TEST(PlantedBugs, ABlockFreedEarlyIsSeenByTheBalance) {
  bool is_planted = false;
  const std::string seen = live({}, 1, [&](ScriptWorld& world, int i) {
    const BlockId block = SchedulerSaboteur::victim(world.core());
    if (i < 100 || is_planted || block == 0) return;
    LedgerSaboteur::free_early(SchedulerSaboteur::ledger(world.core()), block);
    is_planted = true;
  });
  EXPECT_EQ(seen.substr(0, 8), "balance:") << seen;
}

// ... and if nobody looked at the balance, the contract would: another sequence writes the block.
TEST(PlantedBugsDeathTest, ABlockFreedEarlyIsSeenByTheContract) {
  EngineOptions options;
  options.scheduler.is_prefix_caching = false;
  ScriptWorld world(options, {.capacity = script_capacity(24)});
  Request request;
  request.params.tokens_max = 30;
  request.prompt.assign(20, 5);
  ASSERT_TRUE(world.submit(request).is_ok());
  for (int i = 0; i < 3; ++i) world.advance();
  const BlockId block = SchedulerSaboteur::victim(world.core());
  ASSERT_NE(block, 0);
  LedgerSaboteur::free_early(SchedulerSaboteur::ledger(world.core()), block);
  request.prompt.assign(20, 9);
  ASSERT_TRUE(world.submit(request).is_ok());
  EXPECT_DEATH(world.run_until_idle(), "written by one row and read by another");
}

// With launches ahead, the executor sees it even when the sequence itself has left.
TEST(PlantedBugs, ABlockFreedBeforeItsLastPlanIsFinishedIsSeen) {
  ScriptOptions script{.capacity = script_capacity(24)};
  script.capacity.depth = 2;
  ScriptExecutor executor(script);
  StepPlan plan;
  plan.step = 1;
  plan.rows = {{.seq = SeqId{1}, .tokens = {0, 1}}};
  plan.tokens = {5};
  plan.tables = {{0, 1}};
  plan.blocks = {3};
  executor.launch(plan);
  plan.step = 2;
  executor.launch(plan);  // the same sequence may
  EXPECT_EQ(executor.violation(), "");
  ScriptExecutor other(script);
  plan.step = 1;
  other.launch(plan);
  plan.step = 2;
  plan.rows[0].seq = SeqId{2};
  other.launch(plan);
  EXPECT_NE(other.violation(), "");
}

TEST(PlantedBugs, ALeakIsSeen) {
  bool is_planted = false;
  const std::string seen = live({}, 1, [&](ScriptWorld& world, int i) {
    const BlockId block = SchedulerSaboteur::victim(world.core());
    if (i < 100 || is_planted || block == 0) return;
    LedgerSaboteur::leak(SchedulerSaboteur::ledger(world.core()), block);
    is_planted = true;
  });
  EXPECT_EQ(seen.substr(0, 8), "balance:") << seen;
}

}  // namespace
}  // namespace quire
