// What configurations of Mixtral and Qwen3-MoE are read as, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/registry.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

Result<Design> design(std::string_view kind, const std::string& more) {
  return design_of_json(kind, R"({"hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":96,"vocab_size":100,"max_position_embeddings":256,
"num_experts_per_tok":2,"rms_norm_eps":1e-6)" + more + "}", Naming::kHuggingFace);
}
std::string refusal(std::string_view kind, const std::string& more) {
  const auto made = design(kind, more);
  return made.is_ok() ? "read" : std::string(made.status().message());
}
// How many layers have experts.
int expert_layers(const Design& design) {
  int count = 0;
  for (const TensorRule& rule : design.tensors.rules) count += rule.role == Role::kRouter;
  return count;
}

TEST(MixtralTest, EveryLayerHasExperts) {
  const auto made = design("mixtral", R"(,"num_local_experts":8)");
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  EXPECT_EQ(made->facts.experts, 8);
  EXPECT_EQ(made->facts.experts_active, 2);
  EXPECT_EQ(expert_layers(*made), 4);
}

TEST(MixtralTest, QwenKeepsPlainBlocksWhereItSays) {
  const std::string experts = R"(,"num_experts":8,"moe_intermediate_size":32)";
  EXPECT_EQ(expert_layers(*design("qwen3_moe", experts)), 4);
  EXPECT_EQ(expert_layers(*design("qwen3_moe", experts + R"(,"decoder_sparse_step":2)")), 2);
  EXPECT_EQ(expert_layers(*design("qwen3_moe", experts + R"(,"mlp_only_layers":[0,2,3])")), 1);
}

TEST(MixtralTest, WhatIsNotComputedIsRefusedByName) {
  const std::string experts = R"(,"num_experts":8,"moe_intermediate_size":32)";
  EXPECT_THAT(refusal("mixtral", R"(,"num_local_experts":1)"), HasSubstr("experts"));
  EXPECT_THAT(refusal("mixtral", ""), HasSubstr("num_local_experts"));
  EXPECT_THAT(refusal("qwen3_moe", experts + R"(,"use_sliding_window":true)"),
              HasSubstr("use_sliding_window"));
  EXPECT_THAT(refusal("qwen3_moe", experts + R"(,"hidden_act":"gelu")"), HasSubstr("hidden_act"));
  EXPECT_THAT(refusal("qwen3_moe", experts + R"(,"shared_expert_intermediate_size":64)"),
              HasSubstr("shared_expert_intermediate_size"));
}

}  // namespace
}  // namespace quire
