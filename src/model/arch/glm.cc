// GLM-4 (Zhipu, 2024): half of each head turns in adjacent pairs, biases on queries, keys and
// values, one tensor for both halves of the way into a block; the models of 2025 (glm4) norm what
// the blocks add as well. GLM-4.5 (glm4_moe) has half-split pairs and experts chosen by sigmoids
// with a correction, as dots.1 (Xiaohongshu, 2025), which norms its heads. The rows are kGlm,
// kGlm4, kGlm4Moe and kDots1.
// Pure functions. Called by the registry.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// GGUF of the first generation, "chatglm", leaves it to the tensors; 0: it is said.
int head_dim_of_tensors(const ConfigFields& fields) {
  const TensorView* q = fields.tensor({"", "blk.0.attn_q.weight"});
  if (q == nullptr || q->shape.size() != 2) return 0;
  const int heads = fields.integer("attention.head_count", 1, kHeadsMax);
  const std::size_t head_dim = q->shape[0] / static_cast<std::size_t>(heads);
  return static_cast<int>(std::min<std::size_t>(head_dim, std::size_t{kHeadDimMax}));
}

DecoderConfig read_glm(const ConfigFields& fields, int vocab) {
  const DecoderSizes sizes = {.head_dim = head_dim_of_tensors(fields)};
  DecoderConfig c = read_decoder(fields, vocab,
                                 {.sizes = sizes, .eps = 1.5625e-7, .rope = {.partial = 0.5},
                                  .is_interleaved = true, .has_qkv_bias = true});
  fuse_gate("mlp.gate_up_proj", c);
  return c;
}

DecoderConfig read_glm4(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_glm(fields, vocab);
  c.has_norms_after = true;
  c.names.attn_post_norm = "post_self_attn_layernorm";
  c.names.ffn_post_norm = "post_mlp_layernorm";
  return c;
}

// As DeepSeek-V3 chooses: sigmoids, a correction for the choice only, groups by their best two.
void read_choice(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kScaleMax = 1e6;
  constexpr int kGroupsMax = 64;
  read_layer_experts(fields, "n_routed_experts", "moe_intermediate_size", c);
  const int plain =
      fields.integer({"first_k_dense_replace", "leading_dense_block_count"}, 0, c.layers, 0);
  for (int i = 0; i < plain; ++i) c.has_experts[static_cast<std::size_t>(i)] = false;
  c.shared_ffn =
      c.expert_ffn * fields.integer({"n_shared_experts", "expert_shared_count"}, 0, 64, 0);
  Router& router = c.router;
  router.is_sigmoid = router.is_group_by_two = c.has_correction = true;
  router.is_renormalised = fields.boolean({"norm_topk_prob", "expert_weights_norm"}, true);
  router.scale = static_cast<float>(
      fields.number({"routed_scaling_factor", "expert_weights_scale"}, 0, kScaleMax, 1.0));
  router.groups = fields.integer({"n_group", "expert_group_count"}, 1, kGroupsMax, 1);
  router.groups_kept =
      fields.integer({"topk_group", "expert_group_used_count"}, 1, router.groups, router.groups);
  check_groups(fields, router);
  const Key scoring = {"scoring_func", ""};
  const bool is_method_said = fields.is_text(scoring) && fields.string(scoring) == "noaux_tc";
  if (!is_method_said) fields.refuse_unless(scoring, "sigmoid");  // dots.1 says its topk_method
  fields.refuse_unless({"topk_method", ""}, "noaux_tc");
  fields.refuse_unless({"moe_layer_freq", ""}, 1);
  fields.refuse_unless({"", "expert_gating_func"}, 2);
  fields.mark({"ep_size", ""});  // how ranks share the experts
  fields.refuse_unless({"hidden_act", ""}, "silu");
}

DecoderConfig read_glm4_moe(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.partial = 0.5}});
  c.has_o_bias = false;
  const bool has_norms = fields.boolean({"use_qk_norm", ""}, false) ||
                         fields.tensor({"", "blk.0.attn_q_norm.weight"}) != nullptr;
  if (has_norms) c.head_norms = QueryNorms::kEach;
  c.names.gguf_ffn_norm = "post_attention_norm";
  read_choice(fields, c);
  fields.mark({"num_mtp_layers", ""});  // of drafts, as the next
  return c;
}

DecoderConfig read_dots1(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6});
  c.head_norms = QueryNorms::kEach;
  read_choice(fields, c);
  read_layer_windows(fields, 0, c);
  const int first = fields.integer({"max_window_layers", ""}, 0, kLayersMax, c.layers);
  if (fields.is_gguf() || fields.has({"layer_types", ""})) return c;
  const int window = fields.integer({"sliding_window", ""}, 0, kContextMax, 0);
  for (int i = first; i < c.layers; ++i) c.windows[static_cast<std::size_t>(i)] = window;
  return c;
}

}  // namespace

extern const Architecture kGlm;
constexpr Architecture kGlm = {
    "glm",
    {"glm", "chatglm"},
    {},
    kDecoderDesign<read_glm>,
    {
     {"tiny-glm",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kGlm4;
constexpr Architecture kGlm4 = {
    "glm4",
    {"glm4"},
    {},
    kDecoderDesign<read_glm4>,
    {
     {"tiny-glm4",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kGlm4Moe;
constexpr Architecture kGlm4Moe = {
    "glm4_moe",
    {"glm4_moe", "glm4moe"},
    {},
    kDecoderDesign<read_glm4_moe>,
    {
     {"tiny-glm4-moe",
      R"({"hidden_size":128,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"moe_intermediate_size":64,
"n_routed_experts":8,"num_experts_per_tok":2,"n_shared_experts":1,"n_group":2,"topk_group":1,
"first_k_dense_replace":1,"routed_scaling_factor":1.5,"use_qk_norm":true,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kDots1;
constexpr Architecture kDots1 = {
    "dots1",
    {"dots1"},
    {},
    kDecoderDesign<read_dots1>,
    {
     {"tiny-dots1",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":4,"head_dim":32,"intermediate_size":160,"moe_intermediate_size":64,
"n_routed_experts":8,"num_experts_per_tok":3,"n_shared_experts":2,"first_k_dense_replace":1,
"vocab_size":331,"max_position_embeddings":2048,"tie_word_embeddings":false,
"rope_theta":10000})"},
    }};

}  // namespace quire
