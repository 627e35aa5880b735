// Ministral (Mistral AI, 2024): Mistral with a window on some layers only. Ministral 3 (2025): YaRN
// and scores that grow with the position of a query, without a window. The rows are kMinistral and
// kMinistral3.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read_ministral(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6});
  // A file without a list of layers, and without a word of a window, has it on all of them.
  const Key window = {"sliding_window", ""};
  const bool is_said = fields.has_name(window);
  c.windows.assign(c.windows.size(),
                   fields.integer(window, 0, kContextMax, is_said ? 0 : 4096));
  if (fields.has({"layer_types", ""})) read_layer_windows(fields, 0, c);
  return c;
}

DecoderConfig read_ministral3(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.theta = 1e6}});
  c.windows.assign(c.windows.size(), fields.integer({"sliding_window", ""}, 0, kContextMax, 0));
  c.growth = read_score_growth(fields, c.context_max);
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
    {"ministral3"},
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
