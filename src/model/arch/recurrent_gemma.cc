// RecurrentGemma (Google, 2024), of Griffin: two recurrent blocks of gated linear units for one of
// attention with a window, whose heads turn by half, each with a gated MLP of half the width that
// the file states. Norms are stored as their distance from 1, embeddings are scaled, logits capped.
// Pure functions.
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

// `block_types` again and again.
void read_layers(const ConfigFields& fields, HybridConfig& c) {
  std::vector<std::string> types = fields.strings("block_types");
  if (types.empty()) types = fields.strings("_block_types");
  if (types.empty()) types = {"recurrent", "recurrent", "attention"};
  for (const char* name : {"_block_types", "layers_block_type", "layer_types"}) fields.mark(name);
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    const std::string& type = types[i % types.size()];
    if (type != "recurrent" && type != "attention") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                        fields.name_of("block_types"), type.substr(0, 64)));
    }
    c.layers[i].has_attention = type == "attention";
    c.layers[i].mixer = type == "attention" ? Mixer::kNone : Mixer::kGatedUnit;
    c.layers[i].feed = FeedForward::kMlp;
  }
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "RecurrentGemma");
  HybridConfig c =
      read_hybrid(fields, vocab, {.eps = 1e-6, .is_tied = true, .context = 1 << 20});
  read_layers(fields, c);
  read_hybrid_heads(fields, c);
  c.window = fields.integer("attention_window_size", 1, kContextMax, 2048);
  c.has_qkv_bias = fields.boolean("attention_bias", false);
  c.has_o_bias = true;
  c.has_rope = true;
  c.rope = read_rope(fields, c.head_dim, {.theta = 10000, .partial = 0.5});
  c.unit.channels = fields.integer("lru_width", 1, kModelWidthMax, c.d_model);
  c.unit.blocks = c.heads;
  c.unit.width = fields.integer("conv1d_width", 2, kConvWidthMax, 4);
  if (c.unit.channels % c.unit.blocks != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} heads do not divide {}",
                      fields.name_of("lru_width"), c.unit.blocks, c.unit.channels));
    c.unit.blocks = 1;
  }
  c.ffn = fields.integer("intermediate_size", 2, kFfnMax) / 2;
  c.has_mlp_bias = true;
  c.activation = read_activation(
      fields, fields.has("hidden_activation") ? "hidden_activation" : "hidden_act",
      "gelu_pytorch_tanh");
  fields.mark("hidden_act");
  c.is_norm_offset = true;
  // As the library rounds it.
  c.embedding_scale =
      bf16_to_float(float_to_bf16(std::sqrt(static_cast<float>(c.d_model))));
  c.logit_cap = static_cast<float>(fields.number("logits_soft_cap", 1e-3, 1e6, 30.0));
  fields.mark("embeddings_scale_by_sqrt_dim");
  for (const char* name : {"w_init_variance_scale", "final_w_init_variance_scale"}) {
    fields.mark(name);  // of a start
  }
  HybridNames& n = c.names;
  n.final_norm = "final_norm.weight";
  n.mixer_norm = "temporal_pre_norm.weight";
  n.ffn_norm = "channel_pre_norm.weight";
  n.mixer = n.attention = "temporal_block.";
  n.mlp = "mlp_block.";
  return c;
}

}  // namespace

extern const Architecture kRecurrentGemma;
constexpr Architecture kRecurrentGemma = {
    "recurrent_gemma",
    {"recurrent_gemma"},
    {},
    kHybridDesign<read>,
    {
     {"tiny-recurrent-gemma",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":1,
"intermediate_size":320,"lru_width":256,"attention_window_size":48,"conv1d_width":4,
"block_types":["recurrent","attention"],"vocab_size":517,"max_position_embeddings":2048,
"rms_norm_eps":1e-6})"},
    }};

}  // namespace quire
