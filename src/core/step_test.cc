// The step contract from both sides: what validate() accepts and refuses, and that the bytes of a
// plan are the plan.
#include "core/step.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/executor.h"

namespace quire {
namespace {

Capacity two_groups() {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 4, .blocks = 10},
                     {.layers = 1, .block_tokens = 4, .blocks = 10, .window = 4}};
  capacity.rows_max = 4;
  capacity.tokens_max = 16;
  capacity.logits_rows_max = 8;
  capacity.context_max = 64;
  capacity.vocab = 100;
  capacity.depth = 2;
  capacity.drafts_max = 1;
  capacity.adapters = 1;
  return capacity;
}

// A decode of position 9 by promise (its window lets go of block 0), and a prompt of three tokens.
StepPlan good_plan() {
  StepPlan plan;
  plan.step = 7;
  plan.groups = 2;
  plan.rows = {{.seq = SeqId{1}, .tokens = {0, 1}, .first_position = 9, .want_last = 1},
               {.seq = SeqId{2},
                .tokens = {1, 3},
                .first_position = 0,
                .want_last = 3,
                .flags = kRowHashLogits}};
  plan.tokens = {-1, 5, 6, 99};
  plan.tables = {{0, 3}, {3, 3}, {6, 1}, {7, 1}};
  plan.blocks = {1, 2, 3, 0, 5, 6, 7, 8};
  plan.copies = {{.group = 0, .src = 9, .dst = 7}};
  return plan;
}

TEST(StepPlan, AGoodPlanIsValid) {
  const Status status = validate(good_plan(), two_groups());
  EXPECT_TRUE(status.is_ok()) << status.message();
  EXPECT_EQ(good_plan().logits_rows(), 4u);
}

TEST(StepPlan, EveryBrokenPlanIsRefused) {
  const std::vector<std::pair<const char*, std::function<void(StepPlan&)>>> breaks = {
      {"step zero", [](StepPlan& p) { p.step = 0; }},
      {"groups", [](StepPlan& p) { p.groups = 1; }},
      {"gap in tokens", [](StepPlan& p) { p.rows[1].tokens.begin = 2; }},
      {"empty row", [](StepPlan& p) { p.rows[0].tokens.count = 0; }},
      {"tokens nobody feeds", [](StepPlan& p) { p.tokens.push_back(1); }},
      {"span past the end", [](StepPlan& p) { p.rows[1].tokens.count = 0xFFFFFFFF; }},
      {"wants more than it feeds", [](StepPlan& p) { p.rows[0].want_last = 2; }},
      {"past the context", [](StepPlan& p) { p.rows[0].first_position = 64; }},
      {"position overflow", [](StepPlan& p) { p.rows[0].first_position = 0xFFFFFFFF; }},
      {"adapter", [](StepPlan& p) { p.rows[0].adapter = 2; }},
      {"negative adapter", [](StepPlan& p) { p.rows[0].adapter = -1; }},
      {"pooled", [](StepPlan& p) { p.rows[1].flags = kRowPool, p.rows[1].want_last = 0; }},
      {"more drafts than may be", [](StepPlan& p) { p.rows[1].drafts = 2; }},
      {"nothing but drafts", [](StepPlan& p) { p.rows[0].drafts = 1; }},
      {"drafts that nobody judges",
       [](StepPlan& p) { p.rows[1].drafts = 1, p.rows[1].want_last = 1; }},
      {"tables missing", [](StepPlan& p) { p.tables.pop_back(); }},
      {"table past the end", [](StepPlan& p) { p.tables[3].begin = 8; }},
      {"table overflow",
       [](StepPlan& p) {
         p.tables[3] = {0xFFFFFFFF, 2};
       }},
      {"table too short", [](StepPlan& p) { p.tables[0].count = 2; }},
      {"block zero in view", [](StepPlan& p) { p.blocks[4] = 0; }},
      {"block zero without a window", [](StepPlan& p) { p.blocks[0] = 0; }},
      {"block out of range", [](StepPlan& p) { p.blocks[0] = 10; }},
      {"negative block", [](StepPlan& p) { p.blocks[0] = -1; }},
      {"block written twice", [](StepPlan& p) { p.blocks[6] = 3; }},
      {"block written and read", [](StepPlan& p) { p.blocks[0] = 7; }},
      {"token out of the vocabulary", [](StepPlan& p) { p.tokens[1] = 100; }},
      {"promise out of range", [](StepPlan& p) { p.tokens[0] = -9; }},
      {"promise inside a row", [](StepPlan& p) { p.tokens[2] = -1; }},
      {"one sequence twice", [](StepPlan& p) { p.rows[1].seq = SeqId{1}; }},
      {"unknown flag", [](StepPlan& p) { p.rows[0].flags = 0x80; }},
      {"unknown lane", [](StepPlan& p) { p.rows[0].lane = 2; }},
      {"copy group", [](StepPlan& p) { p.copies[0].group = 2; }},
      {"copy to padding", [](StepPlan& p) { p.copies[0].dst = 0; }},
      {"copy to itself", [](StepPlan& p) { p.copies[0].dst = 9; }},
      {"copy tier", [](StepPlan& p) { p.copies[0].src_tier = 1; }},
      {"copy chain", [](StepPlan& p) { p.copies.push_back({.src = 7, .dst = 4}); }},
      {"copy destination twice", [](StepPlan& p) { p.copies.push_back({.src = 4, .dst = 7}); }},
  };
  for (const auto& [what, breaks_it] : breaks) {
    StepPlan plan = good_plan();
    breaks_it(plan);
    EXPECT_FALSE(validate(plan, two_groups()).is_ok()) << what;
  }
}

