// Granite 4 (IBM, 2025): Mamba-2 layers with attention in between, each with a feed-forward block
// that every token goes through and perhaps experts beside it, and four multipliers: of embeddings,
// of what joins the residual stream, of attention's scores and (as divisor) of logits. Attention
// turns by position or not at all. Both halves of the way in are one tensor, of experts as well.
// Pure functions.
#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"

namespace quire {
namespace {

// Which layers are recurrent: a list of words, or in GGUF no key heads.
void read_layers(const ConfigFields& fields, const std::vector<bool>& in_gguf, HybridConfig& c) {
  const auto layers = static_cast<int>(c.layers.size());
  std::vector<bool> attends = in_gguf;
  if (!fields.is_gguf()) {
    const char* key = fields.has("layer_types") ? "layer_types" : "layers_block_type";
    attends = read_layer_words(fields, key, layers, {"attention", "full_attention"},
                               {"mamba", "linear_attention"});
    fields.mark("layers_block_type");
  }
  attends.resize(c.layers.size(), false);  // where nobody says it, all are recurrent
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    c.layers[i].has_attention = attends[i];
    c.layers[i].mixer = attends[i] ? Mixer::kNone : Mixer::kMamba2;
  }
}

void read_attention(const ConfigFields& fields, HybridConfig& c) {
  fields.refuse({"attention_bias", ""});
  c.rope = read_rope(fields, c.head_dim);
  c.rope.pairing = fields.is_gguf() ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  const std::string positions = fields.string({"position_embedding_type", ""}, "nope");
  if (positions != "rope" && positions != "nope") {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only rope and nope",
                      fields.name_of({"position_embedding_type", ""}), positions.substr(0, 64)));
  }
  c.has_rope = fields.is_gguf() ? fields.boolean("rope.scaling.finetuned", true)
                                : positions == "rope";
  // Of Bamba's heads a half turns, but the converter exchanges rows as if all did.
  if (!fields.is_gguf() || !c.has_rope || c.rope.dims == 0) return;
  fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} values of a head turn, but the rows of "
                    "such files are exchanged as if all did; read the folder of Hugging Face",
                    fields.name_of("rope.dimension_count"), c.rope.dims, c.head_dim));
}

void read_blocks(const ConfigFields& fields, HybridConfig& c) {
  const int fallback = fields.is_gguf() ? 0 : 8;
  Router& r = c.router;
  r.experts = fields.integer({"num_local_experts", "expert_count"}, 0, kExpertsMax, fallback);
  const Key ffn = {"intermediate_size", "feed_forward_length"};
  const Key used = {"num_experts_per_tok", "expert_used_count"};
  fields.mark(ffn);
  fields.mark(used);
  const Key shared = {"shared_intermediate_size", "expert_shared_feed_forward_length"};
  for (HybridLayer& layer : c.layers) {
    layer.feed = r.experts > 0 ? FeedForward::kExperts : FeedForward::kMlp;
  }
  if (r.experts == 0) {
    // GGUF says it twice, and where they differ the block is as wide as the shared one.
    const Key once = {"shared_intermediate_size", "feed_forward_length"};
    c.ffn = fields.integer(fields.has(shared) ? shared : once, 1, kFfnMax);
    return;
  }
  r.used = fields.integer(used, 1, r.experts);
  r.is_renormalised = true;
  c.expert_ffn = fields.integer(ffn, 1, kFfnMax);
  c.shared_ffn = fields.integer(shared, 0, kFfnMax, 0);
}

