// What configurations of the older families of Decoder are read as: options in the words of
// released files are accepted, and what is not computed is refused by the name of its key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/layers/attention.h"
#include "model/registry.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

struct Kind {
  std::string_view name;
  std::string sizes;  // in its own words
};

const std::string kLater = R"("hidden_size":192,"num_hidden_layers":2,"num_attention_heads":6,
"intermediate_size":152,"max_position_embeddings":512,"vocab_size":331)";
const std::string kFirst = R"("n_embd":96,"n_layer":2,"n_head":6,"n_positions":512,
"vocab_size":331)";

const std::string& sizes_of(std::string_view name) {
  static const std::vector<Kind> kinds = {
      {"gpt_bigcode", kFirst},
      {"gptj", kFirst + R"(,"rotary_dim":8)"},
      {"codegen", R"("n_embd":96,"n_layer":2,"n_head":4,"n_positions":512,"rotary_dim":8,
"vocab_size":331)"},
      {"mpt", R"("d_model":96,"n_layers":2,"n_heads":6,"max_seq_len":512,"vocab_size":331)"},
      {"opt", R"("hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"ffn_dim":152,
"max_position_embeddings":512,"vocab_size":331)"},
      {"gpt_neo", R"("hidden_size":96,"num_layers":2,"num_heads":6,"max_position_embeddings":512,
"window_size":40,"vocab_size":331)"},
      {"", kLater}};
  for (const Kind& kind : kinds) {
    if (kind.name == name) return kind.sizes;
  }
  return kinds.back().sizes;
}

// "read", or why not.
std::string answer(std::string_view kind, const std::string& more) {
  const auto made =
      design_of_json(kind, "{" + sizes_of(kind) + "," + more + "}", Naming::kHuggingFace);
  return made.is_ok() ? "read" : std::string(made.status().message());
}

std::string longrope(std::string_view type, std::size_t count) {
  const std::vector<double> factors(count, 1.5);
  return fmt::format(R"("rope_scaling":{{"type":"{}","short_factor":[{}],"long_factor":[{}]}})",
                     type, fmt::join(factors, ","), fmt::join(factors, ","));
}

