// gpt-oss (OpenAI, 2025): a window on every other layer, a logit of each head beside its scores
// that takes weight and gives nothing ("sinks"), biases everywhere, experts whose gates stay in
// bounds. Of an expert's way in the rows of gate and up alternate. Hugging Face's files hold the
// matrices of experts transposed, or, as published, in MXFP4 and not transposed (formats/quant).
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

void weave_experts(const DecoderConfig& c, TensorRules& rules) {
  const auto f = static_cast<std::size_t>(c.expert_ffn);
  const std::size_t biases = static_cast<std::size_t>(c.router.experts) * 2 * f;
  for (int i = 0; i < c.layers; ++i) {
    const auto rule = [&](const char* name) -> TensorRule& {
      TensorRule& found = rule_of(rules, layer_name(i, name));
      found.others.clear();
      return found;
    };
    const Stored both = hf_layer_name(i, "mlp.experts.gate_up_proj");
    const Stored bias = hf_layer_name(i, "mlp.experts.gate_up_proj_bias");
    rule("experts_gate").hf = both.runs(0, 1, 2, 2 * f).transposed();
    rule("experts_up").hf = both.runs(1, 1, 2, 2 * f).transposed();
    rule("experts_down").hf = Stored(hf_layer_name(i, "mlp.experts.down_proj")).transposed();
    const Stored both_small = hf_layer_name(i, "mlp.experts.gate_up_proj.weight");
    rule("experts_gate").others = {both_small.runs(0, 1, 2, 2 * f)};
    rule("experts_up").others = {both_small.runs(1, 1, 2, 2 * f)};
    rule("experts_down").others = {hf_layer_name(i, "mlp.experts.down_proj.weight")};
    rule("experts_gate_bias").hf = bias.runs(0, 1, 2, biases);
    rule("experts_up_bias").hf = bias.runs(1, 1, 2, biases);
  }
}

DecoderConfig read_gpt_oss(const ConfigFields& fields, int vocab) {
  constexpr double kLimitMax = 1e6;
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.theta = 150000}});
  c.has_sinks = c.has_expert_biases = true;
  read_layer_windows(fields, 2, c);
  if (fields.is_gguf()) c.names.gguf_ffn_norm = "post_attention_norm";
  for (const char* name : {"experts_per_token", "initial_context_length"}) {
    fields.mark({name, ""});  // as num_experts_per_tok, and the rotation's original context
  }
  read_layer_experts(fields, "num_local_experts", "", c);
  c.router.is_renormalised = true;  // a softmax of the chosen
  c.clamped = ClampedGate{
      static_cast<float>(fields.number({"swiglu_alpha", ""}, 0, kLimitMax, 1.702)),
      static_cast<float>(fields.number({"swiglu_limit", ""}, 0, kLimitMax, 7.0))};
  c.names.router = "mlp.router.weight";
  c.rename = weave_experts;
  return c;
}

}  // namespace

extern const Architecture kGptOss;
constexpr Architecture kGptOss = {
    "gpt_oss",
    {"gpt_oss", "gpt-oss"},
    {},
    kDecoderDesign<read_gpt_oss>,
    {
     {"tiny-gpt-oss",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":64,"vocab_size":331,
"num_local_experts":6,"num_experts_per_tok":2,"sliding_window":40,"swiglu_limit":1.0,
"attention_bias":true,"max_position_embeddings":2048,"tie_word_embeddings":false,
"rope_theta":10000})"},
    }};

}  // namespace quire
