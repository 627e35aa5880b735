// What DeepSeek's configurations are read as, what is refused, and what the latent saves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "backend/kv_groups.h"
#include "model/registry.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

std::string lite_with(const std::string& more) {
  return R"({"hidden_size":2048,"num_hidden_layers":27,"num_attention_heads":16,
"intermediate_size":10944,"moe_intermediate_size":1408,"n_routed_experts":64,"n_shared_experts":2,
"num_experts_per_tok":6,"first_k_dense_replace":1,"kv_lora_rank":512,"qk_nope_head_dim":128,
"qk_rope_head_dim":64,"v_head_dim":128,"vocab_size":102400,"max_position_embeddings":163840,
"rms_norm_eps":1e-6)" + more + "}";
}

std::string refusal(const std::string& more, std::string_view kind = "deepseek_v2") {
  const auto design = design_of_json(kind, lite_with(more), Naming::kHuggingFace);
  return design.is_ok() ? "read" : std::string(design.status().message());
}

TEST(DeepseekTest, CachesOneLatentForAllHeads) {
  const auto design = design_of_json("deepseek_v2", lite_with(""), Naming::kHuggingFace);
  ASSERT_TRUE(design.is_ok()) << design.status().message();
  const ModelFacts& facts = design->facts;
  ASSERT_EQ(facts.groups.size(), 1u);
  const GroupFacts& group = facts.groups[0];
  EXPECT_EQ(group.kv_heads, 1);
  EXPECT_EQ(group.k_width, 512 + 64);
  EXPECT_EQ(group.v_width, 0);
  const std::size_t latent = 27 * kv_head_bytes(DType::kF16, 576) / kBlockTokens;
  const std::size_t plain = 27 * 16 * (kv_head_bytes(DType::kF16, 192) +
                                       kv_head_bytes(DType::kF16, 128)) / kBlockTokens;
  EXPECT_EQ(latent, 27u * 576 * 2);
  std::printf("FIGURE DeepSeek-V2-Lite: %zu bytes of KV a token, with plain heads %zu\n", latent,
              plain);
}

TEST(DeepseekTest, WhatIsNotComputedIsRefusedByName) {
  EXPECT_EQ(refusal(""), "read");
  EXPECT_THAT(refusal(R"(,"norm_topk_prob":true)"), HasSubstr("norm_topk_prob"));
  EXPECT_THAT(refusal(R"(,"moe_layer_freq":2)"), HasSubstr("moe_layer_freq"));
  EXPECT_THAT(refusal(R"(,"scoring_func":"sigmoid")"), HasSubstr("scoring_func"));
  EXPECT_THAT(refusal(R"(,"topk_method":"noaux_tc")"), HasSubstr("noaux_tc"));
  EXPECT_THAT(refusal(R"(,"attention_bias":true)"), HasSubstr("attention_bias"));
  EXPECT_THAT(refusal(R"(,"n_group":7,"topk_group":3,"topk_method":"group_limited_greedy")"),
              HasSubstr("of 7 groups"));
  EXPECT_EQ(refusal(R"(,"topk_method":"noaux_tc","scoring_func":"sigmoid")", "deepseek_v3"),
            "read");
  EXPECT_THAT(refusal(R"(,"rope_interleave":false)", "deepseek_v3"), HasSubstr("rope_interleave"));
}

}  // namespace
}  // namespace quire
