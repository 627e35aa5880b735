// DBRX (Databricks, 2024): layer norms without biases, queries, keys and values in one matrix and
// within bounds, four experts of sixteen, whose matrices lie one behind the other, the way back as
// its transpose. The row is kDbrx.
// Pure functions. Called by the registry.
#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

void rename(const DecoderConfig& c, TensorRules& rules) {
  for (int i = 0; i < c.layers; ++i) {
    const auto hf = [&](const char* name) -> Stored& {
      TensorRule& rule = rule_of(rules, layer_name(i, name));
      rule.others.clear();
      return rule.hf;
    };
    const std::string experts = fmt::format("transformer.blocks.{}.ffn.experts.mlp.", i);
    hf("experts_gate") = experts + "w1";
    hf("experts_up") = experts + "v1";
    hf("experts_down") = Stored(experts + "w2").transposed();
  }
}

void set_names(DecoderConfig& c) {
  DecoderNames& names = c.names;
  names.table = "transformer.wte";
  names.final_norm = "transformer.norm_f";
  names.layer = "transformer.blocks.{}.";
  names.attn_norm = "norm_attn_norm.norm_1";
  names.ffn_norm = "norm_attn_norm.norm_2";
  names.o = "norm_attn_norm.attn.out_proj";
  names.router = "ffn.router.layer.weight";
  names.gguf_ffn_norm = "attn_output_norm";
  fuse_heads("norm_attn_norm.attn.Wqkv", c);
  fuse_gguf_heads(c);
}

void read_gguf_parts(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kClipMax = 1e6;
  c.kv_heads = fields.integer("attention.head_count_kv", 1, kHeadsMax);
  c.clip = static_cast<float>(fields.number("attention.clamp_kqv", 0, kClipMax, 0.0));
  c.rope = c.window_rope = read_rope(fields, c.head_dim);
  c.ffn = c.expert_ffn = fields.integer("feed_forward_length", 1, kFfnMax);
  c.router.experts = fields.integer("expert_count", 1, kExpertsMax);
  c.router.used = fields.integer("expert_used_count", 1, c.router.experts);
  c.router.is_renormalised = true;
  c.eps = static_cast<float>(
      fields.number("attention.layer_norm_epsilon", kRmsEpsMin, kRmsEpsMax, 1e-5));
}

// Of the objects inside.
void read_parts(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kClipMax = 1e6;
  const Json nothing = Json::object();
  const auto none = ConfigFields::of_json(nothing, "in config.json");
  const auto attention = fields.object({"attn_config", ""}).value_or(none);
  const auto block = fields.object({"ffn_config", ""}).value_or(none);
  c.kv_heads = attention.integer({"kv_n_heads", ""}, 1, kHeadsMax, 1);
  c.clip = static_cast<float>(attention.number({"clip_qkv", ""}, 0, kClipMax, 0.0));
  attention.mark({"attn_pdrop", ""});
  const double theta = attention.number({"rope_theta", ""}, 1, 1e12, 10000.0);
  c.rope = c.window_rope = read_rope(fields, c.head_dim, {.theta = theta});
  c.ffn = c.expert_ffn = block.integer({"ffn_hidden_size", ""}, 1, kFfnMax, 3584);
  c.router.experts = block.integer({"moe_num_experts", ""}, 1, kExpertsMax, 4);
  c.router.used = block.integer({"moe_top_k", ""}, 1, c.router.experts, 1);
  c.router.is_renormalised = true;
  block.refuse_unless({"moe_normalize_expert_weights", ""}, 1);
  for (const char* name : {"moe_jitter_eps", "moe_loss_weight"}) block.mark({name, ""});
  block.refuse_unless({"hidden_size", ""}, c.d_model);
  if (const auto activation = block.object({"ffn_act_fn", ""})) {
    activation->refuse_unless({"name", ""}, "silu");
  }
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"n_layers", "block_count"}, 1, kLayersMax, 24);
  c.d_model = fields.integer({"d_model", "embedding_length"}, 1, kModelWidthMax, 2048);
  c.heads = fields.integer({"n_heads", "attention.head_count"}, 1, kHeadsMax, 16);
  c.context_max = fields.integer({"max_seq_len", "context_length"}, 1, kContextMax, 2048);
  check_width(fields, {"n_heads", "attention.head_count"}, c.heads, c.d_model);
  c.head_dim = c.d_model / c.heads;
  c.norm = Norm::Kind::kLayer;
  c.eps = 1e-5f;
  fields.is_gguf() ? read_gguf_parts(fields, c) : read_parts(fields, c);
  fields.refuse_unless({"num_key_value_heads", ""}, c.kv_heads);  // once more
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  c.windows.assign(static_cast<std::size_t>(c.layers), 0);
  c.turns.assign(static_cast<std::size_t>(c.layers), true);
  c.has_experts.assign(static_cast<std::size_t>(c.layers), true);
  set_names(c);
  fields.refuse({"tie_word_embeddings", ""});
  fields.mark({"emb_pdrop", ""});  // while a model is trained
  c.rename = rename;
  return c;
}

}  // namespace

extern const Architecture kDbrx;
constexpr Architecture kDbrx = {
    "dbrx",
    {"dbrx"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-dbrx",
      R"({"d_model":128,"n_layers":2,"n_heads":4,"max_seq_len":2048,"vocab_size":331,
"attn_config":{"kv_n_heads":2,"clip_qkv":8,"rope_theta":500000},"ffn_config":
{"ffn_hidden_size":64,"moe_num_experts":6,"moe_top_k":2}})"},
    }};

}  // namespace quire
