// What a model may be asked to remember: contexts, windows with sinks, types of keys and values;
// and what is refused, by name.
#include "runtime/capacity.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

ModelFacts facts_of(int context = 2048) {
  ModelFacts facts;
  facts.architecture = "llama";
  facts.context_max = context;
  facts.groups = {plain_group(2, 4, 2, 64)};
  return facts;
}

CapacityRequest endless(std::uint32_t sinks, std::uint32_t window, std::uint32_t context = 0) {
  CapacityRequest request;
  request.sinks = sinks;
  request.window = window;
  request.context_max = context;
  return request;
}

std::string refusal(const ModelFacts& facts, const CapacityRequest& request) {
  const auto found = find_context(facts, request);
  return found.is_ok() ? "" : found.status().message();
}

TEST(CapacityTest, ATextEndsWithTheContextUnlessItForgets) {
  EXPECT_EQ(*find_context(facts_of(), {}), 2048u);
  EXPECT_EQ(*find_context(facts_of(), endless(0, 0, 100)), 100u);
  EXPECT_EQ(refusal(facts_of(), endless(0, 0, 4096)),
            "the model has a context of 2048 positions, not 4096");
  EXPECT_EQ(*find_context(facts_of(), endless(4, 1024)), kEndlessContext);
  EXPECT_EQ(*find_context(facts_of(), endless(4, 1024, 1'000'000)), 1'000'000u);
  EXPECT_EQ(*find_context(facts_of(), endless(4, 2044)), kEndlessContext);
}

TEST(CapacityTest, WhatCannotForgetIsRefusedByName) {
  EXPECT_NE(refusal(facts_of(), endless(4, 0)).find("needs both"), std::string::npos);
  EXPECT_NE(refusal(facts_of(), endless(0, 64)).find("needs both"), std::string::npos);
  EXPECT_NE(refusal(facts_of(), endless(kSinksMax + 1, 64)).find("257"), std::string::npos);
  EXPECT_NE(refusal(facts_of(), endless(4, 2045)).find("context of 2048"), std::string::npos);
  ModelFacts learned = facts_of();
  learned.bound_to_context = "learned positions";
  EXPECT_NE(refusal(learned, endless(4, 64)).find("llama has learned positions"),
            std::string::npos);
  EXPECT_EQ(*find_context(learned, {}), 2048u);
  ModelFacts encoder = facts_of();
  encoder.kind = ModelKind::kEncoderDecoder;
  EXPECT_NE(refusal(encoder, endless(4, 64)).find("an encoder"), std::string::npos);
}

TEST(CapacityTest, GroupsThatSeeMoreThanTheWindowGetItAndItsSinks) {
  ModelFacts facts = facts_of();
  facts.groups.push_back(plain_group(2, 4, 2, 64));
  facts.groups[1].window = 512;
  facts.groups.push_back(plain_group(2, 4, 2, 64));
  facts.groups[2].window = 4096;
  GroupFacts state;
  state.name = "state";
  state.layers = {6};
  state.holds_state = true;
  state.state_bytes = 64;
  facts.groups.push_back(state);
  CapacityRequest request = endless(40, 1024);
  request.context_max = *find_context(facts, request);
  const auto groups = group_shapes(facts, DType::kF16, request);
  EXPECT_EQ(groups[0].window, 1024);
  EXPECT_EQ(groups[0].sinks, 40);
  EXPECT_EQ(groups[1].window, 512);
  EXPECT_EQ(groups[1].sinks, 0);
  EXPECT_EQ(groups[2].window, 1024);
  EXPECT_EQ(groups[2].sinks, 40);
  EXPECT_EQ(groups[3].sinks, 0);
  // Two blocks of sinks, the window and a step, and a block cut at either end.
  EXPECT_EQ(blocks_per_sequence(groups[0], request), 2 + (1024 + 512) / 32 + 2u);
  EXPECT_LT(blocks_per_sequence(groups[3], request), 100u);  // snapshots of the last texts
  const Capacity capacity = make_capacity(groups, request, 10);
  EXPECT_EQ(capacity.groups[0].sinks, 40u);
  EXPECT_EQ(capacity.groups[0].window, 1024u);
  EXPECT_EQ(group_shapes(facts, DType::kF16)[0].window, 0);
}

TEST(CapacityTest, ALatentHasOneType) {
  ModelFacts facts = facts_of();
  EXPECT_TRUE(check_kv_types(facts, {DType::kI8, DType::kQ4_1}).is_ok());
  facts.groups[0].v_width = 0;
  EXPECT_TRUE(check_kv_types(facts, DType::kQ4_1).is_ok());
  const Status refused = check_kv_types(facts, {DType::kI8, DType::kQ4_1});
  ASSERT_FALSE(refused.is_ok());
  EXPECT_NE(refused.message().find("one latent"), std::string::npos);
}

TEST(CapacityTest, TypesDecideHowManyBlocksFit) {
  CapacityRequest request;
  request.context_max = 2048;
  request.kv_bytes = 16 << 20;
  const auto blocks = [&](KvTypes types) {
    return choose_kv_blocks(group_shapes(facts_of(), types, request), request).value()[0];
  };
  const std::uint32_t half = blocks(DType::kF16);
  EXPECT_EQ(blocks(DType::kF32), half / 2);
  EXPECT_EQ(blocks(DType::kF8), half * 128 / 68);
  EXPECT_EQ(blocks(DType::kI8), half * 128 / 68);
  EXPECT_EQ(blocks(DType::kQ4_1), half * 128 / 40);
  EXPECT_EQ(blocks({DType::kI8, DType::kQ4_1}), half * 256 / 108);
}

}  // namespace
}  // namespace quire