TEST(StepPlan, CapacityBoundsAreKept) {
  const std::vector<std::function<void(Capacity&)>> tighter = {
      [](Capacity& c) { c.rows_max = 1; },        [](Capacity& c) { c.tokens_max = 3; },
      [](Capacity& c) { c.logits_rows_max = 3; }, [](Capacity& c) { c.context_max = 9; },
      [](Capacity& c) { c.vocab = 99; },          [](Capacity& c) { c.depth = 1; },
      [](Capacity& c) { c.groups.pop_back(); }};
  for (std::size_t i = 0; i < tighter.size(); ++i) {
    Capacity capacity = two_groups();
    tighter[i](capacity);
    EXPECT_FALSE(validate(good_plan(), capacity).is_ok()) << i;
  }
}

TEST(StepPlan, WhatTheModelCannotDoIsRefused) {
  StepPlan plan = good_plan();
  plan.rows[0].adapter = 1;
  plan.rows[1].drafts = 1;
  EXPECT_TRUE(validate(plan, two_groups()).is_ok());
  for (const auto& poorer : std::vector<std::function<void(Capacity&)>>{
           [](Capacity& c) { c.adapters = 0; }, [](Capacity& c) { c.drafts_max = 0; },
           [](Capacity& c) { c.is_causal = false; }}) {
    Capacity capacity = two_groups();
    poorer(capacity);
    EXPECT_FALSE(validate(plan, capacity).is_ok());
  }
  // A pooled row is a whole text.
  Capacity capacity = two_groups();
  capacity.pooled_max = 1;
  plan = good_plan();
  plan.rows[1].flags = kRowPool;
  EXPECT_FALSE(validate(plan, capacity).is_ok());  // and logits
  plan.rows[1].want_last = 0;
  EXPECT_TRUE(validate(plan, capacity).is_ok());
  plan.rows[1].second_segment = 1;
  EXPECT_FALSE(validate(plan, capacity).is_ok());
  capacity.segments = 2;
  EXPECT_TRUE(validate(plan, capacity).is_ok());
  plan.rows[1].second_segment = 3;
  EXPECT_FALSE(validate(plan, capacity).is_ok());
  plan.rows[1].second_segment = 0;
  plan.rows[0].flags = kRowPool, plan.rows[0].want_last = 0;
  EXPECT_FALSE(validate(plan, capacity).is_ok());
}

