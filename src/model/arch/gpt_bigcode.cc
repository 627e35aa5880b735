// GPT-BigCode (Li et al., "StarCoder", 2023; SantaCoder, Granite's first code models): GPT-2 with
// one key head for all queries. Queries, keys and values are one matrix, woven head by head where
// each has keys of its own. The row is kGptBigCode.
// Pure functions. Called by the registry.
#include "model/arch/gpt2.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.keys = kGptKeys, .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation_function",
                                                 .activation = "gelu_pytorch_tanh",
                                                 .is_tied = true, .has_rope = false,
                                                 .has_own_biases = true});
  if (!fields.is_gguf() && fields.boolean({"multi_query", ""}, true)) c.kv_heads = 1;
  fields.refuse_unless({"num_key_value_heads", ""}, c.kv_heads);
  c.is_gated = false;
  c.has_norm_biases = c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  c.position_offset = 0;
  if (!fields.boolean({"scale_attn_weights", ""}, true)) c.score_scale = 1;
  fields.refuse({"add_cross_attention", ""});
  // How it was run: orders of computation, and sizes of buffers.
  for (const char* name :
       {"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "inference_runner",
        "runner_max_sequence_length", "validate_runner_input", "pre_allocate_kv_cache",
        "max_sequence_length", "max_batch_size", "pad_key_length", "n_ctx"}) {
    fields.mark({name, ""});
  }
  set_gpt_names(c.names);
  c.kv_heads == c.heads ? weave_heads("attn.c_attn", c) : fuse_heads("attn.c_attn", c);
  fuse_gguf_heads(c);
  return c;
}

}  // namespace

extern const Architecture kGptBigCode;
constexpr Architecture kGptBigCode = {
    "gpt_bigcode",
    {"gpt_bigcode", "starcoder"},
    {},
    kDecoderDesign<read>,
    {
     {"starcoderbase-1b",
      R"({"n_embd":2048,"n_layer":24,"n_head":16,"n_positions":8192,"vocab_size":49152})"},
     {"tiny-gpt-bigcode",
      R"({"n_embd":96,"n_layer":2,"n_head":6,"n_positions":2048,"vocab_size":331})"},
    }};

}  // namespace quire
