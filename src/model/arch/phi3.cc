// Phi-3, 3.5 and 4 (Abdin et al., 2024): the Llama block with queries, keys and values in one
// matrix, gate and up in another, perhaps a window, a part of each head that turns (Phi-4-mini),
// and longrope. The row is kPhi3. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

constexpr int kTrainedContext = 4096;  // of the first files, which do not say it

// A window as long as the context is none.
void read_window(const ConfigFields& fields, PlainConfig& c) {
  const int window = fields.integer({"sliding_window", "attention.sliding_window"}, 0, kContextMax,
                                    0);
  if (window > 0 && window < c.context_max) {
    c.windows.assign(PlainConfig::size(c.layers), window);
  }
}

PlainConfig read(const ConfigFields& fields, int vocab) {
  PlainConfig c =
      read_plain(fields, vocab, {.eps = {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
                                 .activation_default = "silu"});
  c.norm = Norm::Kind::kRms;
  c.has_norm_bias = false;
  c.has_gate = true;
  c.is_gguf_fused = true;
  read_window(fields, c);
  c.has_tied_head = read_tied(fields, false);
  for (const char* name : {"attention_bias", "mlp_bias", "lm_head_bias"}) fields.refuse({name, ""});
  // Phi-4-mini says these, which its code never reads: no layer differs from another.
  for (const char* name : {"full_attn_mod", "interpolate_factor"}) {
    fields.refuse_unless({name, ""}, 1);
  }
  fields.refuse_unless({"head_dim", ""}, c.head_dim);
  fields.mark({"", "rope.scaling.original_context_length"});  // there without a scaling, too
  c.rope = read_rope(fields, c.head_dim, {.stated_context = kTrainedContext});
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.table = "model.embed_tokens";
  names.final_norm = "model.norm";
  names.head = "lm_head";
  names.layer = "model.layers.{}.";
  names.attn_norm = "input_layernorm";
  names.ffn_norm = "post_attention_layernorm";
  set_fused(names, c, "self_attn.qkv_proj");
  names.o = "self_attn.o_proj";
  const auto ffn = PlainConfig::size(c.ffn);
  names.gate = Stored("mlp.gate_up_proj").rows(0, 2 * ffn);
  names.up = Stored("mlp.gate_up_proj").rows(ffn, 2 * ffn);
  names.down = "mlp.down_proj";
  names.implied = {"*.rotary_emb.inv_freq", "rope_factors_long.weight",
                   "rope_factors_short.weight"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kPhi3;
constexpr Architecture kPhi3 = {
    "phi3",
    {"phi3"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"phi3-mini",
      R"({"hidden_size":3072,"num_hidden_layers":32,"num_attention_heads":32,
"intermediate_size":8192,"max_position_embeddings":4096,"sliding_window":2047,
"vocab_size":32064})"},
     {"tiny-phi3",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"sliding_window":40,"vocab_size":331})"},
    }};

}  // namespace quire
