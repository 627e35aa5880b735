// MPT (MosaicML, 2023): linear biases (ALiBi) for positions, LayerNorm without biases and matrices
// without them, queries, keys and values in one matrix. Clipped queries (StoryWriter) are refused.
// The row is kMpt.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

constexpr double kBiasMax = 8;  // of the steepest head, as an exponent of two

void refuse_unless_true(const ConfigFields& fields, Key key) {
  if (!fields.boolean(key, true)) fields.refuse_unless(key, "true");
}

// The object attn_config; GGUF says what it needs beside the rest.
void read_attention(const ConfigFields& fields, DecoderConfig& c) {
  double bias_max = fields.number({"", "attention.max_alibi_bias"}, 1, 64, kBiasMax);
  fields.refuse({"", "attention.clamp_kqv"});
  if (const auto attention = fields.object({"attn_config", ""})) {
    attention->refuse_unless("attn_type", "multihead_attention");
    refuse_unless_true(*attention, "alibi");
    bias_max = attention->number("alibi_bias_max", 1, 64, kBiasMax);
    c.score_scale = static_cast<float>(attention->number("softmax_scale", 1e-6, 1e6, 0.0));
    for (const char* name : {"clip_qkv", "prefix_lm", "qk_ln", "qk_gn", "rope"}) {
      attention->refuse(name);
    }
    attention->refuse_unless("kv_n_heads", c.heads);
    attention->refuse_unless("sliding_window_size", -1);
    // Who computes it; texts in one row, which only training has.
    for (const char* name : {"attn_impl", "attn_uses_sequence_id", "attn_pdrop"}) {
      attention->mark(name);
    }
  }
  c.slopes = alibi_slopes(c.heads, bias_max);
}


DecoderConfig read(const ConfigFields& fields, int vocab) {
  const DecoderKeys keys = {.layers = "n_layers", .d_model = "d_model", .ffn = "",
                            .heads = "n_heads", .kv_heads = "", .head_dim = "",
                            .context = "max_seq_len"};
  DecoderConfig c = read_decoder(fields, vocab, {.keys = keys, .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "", .activation = "gelu",
                                                 .is_tied = true, .has_rope = false,
                                                 .has_own_biases = true});
  c.is_gated = false;
  read_attention(fields, c);
  fields.refuse_unless({"expansion_ratio", ""}, 4);
  fields.refuse_unless({"norm_type", ""}, "low_precision_layernorm");
  refuse_unless_true(fields, {"no_bias", ""});
  fields.refuse({"logit_scale", ""});
  // Of training and of its tools; with linear biases no positions are learned.
  for (const char* name : {"learned_pos_emb", "embedding_fraction", "init_config", "init_device",
                           "resid_pdrop", "emb_pdrop", "verbose", "tokenizer_name"}) {
    fields.mark({name, ""});
  }
  c.names.table = "transformer.wte";
  c.names.final_norm = "transformer.norm_f";
  c.names.layer = "transformer.blocks.{}.";
  c.names.attn_norm = "norm_1";
  c.names.ffn_norm = "norm_2";
  c.names.o = "attn.out_proj";
  c.names.mlp_up = "ffn.up_proj";
  c.names.mlp_down = "ffn.down_proj";
  fuse_heads("attn.Wqkv", c);
  fuse_gguf_heads(c);
  return c;
}

}  // namespace

extern const Architecture kMpt;
constexpr Architecture kMpt = {
    "mpt",
    {"mpt"},
    {},
    kDecoderDesign<read>,
    {
     {"mpt-7b",
      R"({"d_model":4096,"n_layers":32,"n_heads":32,"max_seq_len":2048,"vocab_size":50432})"},
     {"tiny-mpt",
      R"({"d_model":96,"n_layers":2,"n_heads":6,"max_seq_len":2048,"vocab_size":331})"},
    }};

}  // namespace quire