// Row 0 of a decoder reads two blocks of an encoder's input; row 1 is an encoder's.
TEST(StepPlan, AnEncodersRowWritesWhatLaterRowsRead) {
  Capacity capacity = two_groups();
  capacity.lanes = 2;
  capacity.groups[1] = {
      .layers = 1, .length = GroupLength::kEncoder, .block_tokens = 4, .blocks = 10};
  StepPlan good = good_plan();
  good.rows[0].encoder_tokens = 8;
  good.tables[1].count = 2;
  good.blocks[good.tables[1].begin] = 5, good.blocks[good.tables[1].begin + 1] = 6;
  StepRow& encoder = good.rows[1];
  encoder.lane = 1, encoder.want_last = 0, encoder.encoder_tokens = encoder.tokens.count;
  good.tables[2] = {0, 0};
  good.tables[3].count = 1;
  good.blocks[good.tables[3].begin] = 8;
  ASSERT_TRUE(validate(good, capacity).is_ok()) << validate(good, capacity).message();
  const std::vector<std::function<void(StepPlan&)>> breaks = {
      [](StepPlan& p) { p.rows[0].encoder_tokens = 0; },
      [](StepPlan& p) { p.rows[0].encoder_tokens = 9; },
      [](StepPlan& p) { p.rows[1].encoder_tokens += 1; },
      [](StepPlan& p) { p.rows[1].want_last = 1; },
      [](StepPlan& p) { p.rows[1].first_position = 1; },
      [](StepPlan& p) { p.tables[2] = {0, 1}; },
      [](StepPlan& p) { p.tables[3].count = 0; },
      [](StepPlan& p) { p.blocks[p.tables[3].begin] = 0; },
      [](StepPlan& p) { p.blocks[p.tables[3].begin] = 6; },  // which row 0 reads
  };
  for (std::size_t i = 0; i < breaks.size(); ++i) {
    StepPlan plan = good;
    breaks[i](plan);
    EXPECT_FALSE(validate(plan, capacity).is_ok()) << i;
  }
  Capacity alone = capacity;
  alone.lanes = 1;
  EXPECT_FALSE(validate(good, alone).is_ok());
}

TEST(StepPlan, AStateHasOneBlockAndOneMoreForEveryDraft) {
  Capacity capacity = two_groups();
  capacity.groups[1] = {
      .layers = 1, .holds = GroupHolds::kState, .block_tokens = 4, .blocks = 10};
  StepPlan plan = good_plan();
  EXPECT_FALSE(validate(plan, capacity).is_ok());  // a table by position
  plan.tables[1] = {4, 1};
  EXPECT_TRUE(validate(plan, capacity).is_ok());
  plan.rows[1].drafts = 1;
  EXPECT_FALSE(validate(plan, capacity).is_ok());
  plan.blocks.push_back(9);
  plan.tables[3].count = 2;
  EXPECT_TRUE(validate(plan, capacity).is_ok());
  plan.blocks.back() = 0;
  EXPECT_FALSE(validate(plan, capacity).is_ok());
  plan.blocks.back() = plan.blocks[4];
  EXPECT_FALSE(validate(plan, capacity).is_ok());  // two rows would write it
}

TEST(StepPlan, SinksStayInView) {
  Capacity capacity = two_groups();
  EXPECT_TRUE(validate(good_plan(), capacity).is_ok());
  capacity.groups[1].sinks = 1;
  EXPECT_FALSE(validate(good_plan(), capacity).is_ok());
}

class Spec : public testing::Test {
 protected:
  // One draw at position 10; two prompt tokens to score and a draw.
  Spec() {
    for (SampleRow& row : spec.rows) row.params = &params;
    spec.rows[0].position = 10;
    for (std::uint32_t i = 1; i < 4; ++i) spec.rows[i].position = i;
    for (SampleRow& row : spec.rows) row.history = std::span(text).first(row.position);
    spec.rows[1].target = 6, spec.rows[2].target = 99;
  }
  bool is_valid() const { return validate(spec, plan, two_groups()).is_ok(); }

  StepPlan plan = good_plan();
  SamplingParams params;
  std::vector<TokenId> text = std::vector<TokenId>(10, 5);
  SampleSpec spec{.rows = std::vector<SampleRow>(4)};
};

