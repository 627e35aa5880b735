// Phi-3.5-MoE (Abdin et al., 2024): layer norms, biases everywhere, two experts of sixteen, each
// weighed among those that are nearly as good as it ("sparse mixer"), and longrope whose magnitudes
// the file says. The row is kPhiMoe.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// Of the rotation in short texts and in long ones, beside the factors.
void read_magnitudes(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kMin = 1e-3, kMax = 1e3;
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const auto scaling = fields.object({name, ""});
    if (!scaling || c.rope.scaling == RopeScaling::kNone) continue;
    c.rope.short_magnitude = static_cast<float>(scaling->number("short_mscale", kMin, kMax));
    c.rope.long_magnitude = static_cast<float>(scaling->number("long_mscale", kMin, kMax));
  }
  c.window_rope = c.rope;
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  constexpr double kJitterMax = 0.5;
  DecoderConfig c = read_decoder(fields, vocab, {.norm = Norm::Kind::kLayer,
                                                 .rope = {.theta = 1e6}});
  c.has_norm_biases = true;
  if (fields.is_gguf()) {  // whose converter calls the bound as Phi-3's
    c.eps = static_cast<float>(fields.number("attention.layer_norm_rms_epsilon", kRmsEpsMin,
                                             kRmsEpsMax, 1e-5));
  }
  read_magnitudes(fields, c);
  // A window as long as the context is none.
  const int window =
      fields.integer({"sliding_window", "attention.sliding_window"}, 0, kContextMax, 0);
  if (window < c.context_max) c.windows.assign(c.windows.size(), window);
  read_layer_experts(fields, "num_local_experts", "", c);
  fields.refuse_unless({"num_experts_per_tok", "expert_used_count"}, 2);
  c.router.sparse_margin = static_cast<float>(
      2 * fields.number({"router_jitter_noise", ""}, 1e-9, kJitterMax, 0.01));
  fields.mark({"input_jitter_noise", ""});  // while a model is trained
  fields.mark({"", "rope.scaling.original_context_length"});  // there without a scaling, too
  c.names.implied = {"rope_factors_long.weight", "rope_factors_short.weight"};
  c.names.router = "block_sparse_moe.gate.weight";
  c.names.other_router = "mlp.router.weight";
  c.names.experts = "block_sparse_moe.experts.";
  c.names.gate = "w1";
  c.names.up = "w3";
  c.names.down = "w2";
  c.has_head_bias = fields.boolean({"lm_head_bias", ""},
                                   fields.tensor({"", "output.bias"}) != nullptr);
  return c;
}

}  // namespace

extern const Architecture kPhiMoe;
constexpr Architecture kPhiMoe = {
    "phimoe",
    {"phimoe"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-phimoe",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":64,"vocab_size":331,"num_local_experts":6,
"num_experts_per_tok":2,"attention_bias":true,"lm_head_bias":true,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
