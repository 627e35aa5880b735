// StarCoder2 (Lozhkov et al., 2024): LayerNorm, biases, a plain MLP, few key heads, rotary
// positions and a window. The row is kStarCoder2. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

PlainConfig read(const ConfigFields& fields, int vocab) {
  PlainConfig c =
      read_plain(fields, vocab, {.eps = {"norm_epsilon", "attention.layer_norm_epsilon"},
                                 .activation_default = "gelu_pytorch_tanh"});
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias =
      fields.is_gguf() ? fields.tensor({"", "blk.0.attn_q.bias"}) != nullptr
                       : fields.boolean({"use_bias", ""}, true);
  const Key window = {"sliding_window", "attention.sliding_window"};
  c.windows.assign(PlainConfig::size(c.layers), fields.integer(window, 0, kContextMax, 0));
  c.has_tied_head = read_tied(fields, true);
  fields.refuse_unless({"mlp_type", ""}, "default");
  fields.refuse_unless({"norm_type", ""}, "layer_norm");
  // An order of computation; and older words, beside which hidden_act and norm_epsilon decide.
  for (const char* name : {"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32",
                           "activation_function", "layer_norm_epsilon"}) {
    fields.mark({name, ""});
  }
  fields.refuse_false({"scale_attn_weights", ""});
  c.rope = read_rope(fields, c.head_dim);
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
  names.q = "self_attn.q_proj";
  names.k = "self_attn.k_proj";
  names.v = "self_attn.v_proj";
  names.o = "self_attn.o_proj";
  names.up = "mlp.c_fc";
  names.down = "mlp.c_proj";
  names.implied = {"*.rotary_emb.inv_freq"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kStarCoder2;
constexpr Architecture kStarCoder2 = {
    "starcoder2",
    {"starcoder2"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"starcoder2-3b",
      R"({"hidden_size":3072,"num_hidden_layers":30,"num_attention_heads":24,
"num_key_value_heads":2,"intermediate_size":12288,"max_position_embeddings":16384,
"sliding_window":4096,"vocab_size":49152})"},
     {"tiny-starcoder2",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"sliding_window":40,"vocab_size":331})"},
    }};

}  // namespace quire
