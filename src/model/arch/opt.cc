// OPT (Zhang et al., 2022; Galactica): learned positions, of which the first two rows are for no
// token, LayerNorm before each block, biases, ReLU. The 350M alone norms what a block leaves, and
// its embedding is narrower than the model. The row is kOpt.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kPositionOffset = 2;

void set_names(DecoderConfig& c) {
  c.names.prefix = "model.";
  c.names.table = "model.decoder.embed_tokens";
  c.names.positions = "model.decoder.embed_positions";
  c.names.final_norm = "model.decoder.final_layer_norm";
  c.names.layer = "model.decoder.layers.{}.";
  c.names.attn_norm = "self_attn_layer_norm";
  c.names.ffn_norm = "final_layer_norm";
  c.names.o = "self_attn.out_proj";
  c.names.mlp_up = "fc1";
  c.names.mlp_down = "fc2";
  c.names.table_in = "model.decoder.project_in";
  c.names.table_out = "model.decoder.project_out";
  c.names.implied = {"*decoder.version"};
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "opt");
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.ffn = "ffn_dim", .kv_heads = "",
                                                          .head_dim = ""},
                                                 .sizes = {.ffn_widths = 4}, .eps_name = "",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation_function",
                                                 .activation = "relu", .is_tied = true,
                                                 .has_rope = false, .has_own_biases = true});
  c.is_gated = false;
  c.position_offset = kPositionOffset;
  c.has_norm_biases = true;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = fields.boolean({"enable_bias", ""}, true);
  c.has_norms_before = fields.boolean({"do_layer_norm_before", ""}, true);
  c.has_norms_of_sums = !c.has_norms_before;
  const int width =
      fields.integer({"word_embed_proj_dim", ""}, 1, kModelWidthMax, c.d_model);
  if (width != c.d_model) c.table_width = width;
  // Without the norm before the head; without weights in any norm.
  if (c.has_norms_before) fields.refuse({"_remove_final_layer_norm", ""});
  if (!fields.boolean({"layer_norm_elementwise_affine", ""}, true)) {
    fields.refuse_unless({"layer_norm_elementwise_affine", ""}, "true");
  }
  set_names(c);
  return c;
}

}  // namespace

extern const Architecture kOpt;
constexpr Architecture kOpt = {
    "opt",
    {"opt"},
    {},
    kDecoderDesign<read>,
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
