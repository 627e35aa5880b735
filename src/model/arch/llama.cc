#include "model/arch/llama.h"

#include "formats/config/config_ranges.h"
#include "formats/containers/llama2c.h"
#include "model/registry.h"

namespace quire {
namespace {

// A window for all layers; or, where a switch is on, for those from max_window_layers on; or as
// the list of layers says.
void read_windows(const ConfigFields& fields, const LlamaTraits& traits, DecoderConfig& c) {
  const Key key = {"sliding_window", "attention.sliding_window"};
  const bool has_switch = traits.has_window_switch && !fields.is_gguf();
  const bool is_used = !has_switch || fields.boolean({"use_sliding_window", ""}, false);
  fields.mark(key);
  // Null means none; a Mistral that says nothing at all has the window of the first one.
  const int fallback = fields.is_gguf() || fields.has_name(key) ? 0 : traits.window_default;
  const int window = is_used ? fields.integer(key, 0, kContextMax, fallback) : 0;
  const int first =
      fields.integer({"max_window_layers", ""}, 0, kLayersMax, has_switch ? c.layers : 0);
  for (int i = 0; i < c.layers; ++i) {
    c.windows[static_cast<std::size_t>(i)] = has_switch && i < first ? 0 : window;
  }
  const std::vector<std::string> types = fields.strings({"layer_types", ""});
  if (types.empty()) return;
  if (types.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}",
                             fields.name_of({"layer_types", ""}), types.size(), c.layers));
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool is_sliding = types[i] == "sliding_attention";
    if ((is_sliding && window == 0) || (!is_sliding && types[i] != "full_attention")) {
      return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                               fields.name_of({"layer_types", ""}), types[i].substr(0, 64),
                               window > 0 ? "sliding_attention' or 'full_attention"
                                          : "full_attention"));
    }
    c.windows[i] = is_sliding ? window : 0;
  }
}

// What released files of this name ask for and we do not compute.
void check_features(const ConfigFields& fields, const DecoderConfig& c) {
  for (const char* name : {"num_local_experts", "num_experts", "clip_qkv"}) {
    fields.refuse({name, ""});
  }
  if (c.rope.dims > 0) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} values of a head; only all are known",
                      fields.name_of({"partial_rotary_factor", "rope.dimension_count"}),
                      c.rope.dims, c.head_dim));
  }
  const std::string activation = fields.string({"hidden_act", ""}, "silu");
  if (activation == "silu" || activation == "swish") return;
  fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only silu",
                    fields.name_of({"hidden_act", ""}), activation.substr(0, 64)));
}

}  // namespace

DecoderConfig read_llama(const ConfigFields& fields, int vocab, const LlamaTraits& traits) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6,
                                                 .is_woven_in_gguf = traits.is_woven_in_gguf,
                                                 .has_qkv_bias = traits.has_qkv_bias,
                                                 .has_activation = false});
  if (traits.has_qkv_bias) {  // whatever a file says of attention_bias
    c.has_qkv_bias = true;
    c.has_o_bias = false;
  }
  if (traits.has_head_norms) c.head_norms = QueryNorms::kEach;
  read_windows(fields, traits, c);
  check_features(fields, c);
  return c;
}

namespace {

template <LlamaTraits traits>
DecoderConfig read(const ConfigFields& fields, int vocab) {
  return read_llama(fields, vocab, traits);
}

template <LlamaTraits traits>
constexpr auto kLlamaDesign = kDecoderDesign<read<traits>>;

constexpr LlamaTraits kOfLlama = {.is_woven_in_gguf = true};
constexpr LlamaTraits kOfMistral = {.is_woven_in_gguf = true, .window_default = 4096};
constexpr LlamaTraits kOfQwen2 = {.has_qkv_bias = true, .has_window_switch = true};
constexpr LlamaTraits kOfQwen3 = {.has_head_norms = true, .has_window_switch = true};

}  // namespace

// Of the random shapes the tiny ones are for tests: every type has whole blocks in "tiny" (d 256),
// none but the plain types has in "tiny-odd", and their vocabularies are no multiples of a tile.
extern const Architecture kLlama;
constexpr Architecture kLlama = {
    "llama",
    {"llama", kLlama2cArchitecture},
    {},
    kLlamaDesign<kOfLlama>,
    {
     {"llama-1b",
      R"({"hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":32,
"num_key_value_heads":8,"head_dim":64,"intermediate_size":8192,"vocab_size":32000,
"max_position_embeddings":8192,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"llama-8b",
      R"({"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
"num_key_value_heads":8,"head_dim":128,"intermediate_size":14336,
"vocab_size":128256,"max_position_embeddings":8192,"tie_word_embeddings":false,
"rope_theta":500000,"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"smollm2-135m",
      R"({"hidden_size":576,"num_hidden_layers":30,"num_attention_heads":9,
"num_key_value_heads":3,"head_dim":64,"intermediate_size":1536,"vocab_size":49152,
"max_position_embeddings":8192,"tie_word_embeddings":true,"rope_theta":100000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny-tied",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":4,"head_dim":64,"intermediate_size":256,"vocab_size":333,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny-odd",
      R"({"hidden_size":72,"num_hidden_layers":3,"num_attention_heads":9,
"num_key_value_heads":3,"head_dim":8,"intermediate_size":172,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
    }};

extern const Architecture kMistral;
constexpr Architecture kMistral = {
    "mistral",
    {"mistral"},
    {},
    kLlamaDesign<kOfMistral>,
    {
     {"tiny-mistral",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,
"num_key_value_heads":1,"head_dim":32,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"sliding_window":40,"rms_norm_eps":1e-5})"},
    }};

extern const Architecture kQwen2;
constexpr Architecture kQwen2 = {
    "qwen2",
    {"qwen2", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"},
    {},
    kLlamaDesign<kOfQwen2>,
    {
     {"qwen2-0.5b",
      R"({"hidden_size":896,"num_hidden_layers":24,"num_attention_heads":14,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":4864,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
     {"tiny-qwen2",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
    }};

extern const Architecture kQwen3;
constexpr Architecture kQwen3 = {
    "qwen3",
    {"qwen3", "qwen3_vl_text"},
    {},
    kLlamaDesign<kOfQwen3>,
    {
     {"qwen3-0.6b",
      R"({"hidden_size":1024,"num_hidden_layers":28,"num_attention_heads":16,
"num_key_value_heads":8,"head_dim":128,"intermediate_size":3072,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
     {"tiny-qwen3",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":128,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
