// StableLM (Bellagente et al., "Stable LM 2", 2024): LayerNorm, a gated MLP and a part of each head
// that turns; the 1.6B has biases on queries, keys and values, the 12B norms of each head, whose
// LayerNorm has weights of its own, and attention and MLP side by side over one norm. The row is
// kStableLm.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

// GGUF has no words for what a model has: its tensors are there or not.
void read_variant(const ConfigFields& fields, DecoderConfig& c) {
  const auto has = [&](const char* tensor) { return fields.tensor({"", tensor}) != nullptr; };
  const bool is_gguf = fields.is_gguf();
  c.has_qkv_bias = is_gguf ? has("blk.0.attn_q.bias") : fields.boolean({"use_qkv_bias", ""}, false);
  const bool has_norms =
      is_gguf ? has("blk.0.attn_q_norm.weight") : fields.boolean({"qk_layernorm", ""}, false);
  if (has_norms) c.head_norms = QueryNorms::kOwn;
  // The key of GGUF is true in every file.
  const bool is_said = fields.boolean("use_parallel_residual", false);
  c.is_parallel = is_gguf ? !has("blk.0.ffn_norm.weight") : is_said;
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  // The first files had names of their own for these.
  const double eps = fields.number({"norm_eps", ""}, kRmsEpsMin, kRmsEpsMax, 1e-5);
  const double partial = fields.number({"rope_pct", ""}, 0, 1, 0.25);
  DecoderConfig c = read_decoder(fields, vocab, {.keys = {.head_dim = ""},
                                                 .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_eps", .eps = eps,
                                                 .norm = Norm::Kind::kLayer,
                                                 .rope = {.partial = partial}, .is_tied = false,
                                                 .has_own_biases = true});
  c.has_norm_biases = true;
  read_variant(fields, c);
  fields.refuse_unless({"rotary_scaling_factor", ""}, 1);
  if (!fields.is_gguf()) {  // which has the norms of all heads in one tensor
    c.names.q_norm = "self_attn.q_layernorm.norms.{e}";
    c.names.k_norm = "self_attn.k_layernorm.norms.{e}";
  }
  return c;
}

}  // namespace

extern const Architecture kStableLm;
constexpr Architecture kStableLm = {
    "stablelm",
    {"stablelm", "stablelm_epoch"},
    {},
    kDecoderDesign<read>,
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
