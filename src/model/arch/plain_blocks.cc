// Decoders that are a Llama with another block or other biases. Seed-OSS (ByteDance, 2025): biases
// on queries, keys and values. Helium (Kyutai, 2025): adjacent rotary pairs. Arcee (2025): a block
// without a gate, of squared ReLUs, as Nemotron's (NVIDIA, 2024), which has LayerNorms whose
// weights are stored as their distance from 1, and turns half of each head. Apertus (Swiss AI,
// 2025): no gate either, xIELU, norms of the heads. The rows are kSeedOss, kHelium, kArcee,
// kNemotron and kApertus.
// Pure functions. Called by the registry.
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read_seed_oss(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .has_qkv_bias = true});
  const bool is_asked = fields.boolean({"attention_out_bias", ""}, false);
  c.has_o_bias = c.has_o_bias || is_asked;
  c.names.gguf_ffn_norm = "post_attention_norm";
  fields.mark({"residual_dropout", ""});  // of training
  return c;
}

DecoderConfig read_helium(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "Helium");
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-8, .is_interleaved = true});
  c.has_o_bias = false;
  return c;
}

DecoderConfig read_arcee(const ConfigFields& fields, int vocab) {
  DecoderConfig c =
      read_decoder(fields, vocab, {.activation = "relu2", .is_woven_in_gguf = true});
  c.is_gated = false;
  return c;
}

DecoderConfig read_nemotron(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab,
                                 {.eps_name = "norm_eps", .norm = Norm::Kind::kLayer,
                                  .activation = "relu2", .rope = {.partial = 0.5}});
  c.is_gated = false;
  c.has_norm_biases = c.is_norm_offset = true;
  return c;
}

// In GGUF the numbers of all layers are four lists.
void read_xielu(const ConfigFields& fields, DecoderConfig& c) {
  constexpr double kMax = 1e3;
  const auto list = [&](const char* name) {
    const Key key = {"", name};
    std::vector<double> values = fields.numbers(key, -kMax, kMax);
    if (values.size() != static_cast<std::size_t>(c.layers)) {
      fields.fail(error(StatusCode::kCorrupt, "{}: {} values for {} layers", fields.name_of(key),
                        values.size(), c.layers));
    }
    values.resize(static_cast<std::size_t>(c.layers));
    return values;
  };
  const auto positive = list("/xielu.alpha_p"), negative = list("/xielu.alpha_n");
  const auto beta = list("/xielu.beta"), floor = list("/xielu.eps");
  for (std::size_t i = 0; i < positive.size(); ++i) {
    c.xielu.push_back({static_cast<float>(positive[i]), static_cast<float>(negative[i]),
                       static_cast<float>(beta[i]), static_cast<float>(floor[i])});
  }
}

DecoderConfig read_apertus(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.rope = {.theta = 12e6}, .has_activation = false});
  fields.refuse_unless({"hidden_act", ""}, "xielu");
  fields.refuse_false({"qk_norm", ""});
  fields.refuse({"post_norm", ""});
  c.is_gated = false;
  c.has_xielu = true;
  if (fields.is_gguf()) read_xielu(fields, c);
  c.head_norms = QueryNorms::kEach;
  c.names.attn_norm = "attention_layernorm";
  c.names.ffn_norm = "feedforward_layernorm";
  return c;
}

}  // namespace

extern const Architecture kApertus;
constexpr Architecture kApertus = {
    "apertus",
    {"apertus"},
    {},
    kDecoderDesign<read_apertus>,
    {
     {"tiny-apertus",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"hidden_act":"xielu",
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kSeedOss;
constexpr Architecture kSeedOss = {
    "seed_oss",
    {"seed_oss"},
    {},
    kDecoderDesign<read_seed_oss>,
    {
     {"tiny-seed-oss",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kHelium;
constexpr Architecture kHelium = {
    "helium",
    {"helium"},
    {},
    kDecoderDesign<read_helium>,
    {
     {"tiny-helium",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kArcee;
constexpr Architecture kArcee = {
    "arcee",
    {"arcee"},
    {},
    kDecoderDesign<read_arcee>,
    {
     {"tiny-arcee",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kNemotron;
constexpr Architecture kNemotron = {
    "nemotron",
    {"nemotron"},
    {},
    kDecoderDesign<read_nemotron>,
    {
     {"tiny-nemotron",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
