// Bamba (IBM, Princeton, CMU and UIUC, 2024): layers of Mamba-2 with a few of attention among them,
// whose heads turn by half; each with an MLP. In GGUF such models are called granitehybrid.
// Pure functions.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

void read_layers(const ConfigFields& fields, HybridConfig& c) {
  const auto layers = static_cast<int>(c.layers.size());
  const std::vector<bool> named = read_layer_words(
      fields, fields.has("layer_types") ? "layer_types" : "layers_block_type", layers,
      {"attention", "full_attention"}, {"mamba", "linear_attention"});
  const std::vector<int> indices = fields.integers({"attn_layer_indices", ""}, 0, layers - 1);
  fields.mark("layers_block_type");
  for (int i = 0; i < layers; ++i) {
    const bool is_listed = std::find(indices.begin(), indices.end(), i) != indices.end();
    HybridLayer& layer = c.layers[static_cast<std::size_t>(i)];
    layer.has_attention = named.empty() ? is_listed : named[static_cast<std::size_t>(i)];
    layer.mixer = layer.has_attention ? Mixer::kNone : Mixer::kMamba2;
    layer.feed = FeedForward::kMlp;
  }
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "Bamba");
  HybridConfig c = read_hybrid(fields, vocab, {.context = 262144});
  read_layers(fields, c);
  read_hybrid_heads(fields, c);
  c.has_qkv_bias = c.has_o_bias = fields.boolean("attention_bias", false);
  c.has_rope = true;
  c.rope = read_rope(fields, c.head_dim, {.theta = 10000, .partial = 0.5});
  fields.mark("attn_rotary_emb");  // the half of a head, as always
  read_mamba2(fields, {}, c);
  read_step_limit(fields, c);
  c.ffn = fields.integer("intermediate_size", 1, kFfnMax);
  c.has_mlp_bias = fields.boolean("mlp_bias", false);
  c.activation = read_activation(fields, "hidden_act", "silu");
  fields.mark("num_logits_to_keep");  // of generation
  fields.mark("z_loss_coefficient");  // of training
  c.names.ffn_norm = "pre_ff_layernorm.weight";
  c.names.final_norm = "final_layernorm.weight";
  c.names.mlp = "feed_forward.";
  return c;
}

}  // namespace

extern const Architecture kBamba;
constexpr Architecture kBamba = {
    "bamba",
    {"bamba"},
    {},
    kHybridDesign<read>,
    {
     {"tiny-bamba",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":160,"mamba_n_heads":16,"mamba_d_head":32,"mamba_n_groups":1,
"mamba_d_state":40,"mamba_d_conv":4,"mamba_expand":2,"attn_layer_indices":[1],"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
