// Llama 4 (Meta, 2025), its text model: layers that turn their heads see the chunk of the text that
// a token stands in, and may norm heads after the rotation; every fourth layer sees all and does
// not turn, but its scores grow with the position. Experts read inputs that are weighed by the
// sigmoids of the router, beside one that every token goes through. GGUF implies most of it: what
// it has no key for is as in the released models. The row is kLlama4.
// Pure functions. Called by the registry.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// The files have the matrices of experts transposed, gate and up in one.
void rename(const DecoderConfig& c, TensorRules& rules) {
  const auto f = static_cast<std::size_t>(c.expert_ffn);
  for (int i = 0; i < c.layers; ++i) {
    if (c.is_plain(i)) continue;
    const auto hf = [&](const char* name) -> Stored& {
      TensorRule& rule = rule_of(rules, layer_name(i, name));
      rule.others.clear();
      return rule.hf;
    };
    const Stored both = hf_layer_name(i, "feed_forward.experts.gate_up_proj");
    const Stored down = hf_layer_name(i, "feed_forward.experts.down_proj");
    hf("experts_gate") = both.rows(0, 2 * f).transposed();
    hf("experts_up") = both.rows(f, 2 * f).transposed();
    hf("experts_down") = down.transposed();
  }
}

void read_layers(const ConfigFields& fields, DecoderConfig& c) {
  const int every = fields.integer({"no_rope_layer_interval", ""}, 1, kLayersMax, 4);
  const Key listed = {"no_rope_layers", ""}, types_key = {"layer_types", ""};
  const std::vector<int> turns = fields.integers(listed, 0, 1);
  if (!turns.empty() && turns.size() < c.turns.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of(listed),
                             turns.size(), c.layers));
  }
  const Key chunk_key = {"attention_chunk_size", "attention.sliding_window"};
  const bool is_null = fields.has_name(chunk_key) && !fields.has(chunk_key);
  const int chunk = fields.integer(chunk_key, fields.is_gguf() ? 1 : 0, kContextMax,
                                   is_null ? 0 : 8192);
  c.has_chunks = chunk > 0;
  for (int i = 0; i < c.layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    c.turns[at] = turns.empty() ? (i + 1) % every != 0 : turns[at] != 0;
    c.windows[at] = c.turns[at] ? chunk : 0;
  }
  const std::vector<std::string> types = fields.strings(types_key);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string_view wanted = i < c.windows.size() && c.windows[i] > 0 ? "chunked_attention"
                                                                             : "full_attention";
    if (i < c.windows.size() && types[i] == wanted) continue;
    return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' in layer {}, where only '{}' fits",
                             fields.name_of(types_key), types[i].substr(0, 64), i, wanted));
  }
}

void read_experts(const ConfigFields& fields, DecoderConfig& c) {
  read_layer_experts(fields, "num_local_experts", "", c);
  if (!fields.is_gguf()) {  // whose feed_forward_length is that of plain layers
    c.expert_ffn = c.ffn;
    c.ffn = fields.integer({"intermediate_size_mlp", ""}, 1, kFfnMax, 16384);
  }
  c.shared_ffn = c.expert_ffn;
  c.router.is_sigmoid = c.weighs_inputs = true;
  c.names.router = "feed_forward.router.weight";
  c.names.shared = "feed_forward.shared_expert.";
  c.names.mlp_gate = "feed_forward.gate_proj";
  c.names.mlp_up = "feed_forward.up_proj";
  c.names.mlp_down = "feed_forward.down_proj";
  const int step = fields.integer({"interleave_moe_layer_step", "interleave_moe_layer_step"}, 1,
                                  kLayersMax, 1);
  const Key key = {"moe_layers", ""};
  const std::vector<int> listed = fields.integers(key, 0, kLayersMax);
  for (int i = 0; i < c.layers; ++i) {
    const bool is_listed = std::find(listed.begin(), listed.end(), i) != listed.end();
    c.has_experts[static_cast<std::size_t>(i)] =
        fields.has(key) ? is_listed : (i + 1) % step == 0;
  }
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  constexpr double kScaleMax = 1e3;
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.theta = 500000},
                                                 .is_interleaved = true});
  read_layers(fields, c);
  read_experts(fields, c);
  // GGUF means it by the number of experts: Maverick has 128 and no norms.
  constexpr int kOfMaverick = 128;
  const bool has_norms = fields.boolean(
      {"use_qk_norm", ""}, !fields.is_gguf() || c.router.experts != kOfMaverick);
  if (has_norms) c.head_norms = QueryNorms::kBare, c.turns_before_norms = true;
  // The first files have a number here, of which the code knows whether it is zero.
  const Key tuning = {"attn_temperature_tuning", ""};
  const bool grows = fields.truth(tuning, true);
  const double beta = fields.number({"attn_scale", ""}, 0, kScaleMax, 0.1);
  c.growth = {static_cast<float>(grows ? beta : 0),
              fields.integer({"floor_scale", ""}, 1, kContextMax, 8192), 1};
  fields.mark({"for_llm_compressor", ""});  // how another program lays out the experts
  c.rename = rename;
  return c;
}

}  // namespace

extern const Architecture kLlama4;
constexpr Architecture kLlama4 = {
    "llama4",
    {"llama4_text", "llama4"},
    {"Llama4ForCausalLM", "Llama4ForConditionalGeneration"},
    kDecoderDesign<read>,
    {
     {"tiny-llama4",
      R"({"hidden_size":128,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":64,"intermediate_size_mlp":160,
"vocab_size":331,"num_local_experts":4,"num_experts_per_tok":1,"interleave_moe_layer_step":2,
"no_rope_layer_interval":2,"attention_chunk_size":40,"floor_scale":16,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
