// OPT (Zhang et al., 2022; Galactica): learned positions, of which the first two rows are for no
// token, LayerNorm before each block, biases, ReLU. The 350M alone norms what a block leaves, and
// its embedding is narrower than the model. The row is kOpt. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

constexpr int kPositionOffset = 2;

PlainConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "opt");
  PlainConfig c = read_plain(fields, vocab,
                             {.ffn = "ffn_dim", .kv_heads = nullptr, .eps = {"", ""},
                              .activation = "activation_function",
                              .activation_default = "relu"});
  c.position_offset = kPositionOffset;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = fields.boolean({"enable_bias", ""}, true);
  const bool is_before = fields.boolean({"do_layer_norm_before", ""}, true);
  if (!is_before) c.blocks = PlainConfig::Blocks::kNormAfter;
  const int width =
      fields.integer({"word_embed_proj_dim", ""}, 1, kModelWidthMax, c.d_model);
  if (width != c.d_model) c.table_width = width;
  c.has_tied_head = read_tied(fields, true);
  // Without the norm before the head; without weights in any norm.
  if (is_before) fields.refuse({"_remove_final_layer_norm", ""});
  if (!fields.boolean({"layer_norm_elementwise_affine", ""}, true)) {
    fields.refuse_unless({"layer_norm_elementwise_affine", ""}, "true");
  }
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.prefix = "model.";
  names.table = "model.decoder.embed_tokens";
  names.positions = "model.decoder.embed_positions";
  names.final_norm = "model.decoder.final_layer_norm";
  names.head = "lm_head";
  names.layer = "model.decoder.layers.{}.";
  names.attn_norm = "self_attn_layer_norm";
  names.ffn_norm = "final_layer_norm";
  names.q = "self_attn.q_proj";
  names.k = "self_attn.k_proj";
  names.v = "self_attn.v_proj";
  names.o = "self_attn.out_proj";
  names.up = "fc1";
  names.down = "fc2";
  names.table_in = "model.decoder.project_in";
  names.table_out = "model.decoder.project_out";
  names.implied = {"*decoder.version"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kOpt;
constexpr Architecture kOpt = {
    "opt",
    {"opt"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"opt-1.3b",
      R"({"hidden_size":2048,"num_hidden_layers":24,"num_attention_heads":32,"ffn_dim":8192,
"max_position_embeddings":2048,"vocab_size":50272})"},
     {"tiny-opt",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"ffn_dim":152,
"max_position_embeddings":2048,"vocab_size":331})"},
     {"tiny-opt-350m",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"ffn_dim":152,
"max_position_embeddings":2048,"vocab_size":331,"word_embed_proj_dim":56,
"do_layer_norm_before":false})"},
    }};

}  // namespace quire
