// What configurations of the families of Decoder are read as, and what is refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/registry.h"
#include "model/tensor_rules.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Design> design(std::string_view kind, const std::string& more) {
  return design_of_json(kind, R"({"hidden_size":64,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":96,"vocab_size":100,"max_position_embeddings":256)" +
                                  more + "}",
                        Naming::kHuggingFace);
}
std::string refusal(std::string_view kind, const std::string& more) {
  const auto made = design(kind, more);
  return made.is_ok() ? "read" : std::string(made.status().message());
}
// Of each layer, 0: it sees all.
std::vector<int> windows(const Design& design) {
  std::vector<int> out(static_cast<std::size_t>(design.facts.layers));
  for (const GroupFacts& group : design.facts.groups) {
    for (const int layer : group.layers) out[static_cast<std::size_t>(layer)] = group.window;
  }
  return out;
}
bool has_rule(const Design& design, std::string_view canonical) {
  const auto& rules = design.tensors.rules;
  return std::any_of(rules.begin(), rules.end(),
                     [&](const TensorRule& rule) { return rule.canonical == canonical; });
}

TEST(DecoderTest, WindowsAreThoseOfThePatternOrOfTheList) {
  const std::string window = R"(,"sliding_window":16)";
  EXPECT_THAT(windows(*design("olmo3", window)), ElementsAre(16, 16, 16, 0));
  EXPECT_THAT(windows(*design("cohere2", window + R"(,"sliding_window_pattern":2)")),
              ElementsAre(16, 0, 16, 0));
  EXPECT_THAT(windows(*design("exaone4", window + R"(,"sliding_window_pattern":"LGLL")")),
              ElementsAre(16, 0, 16, 0));
  EXPECT_THAT(windows(*design("exaone4", R"(,"sliding_window":null)")), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(windows(*design("gpt_oss", window + R"(,"num_local_experts":4,
"num_experts_per_tok":2)")),
              ElementsAre(16, 0, 16, 0));
  EXPECT_THAT(refusal("olmo3", window + R"(,"layer_types":["full_attention"])"),
              HasSubstr("1 layers of 4"));
  EXPECT_THAT(refusal("olmo3", window + R"(,"layer_types":["full_attention","full_attention",
"full_attention","chunked_attention"])"),
              HasSubstr("chunked_attention"));
}

TEST(DecoderTest, NormsStandWhereTheFamilyHasThem) {
  const auto olmo = design("olmo", ""), olmo2 = design("olmo2", ""), glm = design("glm4", "");
  EXPECT_FALSE(has_rule(*olmo, "layers.0.attn_norm"));
  EXPECT_FALSE(has_rule(*olmo, "final_norm"));
  EXPECT_FALSE(has_rule(*olmo2, "layers.0.attn_norm"));
  EXPECT_TRUE(has_rule(*olmo2, "layers.0.attn_post_norm"));
  EXPECT_TRUE(has_rule(*glm, "layers.0.attn_norm"));
  EXPECT_TRUE(has_rule(*glm, "layers.0.ffn_post_norm"));
  EXPECT_FALSE(has_rule(*design("cohere", ""), "layers.0.ffn_norm"));
}

const TensorRule& rule(const Design& design, std::string_view canonical) {
  const auto& rules = design.tensors.rules;
  return *std::find_if(rules.begin(), rules.end(),
                       [&](const TensorRule& one) { return one.canonical == canonical; });
}

// 4 heads of 16 and 2 key heads: 64, 32 and 32 rows, of a key head 32, 16 and 16.
TEST(DecoderTest, HeadsLieBehindEachOtherOrWoven) {
  const auto fused = design("phi3", ""), woven = design("internlm2", "");
  const Stored k = rule(*fused, "layers.1.k").hf, gguf = rule(*fused, "layers.1.k").gguf;
  EXPECT_EQ(k.name, "model.layers.1.self_attn.qkv_proj.weight");
  EXPECT_EQ(gguf.name, "blk.1.attn_qkv.weight");
  EXPECT_EQ(k.first, 64u);
  EXPECT_EQ(gguf.first, 64u);
  EXPECT_EQ(k.total, 128u);
  EXPECT_EQ(rule(*fused, "layers.1.up").gguf.first, 96u);
  const Stored v = rule(*woven, "layers.1.v").hf;
  EXPECT_EQ(v.first, 48u);
  EXPECT_EQ(v.run, 16u);
  EXPECT_EQ(v.stride, 64u);
  EXPECT_EQ(v.total, 128u);
}

TEST(DecoderTest, OfTransposedMatricesTheBiasesAreNot) {
  const auto made = design_of_shape("tiny-gpt2");
  EXPECT_TRUE(rule(*made, "layers.1.q").hf.is_transposed);
  EXPECT_FALSE(rule(*made, "layers.1.q").gguf.is_transposed);
  EXPECT_FALSE(rule(*made, "layers.1.q_bias").hf.is_transposed);
  EXPECT_EQ(rule(*made, "layers.1.k_bias").hf.first, 96u);
  EXPECT_EQ(rule(*made, "final_norm").others.front().name, "ln_f.weight");
}

TEST(DecoderTest, NormsOfSumsAndOfHeadsHaveTheirRules) {
  const auto after = design_of_shape("tiny-opt-350m");
  EXPECT_FALSE(has_rule(*after, "layers.0.attn_norm"));
  EXPECT_FALSE(has_rule(*after, "final_norm"));
  EXPECT_TRUE(has_rule(*after, "layers.0.ffn_after_bias"));
  EXPECT_EQ(rule(*after, "embed").shape.back(), 56u);
  const auto own = design_of_shape("tiny-stablelm-head-norms");
  EXPECT_EQ(rule(*own, "layers.0.k_norms.1").hf.name,
            "model.layers.0.self_attn.k_layernorm.norms.1.weight");
  EXPECT_FALSE(has_rule(*own, "layers.0.ffn_norm"));
  EXPECT_EQ(rule(*design_of_shape("tiny-cohere"), "layers.0.q_norm").shape.size(), 2u);
  EXPECT_TRUE(has_rule(*design_of_shape("tiny-neox"), "layers.0.ffn_norm"));  // beside attention
  EXPECT_EQ(rule(*design_of_shape("tiny-gemma3"), "layers.0.q_norm").hf.convert, Convert::kPlusOne);
}

TEST(DecoderTest, DraftingLayersAreLeftOut) {
  const auto made = design("glm4_moe", R"(,"num_nextn_predict_layers":1,"n_routed_experts":4,
"num_experts_per_tok":2,"moe_intermediate_size":32,"first_k_dense_replace":1)");
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  EXPECT_EQ(made->facts.layers, 4);
  EXPECT_TRUE(made->tensors.is_ignored("model.layers.4.eh_proj.weight"));
  EXPECT_FALSE(made->tensors.is_ignored("model.layers.3.self_attn.q_proj.weight"));
  EXPECT_FALSE(has_rule(*made, "layers.0.router"));
  EXPECT_TRUE(has_rule(*made, "layers.1.router"));
}

TEST(DecoderTest, WhatIsNotComputedIsRefusedByName) {
  EXPECT_THAT(refusal("olmo", R"(,"hidden_act":"quick_gelu")"), HasSubstr("quick_gelu"));
  EXPECT_THAT(refusal("olmo2", R"(,"clip_qkv":8)"), HasSubstr("clip_qkv"));
  EXPECT_THAT(refusal("smollm3", R"(,"use_sliding_window":true)"), HasSubstr("use_sliding_window"));
  EXPECT_THAT(refusal("smollm3", R"(,"no_rope_layers":[1,0])"), HasSubstr("no_rope_layers"));
  EXPECT_THAT(refusal("cohere2", R"(,"use_parallel_block":false)"),
              HasSubstr("use_parallel_block"));
  EXPECT_THAT(refusal("apertus", R"(,"hidden_act":"silu")"), HasSubstr("hidden_act"));
  EXPECT_THAT(refusal("internlm2", R"(,"bias":true)"), HasSubstr("bias"));
  EXPECT_THAT(refusal("hunyuan_v1_moe", R"(,"num_experts":4,"moe_topk":[1,1,2,1])"),
              HasSubstr("moe_topk"));
  EXPECT_THAT(refusal("minimax_m2", R"(,"num_local_experts":4,"num_experts_per_tok":2,
"scoring_func":"softmax")"),
              HasSubstr("scoring_func"));
  EXPECT_THAT(refusal("glm4_moe", R"(,"n_routed_experts":4,"num_experts_per_tok":2,
"moe_intermediate_size":32,"n_group":4,"topk_group":1)"),
              HasSubstr("groups"));
}

}  // namespace
}  // namespace quire
