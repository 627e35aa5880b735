// GPT-Neo (Black et al., 2021): GPT-2 whose layers see all positions and the last few in turns, and
// whose scores are not scaled. Queries, keys and values have no biases. The row is kGptNeo. Pure
// functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

// attention_types says the same packed, in lists of lists.
void read_windows(const ConfigFields& fields, PlainConfig& c) {
  const Key key = {"attention_layers", ""};
  const int window = fields.integer({"window_size", ""}, 1, kContextMax, 256);
  fields.mark({"attention_types", ""});
  const std::vector<std::string> kinds = fields.strings(key);
  if (kinds.size() != PlainConfig::size(c.layers)) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of(key),
                             kinds.size(), c.layers));
  }
  for (const std::string& kind : kinds) {
    if (kind != "global" && kind != "local") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is neither 'global' nor 'local'",
                        fields.name_of(key), kind.substr(0, 64)));
    }
    c.windows.push_back(kind == "local" ? window : 0);
  }
}

PlainConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "gpt_neo");
  PlainConfig c = read_plain(fields, vocab,
                             {.layers = "num_layers", .heads = "num_heads", .kv_heads = nullptr,
                              .eps = {"layer_norm_epsilon", ""},
                              .activation = "activation_function"});
  c.position_offset = 0;
  c.score_scale = 1;
  c.has_o_bias = c.has_mlp_bias = true;
  c.has_tied_head = read_tied(fields, true);
  read_windows(fields, c);
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.table = "transformer.wte";
  names.positions = "transformer.wpe";
  names.final_norm = "transformer.ln_f";
  names.head = "lm_head";
  names.layer = "transformer.h.{}.";
  names.attn_norm = "ln_1";
  names.ffn_norm = "ln_2";
  names.q = "attn.attention.q_proj";
  names.k = "attn.attention.k_proj";
  names.v = "attn.attention.v_proj";
  names.o = "attn.attention.out_proj";
  names.up = "mlp.c_fc";
  names.down = "mlp.c_proj";
  names.implied = {"*.attn.attention.bias", "*.attn.attention.masked_bias"};  // masks
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kGptNeo;
constexpr Architecture kGptNeo = {
    "gpt_neo",
    {"gpt_neo"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"tiny-gpt-neo",
      R"({"hidden_size":96,"num_layers":3,"num_heads":6,"max_position_embeddings":2048,
"attention_layers":["global","local","global"],"window_size":40,"vocab_size":331})"},
    }};

}  // namespace quire
