// Hunyuan (Tencent, 2024): a Llama that norms each head after it was turned, and whose rotation may
// have its base raised for a longer text ("alpha"); with experts, one more of which every token
// goes through. ERNIE 4.5 (Baidu, 2025): adjacent rotary pairs, biases everywhere or nowhere;
// experts are chosen with a correction. MiniMax-M2 (2025): norms of all queries and keys of a token
// together, part of a head turns, experts chosen by sigmoids. The rows are kHunyuan, kHunyuanMoe,
// kErnie, kErnieMoe and kMiniMaxM2.
// Pure functions. Called by the registry.
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// A dynamic scaling with "alpha" raises the base once and for all.
void read_alpha(const ConfigFields& fields, DecoderConfig& c) {
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const auto scaling = fields.object({name, ""});
    if (!scaling) continue;
    const double alpha = scaling->number("alpha", 0, 1e9, 0.0);
    if (alpha == 0 || c.rope.scaling != RopeScaling::kDynamic) continue;
    for (const char* unused : {"beta_fast", "beta_slow", "mscale", "mscale_all_dim"}) {
      scaling->mark(unused);  // of other scalings
    }
    const double dim = c.head_dim;
    c.rope.theta = static_cast<float>(c.rope.theta * std::pow(alpha, dim / (dim - 2)));
    c.rope.scaling = RopeScaling::kNone;
  }
  c.window_rope = c.rope;
}

// Of the tokenizer, of other heads, or of what is refused.
constexpr const char* kHunyuanUnread[] = {
    "eod_token_id", "im_start_id",    "im_end_id",  "im_newline_id",  "mask_init_id",
    "pad_id",       "text_start_id",  "text_end_id", "org_vocab_size", "pool_type",
    "class_num",    "dense_list",     "cla_share_factor", "enable_lm_head_fp32"};

DecoderConfig read_hunyuan(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab);
  c.turns_before_norms = true;
  c.head_norms = QueryNorms::kEach;
  c.names.q_norm = "self_attn.query_layernorm";
  c.names.k_norm = "self_attn.key_layernorm";
  read_alpha(fields, c);
  fields.refuse_unless({"attention_head_dim", ""}, c.head_dim);
  fields.refuse_unless({"norm_type", ""}, "rms");
  fields.refuse_false({"use_rotary_pos_emb", ""});
  fields.refuse_false({"use_qk_norm", ""});
  fields.refuse({"use_cla", ""});  // keys and values of another layer
  fields.refuse({"add_classification_head", ""});
  for (const char* name : kHunyuanUnread) fields.mark({name, ""});
  return c;
}

DecoderConfig read_hunyuan_moe(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_hunyuan(fields, vocab);
  const Key all = {"num_experts", "expert_count"}, used = {"moe_topk", "expert_used_count"};
  const auto same = [&](Key key, int max) {
    const std::vector<int> each = fields.integers_per_layer(key, c.layers, 1, max);
    for (const int value : each) {
      if (value == each.front()) continue;
      fields.fail(error(StatusCode::kUnsupported, "{}: {} in one layer, {} in another",
                        fields.name_of(key), each.front(), value));
      break;
    }
    return each.empty() ? 1 : each.front();
  };
  c.router.experts = same(all, kExpertsMax);
  c.router.used = same(used, c.router.experts);
  c.router.is_renormalised = true;
  const Key ffn = {"", "expert_feed_forward_length"};
  c.expert_ffn = fields.integer(ffn, 1, kFfnMax, c.ffn);
  c.shared_ffn =
      fields.integer({"", "expert_shared_feed_forward_length"}, 1, kFfnMax, c.ffn);
  c.has_experts.assign(static_cast<std::size_t>(c.layers), true);
  c.names.router = "mlp.gate.wg.weight";
  c.names.shared = "mlp.shared_mlp.";
  return c;
}

DecoderConfig read_ernie(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.theta = 500000},
                                                 .is_interleaved = true});
  if (fields.boolean({"use_bias", ""}, false)) {
    c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  }
  return c;
}