// The rules' tensors under the names of Hugging Face.
void rename(const HybridConfig& c, TensorRules& rules) {
  const std::size_t wide = static_cast<std::size_t>(c.router.experts > 0 ? c.shared_ffn : c.ffn);
  const auto ffn = static_cast<std::size_t>(c.expert_ffn);
  for (TensorRule& rule : rules.rules) {
    const std::size_t dot = rule.canonical.rfind('.');
    if (dot == std::string::npos) continue;
    const std::string name = rule.canonical.substr(dot + 1);
    const std::string layer = "model." + rule.canonical.substr(0, dot + 1);
    const std::string experts = layer + "block_sparse_moe.";
    const Stored in = layer + "shared_mlp.input_linear.weight";
    const Stored first = experts + "input_linear.weight", fused = experts + "experts.gate_up_proj";
    if (name == "gate" || name == "shared_gate") rule.hf = in.rows(0, 2 * wide);
    if (name == "up" || name == "shared_up") rule.hf = in.rows(wide, 2 * wide);
    if (name == "down" || name == "shared_down") {
      rule.hf = layer + "shared_mlp.output_linear.weight";
    }
    if (name == "router") {
      rule.hf = experts + "router.layer.weight";
      rule.others = {experts + "router.weight"};
    }
    if (name == "experts_gate") rule.hf = first.rows(0, 2 * ffn);
    if (name == "experts_gate") rule.others = {fused.rows(0, 2 * ffn)};
    if (name == "experts_up") rule.hf = first.rows(ffn, 2 * ffn);
    if (name == "experts_up") rule.others = {fused.rows(ffn, 2 * ffn)};
    if (name == "experts_down") {
      rule.hf = experts + "output_linear.weight";
      rule.others = {experts + "experts.down_proj"};
    }
  }
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  constexpr double kScaleMin = 1e-6, kScaleMax = 1e6;
  const auto scale = [&](const Key& key) {
    return static_cast<float>(fields.number(key, kScaleMin, kScaleMax, 1.0));
  };
  HybridConfig c = read_hybrid(fields, vocab, {.eps = 1e-6});
  read_layers(fields, read_hybrid_heads(fields, c), c);
  read_mamba2(fields, {}, c);
  fields.refuse({"mamba_proj_bias", ""});
  read_step_limit(fields, c);
  read_attention(fields, c);
  read_blocks(fields, c);
  c.embedding_scale = scale({"embedding_multiplier", "embedding_scale"});
  c.residual_scale = scale({"residual_multiplier", "residual_scale"});
  c.score_scale = scale({"attention_multiplier", "attention.scale"});
  c.logit_scale = 1 / scale({"logits_scaling", "logit_scale"});
  fields.refuse_unless({"hidden_act", ""}, "silu");
  fields.refuse_unless({"normalization_function", ""}, "rmsnorm");
  fields.mark({"init_method", ""});  // of training
  c.rename = rename;
  return c;
}

}  // namespace

extern const Architecture kGraniteHybrid;
constexpr Architecture kGraniteHybrid = {
    "granite_hybrid",
    {"granitemoehybrid", "granitehybrid"},
    {},
    kHybridDesign<read>,
    {
     {"granite-4-h-micro",
      R"({"hidden_size":2048,"num_hidden_layers":40,"num_attention_heads":32,
"num_key_value_heads":8,
"intermediate_size":8192,"shared_intermediate_size":8192,"num_local_experts":0,
"mamba_n_heads":64,"mamba_d_head":64,"mamba_d_state":128,"mamba_n_groups":1,
"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":12,"residual_multiplier":0.22,
"attention_multiplier":0.015625,"logits_scaling":8,"position_embedding_type":"nope",
"vocab_size":100352,"max_position_embeddings":131072,"tie_word_embeddings":true,
"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","mamba","mamba","mamba","attention",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba","mamba",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba","mamba","mamba",
"mamba"]})"},
     {"granite-4-h-tiny",
      R"({"hidden_size":1536,"num_hidden_layers":40,"num_attention_heads":12,
"num_key_value_heads":4,
"intermediate_size":512,"shared_intermediate_size":1024,"num_local_experts":64,
"num_experts_per_tok":6,"mamba_n_heads":48,"mamba_d_head":64,"mamba_d_state":128,
"mamba_n_groups":1,"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":12,
"residual_multiplier":0.22,"attention_multiplier":0.0078125,"logits_scaling":6,
"position_embedding_type":"nope","vocab_size":100352,"max_position_embeddings":131072,
"tie_word_embeddings":true,"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","mamba",
"mamba","mamba","attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"mamba","attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"attention","mamba","mamba","mamba","mamba"]})"},
     {"tiny-granite",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":96,"shared_intermediate_size":192,"num_local_experts":0,
"mamba_n_heads":16,"mamba_d_head":32,"mamba_d_state":40,"mamba_n_groups":1,"mamba_d_conv":4,
"mamba_expand":2,"embedding_multiplier":2,"residual_multiplier":0.5,
"attention_multiplier":0.25,"logits_scaling":2,"position_embedding_type":"nope",
"vocab_size":517,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","attention","mamba"]})"},
     {"tiny-granite-moe",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":96,"shared_intermediate_size":128,"num_local_experts":6,
"num_experts_per_tok":2,"mamba_n_heads":16,"mamba_d_head":32,"mamba_d_state":40,
"mamba_n_groups":2,"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":2,
"residual_multiplier":0.5,"attention_multiplier":0.25,"logits_scaling":2,
"position_embedding_type":"rope","rope_theta":10000,"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-5,"layer_types":["mamba","attention",
"mamba"]})"},
    }};

}  // namespace quire
