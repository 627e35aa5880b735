// MPT (MosaicML, 2023): linear biases (ALiBi) for positions, LayerNorm without biases and matrices
// without them, queries, keys and values in one matrix. Clipped queries (StoryWriter) are refused.
// The row is kMpt. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

constexpr double kBiasMax = 8;  // of the steepest head, as an exponent of two

void refuse_unless_true(const ConfigFields& fields, Key key) {
  if (!fields.boolean(key, true)) fields.refuse_unless(key, "true");
}

// The object attn_config; GGUF says what it needs beside the rest.
void read_attention(const ConfigFields& fields, PlainConfig& c) {
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

PlainConfig read(const ConfigFields& fields, int vocab) {
  PlainConfig c = read_plain(fields, vocab,
                             {.layers = "n_layers", .d_model = "d_model", .ffn = nullptr,
                              .heads = "n_heads", .kv_heads = nullptr, .context = "max_seq_len",
                              .eps = {"layer_norm_epsilon", "attention.layer_norm_epsilon"},
                              .activation = "", .activation_default = "gelu"});
  c.is_gguf_fused = true;
  c.has_norm_bias = false;
  c.has_tied_head = read_tied(fields, true);
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
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.table = "transformer.wte";
  names.final_norm = "transformer.norm_f";
  names.head = "lm_head";
  names.layer = "transformer.blocks.{}.";
  names.attn_norm = "norm_1";
  names.ffn_norm = "norm_2";
  set_fused(names, c, "attn.Wqkv");
  names.o = "attn.out_proj";
  names.up = "ffn.up_proj";
  names.down = "ffn.down_proj";
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kMpt;
constexpr Architecture kMpt = {
    "mpt",
    {"mpt"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"mpt-7b",
      R"({"d_model":4096,"n_layers":32,"n_heads":32,"max_seq_len":2048,"vocab_size":50432})"},
     {"tiny-mpt",
      R"({"d_model":96,"n_layers":2,"n_heads":6,"max_seq_len":2048,"vocab_size":331})"},
    }};

}  // namespace quire
