// LFM2 (Liquid AI, 2025): short convolutions between two gates, and a layer of attention after
// every few of them, whose heads are normed; each with an MLP, in LFM2-MoE with experts but for
// the first layers. The published MLP is narrower than intermediate_size says: two thirds, rounded
// up.
// Pure functions.
#include <algorithm>
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

void read_layers(const ConfigFields& fields, const std::vector<bool>& attends, HybridConfig& c) {
  const auto layers = static_cast<int>(c.layers.size());
  std::vector<bool> are_attention = attends;
  if (!fields.is_gguf()) {
    are_attention = read_layer_words(fields, "layer_types", layers, {"full_attention"}, {"conv"});
    const std::vector<int> indices = fields.integers("full_attn_idxs", 0, layers - 1);
    for (int i = 0; are_attention.size() < c.layers.size(); ++i) {
      are_attention.push_back(!fields.has("full_attn_idxs") ||
                              std::find(indices.begin(), indices.end(), i) != indices.end());
    }
  }
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    HybridLayer& layer = c.layers[i];
    layer.has_attention = are_attention[i];
    layer.mixer = layer.has_attention ? Mixer::kNone : Mixer::kShortConv;
    layer.feed = FeedForward::kMlp;
  }
}

int read_mlp_width(const ConfigFields& fields) {
  const Key width = {fields.has("block_ff_dim") ? "block_ff_dim" : "intermediate_size",
                     "feed_forward_length"};
  const int stated = fields.integer(width, 1, kFfnMax);
  fields.mark({"intermediate_size", ""});
  fields.mark({"block_dim", ""});
  const bool is_adjusted = fields.boolean({"block_auto_adjust_ff_dim", ""}, true);
  const double factor = fields.number({"block_ffn_dim_multiplier", ""}, 0.01, 100, 1.0);
  const int multiple = fields.integer({"block_multiple_of", ""}, 1, kFfnMax, 256);
  if (!is_adjusted || fields.is_gguf()) return stated;
  const auto scaled = static_cast<int>(factor * static_cast<int>(2.0 * stated / 3));
  return (std::max(scaled, 1) + multiple - 1) / multiple * multiple;
}

HybridConfig read_common(const ConfigFields& fields, int vocab) {
  const char* eps = fields.has("norm_eps") || !fields.has("block_norm_eps") ? "norm_eps"
                                                                            : "block_norm_eps";
  HybridConfig c = read_hybrid(fields, vocab, {.eps_name = eps, .is_tied = true,
                                               .context = 128000});
  if (fields.has({"tie_embedding", ""})) {
    c.has_tied_head = fields.boolean({"tie_embedding", ""}, true);
  }
  read_layers(fields, read_hybrid_heads(fields, c), c);
  c.has_head_norms = c.has_rope = true;
  c.rope = read_rope(fields, c.head_dim, {.theta = 1000000});
  c.conv.channels = c.d_model;
  c.conv.width = fields.integer({"conv_L_cache", "shortconv.l_cache"}, 2, kConvWidthMax, 3);
  c.has_conv_bias = c.has_in_bias = c.has_out_bias = fields.boolean({"conv_bias", ""}, false);
  // What its makers' own library says of the same.
  for (const char* name : {"conv_dim", "conv_dim_out", "conv_use_xavier_init",
                           "block_use_xavier_init", "block_use_swiglu", "block_norm_eps",
                           "use_pos_enc", "num_heads", "theta", "block_mlp_init_scale",
                           "block_out_init_scale", "conv_init_scale"}) {
    fields.mark({name, ""});
  }
  c.names.mixer_norm = "operator_norm.weight";
  c.names.ffn_norm = "ffn_norm.weight";
  c.names.final_norm = "embedding_norm.weight";
  c.names.gguf_final_norm = "token_embd_norm.weight";
  c.names.mixer = "conv.";
  c.names.o = "out_proj";
  c.names.mlp = "feed_forward.";
  c.names.gate = "w1";
  c.names.up = "w3";
  c.names.down = "w2";
  return c;
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_common(fields, vocab);
  c.ffn = read_mlp_width(fields);
  return c;
}

HybridConfig read_moe(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_common(fields, vocab);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  const auto layers = static_cast<int>(c.layers.size());
  const int plain =
      fields.integer({"num_dense_layers", "leading_dense_block_count"}, 0, layers, 2);
  for (int i = plain; i < layers; ++i) {
    c.layers[static_cast<std::size_t>(i)].feed = FeedForward::kExperts;
  }
  Router& r = c.router;
  r.experts = fields.integer({"num_experts", "expert_count"}, 1, kExpertsMax, 32);
  r.used = fields.integer({"num_experts_per_tok", "expert_used_count"}, 1, r.experts,
                          std::min(4, r.experts));
  fields.refuse_unless({"", "expert_gating_func"}, 2);
  r.is_sigmoid = true;
  r.is_renormalised = fields.boolean({"norm_topk_prob", "expert_weights_norm"}, true);
  r.scale = static_cast<float>(
      fields.number({"routed_scaling_factor", "expert_weights_scale"}, 1e-6, 1e6, 1.0));
  c.has_correction = fields.boolean({"use_expert_bias", ""}, true);
  c.expert_ffn = fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1,
                                kFfnMax, 1792);
  c.names.router = "gate.weight";
  c.names.correction = "expert_bias";
  return c;
}

}  // namespace

extern const Architecture kLfm2;
constexpr Architecture kLfm2 = {
    "lfm2",
    {"lfm2"},
    {},
    kHybridDesign<read>,
    {
     {"lfm2-1.2b",
      R"({"hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":32,
"num_key_value_heads":8,"block_ff_dim":12288,"conv_L_cache":3,"full_attn_idxs":[2,5,8,10,12,14],
"rope_theta":1000000.0,"vocab_size":65536,"max_position_embeddings":128000,"norm_eps":1e-5})"},
     {"tiny-lfm2",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":160,"block_auto_adjust_ff_dim":false,"conv_L_cache":3,"conv_bias":true,
"full_attn_idxs":[1,3],"vocab_size":517,"max_position_embeddings":2048,"norm_eps":1e-5})"},
    }};

extern const Architecture kLfm2Moe;
constexpr Architecture kLfm2Moe = {
    "lfm2_moe",
    {"lfm2_moe", "lfm2moe"},
    {},
    kHybridDesign<read_moe>,
    {
     {"tiny-lfm2-moe",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":160,"moe_intermediate_size":96,"num_experts":6,"num_experts_per_tok":2,
"num_dense_layers":1,"conv_L_cache":4,"layer_types":["conv","full_attention","conv","conv"],
"vocab_size":517,"max_position_embeddings":2048,"norm_eps":1e-5})"},
    }};

}  // namespace quire