TEST(DecoderWordsTest, ReleasedWordsAreRead) {
  EXPECT_EQ(answer("phi3", R"("sliding_window":2047,"rope_scaling":null,"attention_bias":false,
"original_max_position_embeddings":4096,"embd_pdrop":0.0,"resid_pdrop":0.0)"), "read");
  EXPECT_EQ(answer("phi3", R"("sliding_window":262144,"full_attn_mod":1,"interpolate_factor":1,
"lm_head_bias":false,"mlp_bias":false,"partial_rotary_factor":0.75)"), "read");
  for (const char* type : {"su", "longrope", "yarn"}) {
    EXPECT_EQ(answer("phi3", longrope(type, 16)), "read") << type;
  }
  EXPECT_EQ(answer("phi", R"("partial_rotary_factor":0.5,"qk_layernorm":false,
"num_key_value_heads":null,"layer_norm_eps":1e-05,"hidden_act":"gelu_new")"), "read");
  EXPECT_EQ(answer("stablelm", R"("rope_pct":0.25,"norm_eps":1e-5,"rotary_scaling_factor":1.0,
"use_qkv_bias":false)"), "read");
  EXPECT_EQ(answer("starcoder2", R"("norm_type":"layer_norm","mlp_type":"default",
"embedding_dropout":0.1,"residual_dropout":0.1,"sliding_window":4096,"use_bias":true)"), "read");
  EXPECT_EQ(answer("gpt_bigcode", R"("inference_runner":0,"validate_runner_input":true,
"runner_max_sequence_length":null,"scale_attn_weights":true,"attention_softmax_in_fp32":true,
"n_inner":384,"multi_query":true)"), "read");
  EXPECT_EQ(answer("opt", R"("_remove_final_layer_norm":false,"do_layer_norm_before":true,
"word_embed_proj_dim":96,"activation_dropout":0.1,"layerdrop":0.1,"init_std":0.02,
"prefix":"</s>")"), "read");
  EXPECT_EQ(answer("mpt", R"("attn_config":{"alibi":true,"alibi_bias_max":8,"attn_impl":"torch",
"attn_pdrop":0,"attn_type":"multihead_attention","attn_uses_sequence_id":false,"clip_qkv":null,
"prefix_lm":false,"qk_ln":false,"softmax_scale":null},"learned_pos_emb":true,"no_bias":true,
"init_config":{"name":"kaiming_normal_"},"norm_type":"low_precision_layernorm","verbose":0)"),
            "read");
  EXPECT_EQ(answer("gptj", R"("rotary":true,"scale_attn_weights":true,"n_inner":null)"), "read");
  EXPECT_EQ(answer("gpt_neo", R"("attention_layers":["global","local"],
"attention_types":[[["global","local"],1]],"embed_dropout":0.1,"resid_dropout":0.1)"), "read");
  EXPECT_EQ(answer("persimmon", R"("num_key_value_heads":6,"qk_layernorm":true)"), "read");
}

TEST(DecoderWordsTest, WhatIsNotComputedIsRefusedByName) {
  const std::tuple<const char*, std::string, const char*> rows[] = {
      {"phi3", R"("attention_bias":true)", "attention_bias"},
      {"phi3", R"("full_attn_mod":2)", "full_attn_mod"},
      {"phi3", longrope("longrope", 15), "short_factor"},
      {"phi3", R"("rope_scaling":{"type":"cubic","factor":2})", "cubic"},
      {"phi", R"("hidden_act":"tanh")", "hidden_act"},
      {"stablelm", R"("rotary_scaling_factor":2.0)", "rotary_scaling_factor"},
      {"starcoder2", R"("mlp_type":"gated")", "mlp_type"},
      {"gpt_bigcode", R"("add_cross_attention":true)", "add_cross_attention"},
      {"opt", R"("_remove_final_layer_norm":true)", "_remove_final_layer_norm"},
      {"opt", R"("layer_norm_elementwise_affine":false)", "layer_norm_elementwise_affine"},
      {"mpt", R"("attn_config":{"clip_qkv":6})", "clip_qkv"},
      {"mpt", R"("attn_config":{"alibi":false})", "alibi"},
      {"mpt", R"("attn_config":{"attn_type":"grouped_query_attention"})", "attn_type"},
      {"mpt", R"("no_bias":false)", "no_bias"},
      {"gptj", R"("rotary":false)", "rotary"},
      {"gpt_neo", R"("attention_types":[[["global"],2]])", "attention_layers"},
      {"gpt_neo", R"("attention_layers":["global","dilated"])", "dilated"},
      {"persimmon", R"("num_key_value_heads":2)", "num_key_value_heads"},
      {"persimmon", R"("sliding_window":40)", "sliding_window"},
  };
  for (const auto& [kind, more, name] : rows) EXPECT_THAT(answer(kind, more), HasSubstr(name));
  const auto six = design_of_json("codegen", "{" + kFirst + R"(,"rotary_dim":8})",
                                  Naming::kHuggingFace);
  EXPECT_THAT(six.status().message(), HasSubstr("n_head"));
}

// MPT says how steep they are.
TEST(DecoderWordsTest, SlopesOfLinearBiasesFollowTheirBound) {
  EXPECT_EQ(alibi_slopes(4), (std::vector<float>{0.25f, 0.0625f, 0.015625f, 0.00390625f}));
  EXPECT_EQ(alibi_slopes(4, 16),
            (std::vector<float>{0.0625f, 0.00390625f, 0.000244140625f, 1.52587890625e-05f}));
  EXPECT_EQ(alibi_slopes(6)[4], 0.5f);
}

}  // namespace
}  // namespace quire
