// Gemma (Gemma Team, 2024): a gated MLP of GELU, wide heads, an embedding that is scaled and the
// head as well. Gemma 2 (2024) and Gemma 3 (2025): norms before and after each block, windows on
// most layers and none on the others. Gemma 2 caps scores and logits; Gemma 3 norms its heads and
// turns windowed layers by a base of their own. Hugging Face files hold a norm's weight as its
// distance from 1. The rows are kGemma, kGemma2 and kGemma3; of a Gemma 3 that sees, this is the
// text model.
// Pure functions. Called by the registry.
#include <cmath>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// In what the generations differ before a file says anything.
struct GemmaTraits {
  bool has_head_norms = false;
  bool has_two_bases = false;
  float score_cap = 0, logit_cap = 0;
  double theta = 10000;
  int pattern = 2;       // every so many layers see all
  int window = 4096;
  int context_max = 8192;
  int layers_of_largest = 0;  // whose scores GGUF means to be divided by width / heads
};

// Files of the first releases leave out what is as it is in the library that wrote them.
DecoderSizes sizes_of(const GemmaTraits& traits) {
  return {.layers = 26, .d_model = 2304, .heads = 8, .kv_heads = 4, .head_dim = 256,
          .context = traits.context_max, .ffn = 9216};
}

// Null means no cap; a file that says nothing has its generation's.
float read_cap(const ConfigFields& fields, Key key, float fallback) {
  const bool is_null = !fields.is_gguf() && fields.has_name(key) && !fields.has(key);
  return static_cast<float>(fields.number(key, 0, 1e6, is_null ? 0 : double{fallback}));
}

void read_scores(const ConfigFields& fields, const GemmaTraits& traits, DecoderConfig& c) {
  c.score_cap = read_cap(fields, "attn_logit_softcapping", traits.score_cap);
  c.logit_cap = read_cap(fields, "final_logit_softcapping", traits.logit_cap);
  // GGUF does not say it: the largest model of a generation divides by the width of its heads as
  // they would be without a head_dim.
  double divisor = 256;
  if (fields.is_gguf()) {
    divisor = c.layers == traits.layers_of_largest ? static_cast<double>(c.d_model) / c.heads
                                                   : c.head_dim;
  }
  divisor = fields.number({"query_pre_attn_scalar", ""}, 1e-3, 1e9, divisor);
  c.score_scale = static_cast<float>(1 / std::sqrt(divisor));
}

void read_windows(const ConfigFields& fields, const GemmaTraits& traits, DecoderConfig& c) {
  const int window = fields.integer({"sliding_window", "attention.sliding_window"}, 1, kContextMax,
                                    traits.window);
  fields.refuse_unless({"sliding_window_size", ""}, window);
  const int pattern = fields.integer({"sliding_window_pattern", "attention.sliding_window_pattern"},
                                     1, kLayersMax, traits.pattern);
  for (int i = 0; i < c.layers; ++i) {
    c.windows[static_cast<std::size_t>(i)] = (i + 1) % pattern != 0 ? window : 0;
  }
  const Key key = {"layer_types", ""};
  const std::vector<std::string> types = fields.strings(key);
  if (types.empty()) return;
  if (types.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} types for {} layers",
                             fields.name_of(key), types.size(), c.layers));
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    c.windows[i] = types[i] == "sliding_attention" ? window : 0;
    if (c.windows[i] > 0 || types[i] == "full_attention") continue;
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: '{}' is not supported, only sliding_attention and full_attention",
                      fields.name_of(key), types[i].substr(0, 64)));
  }
}

template <GemmaTraits traits>
DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.sizes = sizes_of(traits), .eps = 1e-6,
                                                 .activation_name = "hidden_activation",
                                                 .activation = "gelu_pytorch_tanh",
                                                 .is_tied = true, .has_own_rope = true,
                                                 .has_own_biases = true});
  read_scores(fields, traits, c);
  read_windows(fields, traits, c);
  if (traits.has_two_bases) {
    read_two_ropes(fields, c.head_dim, traits.theta, c.rope, c.window_rope);
  } else {
    c.rope = c.window_rope = read_rope(fields, c.head_dim);
  }
  fields.mark({"hidden_act", ""});  // overruled by hidden_activation
  for (const char* name : {"attention_bias", "use_bidirectional_attention"}) {
    fields.refuse({name, ""});
  }
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  c.is_embedding_scale_rounded = true;
  c.has_norms_after = c.is_norm_offset = true;
  c.names.ffn_norm = "pre_feedforward_layernorm";
  if (traits.has_head_norms) c.head_norms = QueryNorms::kEach;
  return c;
}