DecoderConfig read_ernie_moe(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_ernie(fields, vocab);
  fields.refuse({"use_bias", ""});
  c.router.experts = fields.integer({"moe_num_experts", "expert_count"}, 1, kExpertsMax);
  c.router.used = fields.integer({"moe_k", "expert_used_count"}, 1, c.router.experts);
  c.router.is_renormalised = c.has_correction = true;
  c.expert_ffn = fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1,
                                kFfnMax);
  const int shared = fields.integer({"moe_num_shared_experts", "expert_shared_count"}, 0, 64, 0);
  c.shared_ffn = fields.integer({"", "expert_shared_feed_forward_length"}, 0, kFfnMax,
                                c.expert_ffn * shared);
  const int first =
      fields.integer({"moe_layer_start_index", "leading_dense_block_count"}, 0, kLayersMax, 0);
  const int last = fields.integer({"moe_layer_end_index", ""}, -1, kLayersMax, -1);
  const int every =
      fields.integer({"moe_layer_interval", "interleave_moe_layer_step"}, 1, kLayersMax, 1);
  for (int i = 0; i < c.layers; ++i) {
    c.has_experts.push_back(i >= first && (last < 0 || i <= last) && (i + 1) % every == 0);
  }
  fields.refuse_unless({"moe_gate", ""}, "topk");
  c.has_correction = fields.boolean({"moe_use_aux_free", ""}, true);
  fields.mark({"moe_capacity", ""});              // bounds what another program computes at once
  fields.mark({"moe_norm_min", ""});              // keeps its sum from being zero
  fields.mark({"num_nextn_predict_layers", ""});  // of drafts
  c.names.correction = "mlp.moe_statics.e_score_correction_bias";
  return c;
}

DecoderConfig read_minimax_m2(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6});
  c.head_norms = QueryNorms::kWhole;
  const int turned = fields.integer({"rotary_dim", ""}, 0, c.head_dim, 0);
  if (turned > 0) c.rope.dims = c.window_rope.dims = turned < c.head_dim ? turned : 0;
  read_layer_experts(fields, "num_local_experts", "", c);
  c.router.is_sigmoid = c.router.is_renormalised = c.has_correction = true;
  fields.refuse_unless({"scoring_func", ""}, "sigmoid");
  fields.refuse_unless({"", "expert_gating_func"}, 2);
  fields.refuse({"shared_intermediate_size", ""});
  for (const char* name : {"use_qk_norm", "use_routing_bias"}) fields.refuse_false({name, ""});
  fields.refuse_unless({"qk_norm_type", ""}, "per_layer");
  fields.integers({"attn_type_list", ""}, 1, 1);  // 0: a linear attention, of an earlier model
  for (const char* name : {"use_mtp", "num_mtp_modules", "mtp_transformer_layers"}) {
    fields.mark({name, ""});  // of drafts, whose tensors are not in the files
  }
  c.names.router = "block_sparse_moe.gate.weight";
  c.names.correction = "block_sparse_moe.e_score_correction_bias";
  c.names.experts = "block_sparse_moe.experts.";
  c.names.gate = "w1";
  c.names.up = "w3";
  c.names.down = "w2";
  return c;
}

}  // namespace

extern const Architecture kHunyuan;
constexpr Architecture kHunyuan = {
    "hunyuan",
    {"hunyuan_v1_dense", "hunyuan-dense"},
    {},
    kDecoderDesign<read_hunyuan>,
    {
     {"tiny-hunyuan",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"rope_scaling":{"type":"dynamic","alpha":1000.0,"factor":1.0}})"},
    }};

extern const Architecture kHunyuanMoe;
constexpr Architecture kHunyuanMoe = {
    "hunyuan_moe",
    {"hunyuan_v1_moe", "hunyuan-moe"},
    {},
    kDecoderDesign<read_hunyuan_moe>,
    {
     {"tiny-hunyuan-moe",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":64,"vocab_size":331,"num_experts":6,
"moe_topk":[2,2],"max_position_embeddings":2048,"tie_word_embeddings":false,
"rope_theta":10000})"},
    }};

extern const Architecture kErnie;
constexpr Architecture kErnie = {
    "ernie4_5",
    {"ernie4_5"},
    {},
    kDecoderDesign<read_ernie>,
    {
     {"tiny-ernie",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":10000})"},
    }};

extern const Architecture kErnieMoe;
constexpr Architecture kErnieMoe = {
    "ernie4_5_moe",
    {"ernie4_5_moe", "ernie4_5-moe"},
    {},
    kDecoderDesign<read_ernie_moe>,
    {
     {"tiny-ernie-moe",
      R"({"hidden_size":128,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"moe_intermediate_size":64,"vocab_size":331,
"moe_num_experts":6,"moe_k":2,"moe_num_shared_experts":2,"moe_layer_start_index":1,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":10000})"},
    }};

extern const Architecture kMiniMaxM2;
constexpr Architecture kMiniMaxM2 = {
    "minimax_m2",
    {"minimax_m2", "minimax-m2"},
    {},
    kDecoderDesign<read_minimax_m2>,
    {
     {"tiny-minimax-m2",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"rotary_dim":16,"intermediate_size":64,"vocab_size":331,
"num_local_experts":8,"num_experts_per_tok":3,"max_position_embeddings":2048,
"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
