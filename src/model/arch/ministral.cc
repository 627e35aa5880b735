// Ministral (Mistral AI, 2024): Mistral with a window on some layers only. Ministral 3 (2025): YaRN
// and scores that grow with the position of a query, without a window; GGUF calls it and Mistral 3
// (2025) mistral3. The rows are kMinistral and kMinistral3.
// Pure functions. Called by the registry.
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read_ministral(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "Ministral");
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6});
  // A file without a list of layers, and without a word of a window, has it on all of them.
  const Key window = {"sliding_window", ""};
  const bool is_said = fields.has_name(window);
  c.windows.assign(c.windows.size(),
                   fields.integer(window, 0, kContextMax, is_said ? 0 : 4096));
  if (fields.has({"layer_types", ""})) read_layer_windows(fields, 0, c);
  return c;
}

// The multiplier is config.json's mscale_all_dim, and mscale is 1.
void read_gguf_scaling(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kScaleMax = 1e3;
  const Key multiplier = {"", "rope.scaling.yarn_log_multiplier"};
  const double all = fields.number(multiplier, 0, kScaleMax, 0.0);
  const double more = 0.1 * std::log(c.rope.factor);
  if (all > 0) c.rope.magnitude = static_cast<float>((1 + more) / (1 + all * more));
  c.window_rope = c.rope;
  const Key grows = {"", "attention.temperature_scale"};
  c.growth.beta = static_cast<float>(fields.number(grows, 0, kScaleMax, 0.0));
  c.growth.every = std::max(1, static_cast<int>(c.rope.original_context));
  if (c.growth.beta == 0 || c.rope.original_context > 0) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: of no rope.scaling.original_context_length",
                    fields.name_of(grows)));
}

DecoderConfig read_ministral3(const ConfigFields& fields, int vocab) {
  DecoderConfig c =
      read_decoder(fields, vocab, {.rope = {.theta = 1e6}, .is_woven_in_gguf = true});
  c.windows.assign(c.windows.size(), fields.integer({"sliding_window", ""}, 0, kContextMax, 0));
  c.growth = read_score_growth(fields, c.context_max);
  if (fields.is_gguf()) read_gguf_scaling(fields, c);
  c.grows_turned = c.growth.beta > 0;
  return c;
}

}  // namespace

extern const Architecture kMinistral;
constexpr Architecture kMinistral = {
    "ministral",
    {"ministral"},
    {},
    kDecoderDesign<read_ministral>,
    {
     {"tiny-ministral",
      R"({"hidden_size":128,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"layer_types":["sliding_attention","full_attention","sliding_attention"],"sliding_window":40,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kMinistral3;
constexpr Architecture kMinistral3 = {
    "ministral3",
    {"ministral3", "mistral3"},
    {"Ministral3ForCausalLM", "Mistral3ForConditionalGeneration"},
    kDecoderDesign<read_ministral3>,
    {
     {"tiny-ministral3",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_parameters":{"type":"yarn",
"rope_theta":10000,"factor":16,"original_max_position_embeddings":128,"mscale":1.0,
"mscale_all_dim":1.0,"llama_4_scaling_beta":0.1}})"},
    }};

}  // namespace quire
