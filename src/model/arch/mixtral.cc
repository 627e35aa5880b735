// Decoders of experts: layers of rotary attention as in Llama, whose feed-forward block is a choice
// of experts. Mixtral (Jiang et al., "Mixtral of Experts", 2024) has them in every layer; Qwen3-MoE
// norms its heads, may keep plain blocks in some layers and may leave the weights of the chosen as
// they are. The rows are kMixtral and kQwen3Moe.
// Pure functions. Called by the registry.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

// What neither computes.
void check_features(const ConfigFields& fields, const DecoderConfig& c) {
  fields.refuse({"attention_bias", ""});
  if (c.rope.dims > 0) fields.refuse_unless({"partial_rotary_factor", "rope.dimension_count"}, -1);
  fields.refuse_unless({"hidden_act", ""}, "silu");
}

// One for all layers, or none.
void check_layer_types(const ConfigFields& fields, int window) {
  const std::string_view wanted = window > 0 ? "sliding_attention" : "full_attention";
  check_layer_types(fields, wanted);
}

DecoderConfig read_mixtral(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.is_woven_in_gguf = true, .is_tied = false,
                                                 .has_activation = false});
  check_features(fields, c);
  const int window =
      fields.integer({"sliding_window", "attention.sliding_window"}, 0, kContextMax, 0);
  c.windows.assign(c.windows.size(), window);
  fields.mark({"max_window_layers", ""});
  check_layer_types(fields, window);
  read_layer_experts(fields, fields.has({"num_experts", ""}) ? "num_experts" : "num_local_experts",
                     "", c);
  c.router.is_renormalised = true;
  c.names.router = "block_sparse_moe.gate.weight";
  c.names.experts = "block_sparse_moe.experts.";
  c.names.gate = "w1";
  c.names.up = "w3";
  c.names.down = "w2";
  return c;
}

// Which layers have none: those of a list, and all but every so many.
void read_plain_layers(const ConfigFields& fields, DecoderConfig& c) {
  const int step = fields.integer({"decoder_sparse_step", ""}, 1, kLayersMax, 1);
  const std::vector<int> plain = fields.integers({"mlp_only_layers", ""}, 0, kLayersMax);
  bool has_plain = false;
  for (int i = 0; i < c.layers; ++i) {
    const bool is_listed = std::find(plain.begin(), plain.end(), i) != plain.end();
    const bool has_experts = !is_listed && (i + 1) % step == 0;
    c.has_experts[static_cast<std::size_t>(i)] = has_experts;
    has_plain = has_plain || !has_experts;
  }
  if (!has_plain || c.ffn > 0) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: missing, but some layers have no experts",
                    fields.name_of({"intermediate_size", "feed_forward_length"})));
}

DecoderConfig read_qwen3_moe(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.may_lack_ffn = true, .eps = 1e-6,
                                                 .is_tied = false, .has_activation = false});
  check_features(fields, c);
  c.head_norms = QueryNorms::kEach;
  fields.refuse_false({"use_qk_norm", ""});
  // They mean something with the switch only.
  fields.refuse({"use_sliding_window", ""});
  fields.mark({"sliding_window", "attention.sliding_window"});
  fields.mark({"max_window_layers", ""});
  check_layer_types(fields, 0);
  read_layer_experts(fields, fields.has({"num_experts", ""}) ? "num_experts" : "num_local_experts",
                     "moe_intermediate_size", c);
  // GGUF does not say it: what is written so always divides by the sum.
  c.router.is_renormalised = fields.boolean({"norm_topk_prob", ""}, fields.is_gguf());
  read_plain_layers(fields, c);
  return c;
}

// GGUF calls it a Llama with experts.
bool has_experts(const ConfigFields& fields) {
  return fields.is_gguf() && fields.has("expert_count");
}

}  // namespace

extern const Architecture kMixtral;
constexpr Architecture kMixtral = {
    "mixtral",
    {"mixtral", "llama"},
    {},
    kDecoderDesign<read_mixtral>,
    {
     {"tiny-mixtral",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":96,"vocab_size":517,
"max_position_embeddings":2048,"num_local_experts":6,"num_experts_per_tok":2,
"rope_theta":10000,"rms_norm_eps":1e-5})"},
    },
    has_experts};

// A model of 1.0 G active parameters, 8 of 64 experts: the proportions of Qwen3-30B-A3B.
extern const Architecture kQwen3Moe;
constexpr Architecture kQwen3Moe = {
    "qwen3_moe",
    {"qwen3_moe", "qwen3moe", "qwen3_vl_moe_text"},
    {},
    kDecoderDesign<read_qwen3_moe>,
    {
     {"qwen3-moe-a1b",
      R"({"hidden_size":1536,"num_hidden_layers":24,"num_attention_heads":24,
"num_key_value_heads":4,"head_dim":128,"intermediate_size":6144,"moe_intermediate_size":576,
"num_experts":64,"num_experts_per_tok":8,"norm_topk_prob":true,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-6})"},
     {"tiny-qwen3-moe",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":512,"moe_intermediate_size":96,
"num_experts":10,"num_experts_per_tok":3,"norm_topk_prob":true,"mlp_only_layers":[1],
"vocab_size":517,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rope_theta":1000000,"rms_norm_eps":1e-6})"},
    }};

}  // namespace quire