TEST_F(Spec, EveryWantedRowIsListedInOrder) {
  EXPECT_TRUE(is_valid());
  EXPECT_TRUE(validate(discard_all(plan), plan, two_groups()).is_ok());
  spec.rows[0] = {.is_discarded = true};
  EXPECT_TRUE(is_valid());
  spec.rows.pop_back();
  EXPECT_FALSE(is_valid());
  EXPECT_FALSE(validate({}, plan, two_groups()).is_ok());
}

TEST_F(Spec, EveryBrokenSpecIsRefused) {
  const std::uint32_t mask = 0;
  const std::vector<TokenId> foreign = {100};
  const std::vector<std::pair<const char*, std::function<void(SampleSpec&)>>> breaks = {
      {"position", [](SampleSpec& s) { s.rows[0].position = 9; }},
      {"history", [](SampleSpec& s) { s.rows[0].history = {}; }},
      {"prompt", [](SampleSpec& s) { s.rows[0].prompt_count = 11; }},
      {"parameters", [](SampleSpec& s) { s.rows[0].params = nullptr; }},
      {"mask", [&](SampleSpec& s) { s.rows[0].mask = {&mask, 1}; }},
      {"ban", [&](SampleSpec& s) { s.rows[0].banned = foreign; }},
      {"target", [](SampleSpec& s) { s.rows[1].target = 100; }},
      {"a draw before a score", [](SampleSpec& s) { s.rows[1].target = -1; }},
      {"two draws without a draft", [](SampleSpec& s) { s.rows[2].target = -1; }},
      {"half a row", [](SampleSpec& s) { s.rows[2].is_discarded = true; }},
  };
  for (const auto& [what, breaks_it] : breaks) {
    const SampleSpec good = spec;
    breaks_it(spec);
    EXPECT_FALSE(is_valid()) << what;
    spec = good;
  }
  plan.rows[1].drafts = 1;
  EXPECT_FALSE(is_valid());  // a draft, and one draw only
  spec.rows[2].target = -1;
  EXPECT_TRUE(is_valid());
}

TEST(StepPlan, BytesAreThePlan) {
  const StepPlan plan = good_plan();
  const std::vector<std::byte> bytes = to_bytes(plan);
  Result<StepPlan> again = plan_from_bytes(bytes);
  ASSERT_TRUE(again.is_ok()) << again.status().message();
  EXPECT_EQ(to_bytes(*again), bytes);
  EXPECT_EQ(again->hash(), plan.hash());
  EXPECT_EQ(again->rows[1].first_position, 0u);
  EXPECT_EQ(again->rows[1].flags, kRowHashLogits);
  EXPECT_EQ(again->blocks, plan.blocks);
  EXPECT_TRUE(validate(*again, two_groups()).is_ok());
}

TEST(StepPlan, EveryByteCountsInTheHash) {
  const std::uint64_t hash = good_plan().hash();
  StepPlan plan = good_plan();
  plan.rows[1].want_last = 2;
  EXPECT_NE(plan.hash(), hash);
  plan = good_plan();
  plan.copies[0].src = 4;
  EXPECT_NE(plan.hash(), hash);
}

TEST(StepPlan, CutOrGrownBytesAreCorrupt) {
  std::vector<std::byte> bytes = to_bytes(good_plan());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = plan_from_bytes(std::span(bytes).first(size));
    ASSERT_FALSE(cut.is_ok()) << size;
    EXPECT_EQ(cut.status().code(), StatusCode::kCorrupt);
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(plan_from_bytes(bytes).is_ok());
  bytes.pop_back();
  for (std::size_t at = 0; at < 36; ++at) {  // counts that lie: an error, never an allocation
    std::vector<std::byte> lie = bytes;
    lie[at] ^= std::byte{0xFF};
    const auto plan = plan_from_bytes(lie);
    if (plan.is_ok()) {
      EXPECT_FALSE(at < 4 || at >= 16) << at;  // only groups and step are free to change
    }
  }
}

}  // namespace
}  // namespace quire
