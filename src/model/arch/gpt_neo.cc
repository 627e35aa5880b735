// GPT-Neo (Black et al., 2021): GPT-2 whose layers see all positions and the last few in turns, and
// whose scores are not scaled. Queries, keys and values have no biases. The row is kGptNeo.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/gpt2.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

// attention_types says the same packed, in lists of lists.
void read_windows(const ConfigFields& fields, DecoderConfig& c) {
  const Key key = {"attention_layers", ""};
  const int window = fields.integer({"window_size", ""}, 1, kContextMax, 256);
  fields.mark({"attention_types", ""});
  const std::vector<std::string> kinds = fields.strings(key);
  if (kinds.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of(key),
                             kinds.size(), c.layers));
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::string& kind = kinds[i];
    if (kind != "global" && kind != "local") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is neither 'global' nor 'local'",
                        fields.name_of(key), kind.substr(0, 64)));
    }
    c.windows[i] = kind == "local" ? window : 0;
  }
}


DecoderConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "gpt_neo");
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.layers = "num_layers",
                                                          .heads = "num_heads", .kv_heads = "",
                                                          .head_dim = ""},
                                                 .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation_function",
                                                 .activation = "gelu_new", .is_tied = true,
                                                 .has_rope = false, .has_own_biases = true});
  c.is_gated = false;
  c.position_offset = 0;
  c.score_scale = 1;
  c.has_norm_biases = c.has_o_bias = c.has_mlp_bias = true;
  read_windows(fields, c);
  set_gpt_names(c.names);
  c.names.prefix = "";
  c.names.q = "attn.attention.q_proj";
  c.names.k = "attn.attention.k_proj";
  c.names.v = "attn.attention.v_proj";
  c.names.o = "attn.attention.out_proj";
  c.names.implied = {"*.attn.attention.bias", "*.attn.attention.masked_bias"};  // masks
  return c;
}

}  // namespace

extern const Architecture kGptNeo;
constexpr Architecture kGptNeo = {
    "gpt_neo",
    {"gpt_neo"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-gpt-neo",
      R"({"hidden_size":96,"num_layers":3,"num_heads":6,"max_position_embeddings":2048,
"attention_layers":["global","local","global"],"window_size":40,"vocab_size":331})"},
    }};

}  // namespace quire
