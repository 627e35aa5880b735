// OLMo (Groeneveld et al., 2024): LayerNorms without weights, queries, keys and values that are
// clipped. OLMo 2 (2025) has RMS norms of what its blocks add, not of what they read, and of all
// queries and keys of a token together; OLMo 3 beside it windows on three layers of four, which
// alone are turned without scaling. OLMoE is OLMo with RMS norms, those of queries and keys, and
// experts. The rows are kOlmo, kOlmo2, kOlmo3 and kOlmoe.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

constexpr double kClipMax = 1e6;

float read_clip(const ConfigFields& fields) {
  return static_cast<float>(fields.number({"clip_qkv", "attention.clamp_kqv"}, 0, kClipMax, 0.0));
}

DecoderConfig read_olmo(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps_name = "", .norm = Norm::Kind::kLayer,
                                                 .is_woven_in_gguf = true});
  c.has_norm_weights = false;
  c.clip = read_clip(fields);
  return c;
}

DecoderConfig read_olmo2(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab);
  c.has_norms_before = false;
  c.has_norms_after = true;
  c.head_norms = QueryNorms::kWhole;
  if (fields.is_gguf()) read_layer_windows(fields, 0, c);  // of an OLMo 3
  // There the windows turn without the scaling.
  const Key local = {"", "rope.freq_base_swa"};
  const double theta = fields.number(local, kThetaMin, kThetaMax, double{c.rope.theta});
  c.window_rope = {.theta = static_cast<float>(theta), .dims = c.rope.dims};
  return c;
}

DecoderConfig read_olmo3(const ConfigFields& fields, int vocab) {
  const RopeDefaults rope = {.theta = 500000};
  DecoderConfig c = read_decoder(fields, vocab, {.rope = rope, .has_own_rope = true});
  c.has_norms_before = false;
  c.has_norms_after = true;
  c.head_norms = QueryNorms::kWhole;
  read_layer_windows(fields, 4, c);
  read_layer_ropes(fields, rope, c);
  return c;
}

DecoderConfig read_olmoe(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab);
  c.head_norms = QueryNorms::kWhole;
  c.clip = read_clip(fields);
  read_layer_experts(fields, "num_experts", "", c);
  c.router.is_renormalised = fields.boolean({"norm_topk_prob", ""}, false);
  return c;
}

}  // namespace

extern const Architecture kOlmo;
constexpr Architecture kOlmo = {
    "olmo",
    {"olmo"},
    {},
    kDecoderDesign<read_olmo>,
    {
     {"tiny-olmo",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"clip_qkv":1.5,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kOlmo2;
constexpr Architecture kOlmo2 = {
    "olmo2",
    {"olmo2"},
    {},
    kDecoderDesign<read_olmo2>,
    {
     {"tiny-olmo2",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kOlmo3;
constexpr Architecture kOlmo3 = {
    "olmo3",
    {"olmo3"},
    {},
    kDecoderDesign<read_olmo3>,
    {
     {"tiny-olmo3",
      R"({"hidden_size":128,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"sliding_window":40,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kOlmoe;
constexpr Architecture kOlmoe = {
    "olmoe",
    {"olmoe"},
    {},
    kDecoderDesign<read_olmoe>,
    {
     {"tiny-olmoe",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":4,"intermediate_size":64,"vocab_size":331,"num_experts":8,
"num_experts_per_tok":3,"max_position_embeddings":2048,"tie_word_embeddings":false,
"rope_theta":10000})"},
    }};

}  // namespace quire
