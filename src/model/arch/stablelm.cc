// StableLM (Bellagente et al., "Stable LM 2", 2024): LayerNorm, a gated MLP and a part of each head
// that turns; the 1.6B has biases on queries, keys and values, the 12B norms of each head, whose
// LayerNorm has weights of its own, and attention and MLP side by side over one norm. The row is
// kStableLm. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

// GGUF has no words for what a model has: its tensors are there or not.
void read_variant(const ConfigFields& fields, PlainConfig& c) {
  const auto has = [&](const char* tensor) { return fields.tensor({"", tensor}) != nullptr; };
  const bool is_gguf = fields.is_gguf();
  c.has_qkv_bias = is_gguf ? has("blk.0.attn_q.bias") : fields.boolean({"use_qkv_bias", ""}, false);
  const bool has_norms =
      is_gguf ? has("blk.0.attn_q_norm.weight") : fields.boolean({"qk_layernorm", ""}, false);
  if (has_norms) c.head_norms = PlainConfig::HeadNorms::kEach;
  // The key of GGUF is true in every file.
  const bool is_said = fields.boolean("use_parallel_residual", false);
  const bool is_beside = is_gguf ? !has("blk.0.ffn_norm.weight") : is_said;
  if (is_beside) c.blocks = PlainConfig::Blocks::kBeside;
}

PlainConfig read(const ConfigFields& fields, int vocab) {
  // The first files had a name of their own for it.
  const double eps = fields.number({"norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-5);
  PlainConfig c =
      read_plain(fields, vocab, {.eps_default = eps, .activation_default = "silu"});
  c.has_gate = true;
  read_variant(fields, c);
  fields.refuse_unless({"rotary_scaling_factor", ""}, 1);
  c.has_tied_head = read_tied(fields, false);
  const RopeDefaults defaults = {.partial = fields.number({"rope_pct", ""}, 0, 1, 0.25)};
  c.rope = read_rope(fields, c.head_dim, defaults);
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
  names.q_norm = "self_attn.q_layernorm.norms.{e}";
  names.k_norm = "self_attn.k_layernorm.norms.{e}";
  names.o = "self_attn.o_proj";
  names.gate = "mlp.gate_proj";
  names.up = "mlp.up_proj";
  names.down = "mlp.down_proj";
  names.implied = {"*.rotary_emb.inv_freq"};
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kStableLm;
constexpr Architecture kStableLm = {
    "stablelm",
    {"stablelm", "stablelm_epoch"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"stablelm-3b",
      R"({"hidden_size":2560,"num_hidden_layers":32,"num_attention_heads":32,
"intermediate_size":6912,"max_position_embeddings":4096,"vocab_size":50304})"},
     {"tiny-stablelm",
      R"({"hidden_size":192,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"use_qkv_bias":true,"vocab_size":331})"},
     {"tiny-stablelm-head-norms",
      R"({"hidden_size":192,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"qk_layernorm":true,
"use_parallel_residual":true,"vocab_size":331})"},
    }};

}  // namespace quire