DecoderConfig read_first(const ConfigFields& fields, int vocab) {
  constexpr DecoderSizes kSizes = {.layers = 28, .d_model = 3072, .heads = 16, .kv_heads = 16,
                                   .head_dim = 256, .context = 8192, .ffn = 24576};
  DecoderConfig c = read_decoder(fields, vocab, {.sizes = kSizes, .eps = 1e-6,
                                                 .activation_name = "hidden_activation",
                                                 .activation = "gelu_pytorch_tanh",
                                                 .is_tied = true, .has_own_biases = true});
  // "gelu", as the first files say, means its approximation too.
  const std::string activation = fields.string({"hidden_act", ""}, "gelu_pytorch_tanh");
  if (activation != "gelu") fields.refuse_unless({"hidden_act", ""}, "gelu_pytorch_tanh");
  for (const char* name : {"attention_bias", "use_bidirectional_attention"}) {
    fields.refuse({name, ""});
  }
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  c.is_embedding_scale_rounded = c.is_norm_offset = true;
  return c;
}

template <GemmaTraits traits>
constexpr auto kGemmaDesign = kDecoderDesign<read<traits>>;

constexpr GemmaTraits kOfGemma2 = {.score_cap = 50, .logit_cap = 30, .layers_of_largest = 46};
constexpr GemmaTraits kOfGemma3 = {.has_head_norms = true, .has_two_bases = true, .theta = 1e6,
                                   .pattern = 6, .context_max = 131072, .layers_of_largest = 62};

}  // namespace

extern const Architecture kGemma;
constexpr Architecture kGemma = {
    "gemma",
    {"gemma"},
    {},
    kDecoderDesign<read_first>,
    {
     {"tiny-gemma",
      R"({"hidden_size":72,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":1,"head_dim":24,"intermediate_size":136,"vocab_size":331,
"max_position_embeddings":2048})"},
    }};

extern const Architecture kGemma2;
constexpr Architecture kGemma2 = {
    "gemma2",
    {"gemma2"},
    {},
    kGemmaDesign<kOfGemma2>,
    {
     {"gemma2-2b",
      R"({"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,
"num_key_value_heads":4,"head_dim":256,"intermediate_size":9216,"vocab_size":256000,
"max_position_embeddings":8192,"sliding_window":4096})"},
     {"tiny-gemma2",
      R"({"hidden_size":72,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":24,"intermediate_size":136,"vocab_size":331,
"max_position_embeddings":2048,"sliding_window":40,"query_pre_attn_scalar":20,
"attn_logit_softcapping":3.0,"final_logit_softcapping":2.0})"},
    }};

extern const Architecture kGemma3;
constexpr Architecture kGemma3 = {
    "gemma3",
    {"gemma3_text", "gemma3"},
    {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"},
    kGemmaDesign<kOfGemma3>,
    {
     {"gemma3-1b",
      R"({"hidden_size":1152,"num_hidden_layers":26,"num_attention_heads":4,
"num_key_value_heads":1,"head_dim":256,"intermediate_size":6912,"vocab_size":262144,
"max_position_embeddings":32768,"sliding_window":512,"rope_theta":1000000})"},
     {"tiny-gemma3",
      R"({"hidden_size":128,"num_hidden_layers":6,"num_attention_heads":4,
"num_key_value_heads":1,"head_dim":32,"intermediate_size":256,"vocab_size":517,
"max_position_embeddings":2048,"sliding_window":40,"sliding_window_pattern":3,
"query_pre_attn_scalar":32,"rope_scaling":{"rope_type":"linear","factor":8}})"},
    }};

}  // namespace quire
