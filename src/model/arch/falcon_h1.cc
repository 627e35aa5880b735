// Falcon-H1 (TII, 2025): in every layer Mamba-2 and attention side by side read one norm, and both
// join the residual stream; then an MLP. A factor stands on each projection: on what enters, on
// keys, on the five parts of the Mamba's projection, on what leaves. GGUF has them in the weights.
// Pure functions.
#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr double kScaleMin = -1e6, kScaleMax = 1e6;

void read_scales(const ConfigFields& fields, HybridConfig& c) {
  const auto one = [&](const char* name) {
    return static_cast<float>(fields.number({name, ""}, kScaleMin, kScaleMax, 1.0));
  };
  const auto several = [&](const char* name, std::size_t count) {
    std::vector<double> values = fields.numbers({name, ""}, kScaleMin, kScaleMax);
    if (values.size() != count && !values.empty()) {
      fields.fail(error(StatusCode::kCorrupt, "{}: {} numbers of {}", fields.name_of({name, ""}),
                        values.size(), count));
    }
    values.resize(count, 1.0);
    return values;
  };
  HybridScales& s = c.scales;
  s.attention_in = one("attention_in_multiplier");
  s.attention_out = one("attention_out_multiplier");
  s.key = one("key_multiplier");
  s.mixer_in = one("ssm_in_multiplier");
  s.mixer_out = one("ssm_out_multiplier");
  const std::vector<double> projections = several("ssm_multipliers", 5);
  for (std::size_t i = 0; i < 5; ++i) s.projections[i] = static_cast<float>(projections[i]);
  const std::vector<double> mlp = several("mlp_multipliers", 2);
  s.mlp_gate = static_cast<float>(mlp[0]);
  s.mlp_down = static_cast<float>(mlp[1]);
  c.embedding_scale = one("embedding_multiplier");
  c.logit_scale = one("lm_head_multiplier");
}

HybridConfig read(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_hybrid(fields, vocab, {});
  for (HybridLayer& layer : c.layers) layer = {true, Mixer::kMamba2, FeedForward::kMlp};
  read_hybrid_heads(fields, c);
  c.has_qkv_bias = c.has_o_bias = fields.boolean({"attention_bias", ""}, false);
  c.has_rope = true;
  c.rope = read_rope(fields, c.head_dim);
  read_mamba2(fields, {.inner = "mamba_d_ssm", .out_bias = "projectors_bias"}, c);
  read_step_limit(fields, c);
  c.gate_first = !fields.boolean({"mamba_norm_before_gate", ""}, true);
  const Key norm = {"mamba_rms_norm", ""};
  c.has_gated_norm = fields.boolean(norm, false);
  if (fields.is_gguf()) {
    c.has_gated_norm = fields.tensor("blk.0.ssm_norm.weight") != nullptr;
    c.gate_first = true;  // as whoever reads such files does
  }
  fields.mark({"mamba_use_mlp", ""});  // as the tensors say
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false);
  c.activation = read_activation(fields, "hidden_act", "silu");
  fields.mark({"num_logits_to_keep", ""});  // of generation
  fields.mark({"mlp_expansion_factor", ""});  // intermediate_size says it
  fields.mark({"layer_types", ""});  // all of one kind
  fields.mark({"layers_block_type", ""});
  // Of a start.
  for (const char* name : {"time_step_floor", "time_step_max", "time_step_min"}) {
    fields.mark({name, ""});
  }
  read_scales(fields, c);
  c.names.mixer_norm = "input_layernorm.weight";
  c.names.ffn_norm = "pre_ff_layernorm.weight";
  c.names.final_norm = "final_layernorm.weight";
  c.names.mlp = "feed_forward.";
  return c;
}

}  // namespace

extern const Architecture kFalconH1;
constexpr Architecture kFalconH1 = {
    "falcon_h1",
    {"falcon_h1", "falcon-h1"},
    {},
    kHybridDesign<read>,
    {
     {"falcon-h1-0.5b",
      R"({"hidden_size":1024,"num_hidden_layers":36,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":2048,"mamba_d_ssm":1536,
"mamba_n_heads":24,"mamba_d_head":64,"mamba_n_groups":1,"mamba_d_state":128,"mamba_d_conv":4,
"mamba_expand":2,"mamba_rms_norm":false,"rope_theta":100000000000.0,"vocab_size":32784,
"max_position_embeddings":16384,"rms_norm_eps":1e-5})"},
     {"tiny-falcon-h1",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,"num_key_value_heads":2,
"head_dim":32,"intermediate_size":160,"mamba_d_ssm":384,"mamba_n_heads":12,"mamba_d_head":32,
"mamba_n_groups":2,"mamba_d_state":40,"mamba_d_conv":4,"mamba_rms_norm":true,
"mamba_norm_before_gate":false,"key_multiplier":0.5,"attention_in_multiplier":1.5,
"attention_out_multiplier":0.75,"ssm_in_multiplier":1.25,"ssm_out_multiplier":0.5,
"ssm_multipliers":[0.5,0.75,0.5,1.5,0.75],"mlp_multipliers":[0.75,0.5],
"embedding_multiplier":2,"lm_head_multiplier":0.5,"rope_theta":10000,"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
