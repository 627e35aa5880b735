// GPT-BigCode (Li et al., "StarCoder", 2023; SantaCoder, Granite's first code models): GPT-2 with
// one key head for all queries. Queries, keys and values are one matrix, woven head by head where
// each has keys of its own. The row is kGptBigCode. Pure functions over PlainDecoder.
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

PlainConfig read(const ConfigFields& fields, int vocab) {
  PlainConfig c = read_plain(fields, vocab,
                             {.layers = "n_layer", .d_model = "n_embd", .ffn = "n_inner",
                              .heads = "n_head", .kv_heads = nullptr, .context = "n_positions",
                              .eps = {"layer_norm_epsilon", "attention.layer_norm_epsilon"},
                              .activation = "activation_function",
                              .activation_default = "gelu_pytorch_tanh"});
  if (!fields.is_gguf() && fields.boolean({"multi_query", ""}, true)) c.kv_heads = 1;
  fields.refuse_unless({"num_key_value_heads", ""}, c.kv_heads);
  c.is_gguf_fused = true;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
  c.position_offset = 0;
  if (!fields.boolean({"scale_attn_weights", ""}, true)) c.score_scale = 1;
  c.has_tied_head = read_tied(fields, true);
  fields.refuse({"add_cross_attention", ""});
  // How it was run: orders of computation, and sizes of buffers.
  for (const char* name :
       {"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "inference_runner",
        "runner_max_sequence_length", "validate_runner_input", "pre_allocate_kv_cache",
        "max_sequence_length", "max_batch_size", "pad_key_length", "n_ctx"}) {
    fields.mark({name, ""});
  }
  return c;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names;
  names.prefix = "transformer.";
  names.table = "transformer.wte";
  names.positions = "transformer.wpe";
  names.final_norm = "transformer.ln_f";
  names.head = "lm_head";
  names.layer = "transformer.h.{}.";
  names.attn_norm = "ln_1";
  names.ffn_norm = "ln_2";
  c.kv_heads == c.heads ? set_woven(names, c, "attn.c_attn") : set_fused(names, c, "attn.c_attn");
  names.o = "attn.c_proj";
  names.up = "mlp.c_fc";
  names.down = "mlp.c_proj";
  names.implied = {"*.attn.bias", "*.attn.masked_bias"};  // masks
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kGptBigCode;
constexpr Architecture kGptBigCode = {
    "gpt_bigcode",
    {"gpt_bigcode", "starcoder"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
    {
     {"starcoderbase-1b",
      R"({"n_embd":2048,"n_layer":24,"n_head":16,"n_positions":8192,"vocab_size":49152})"},
     {"tiny-gpt-bigcode",
      R"({"n_embd":96,"n_layer":2,"n_head":6,"n_positions":2048,"vocab_size":331})"},
    }};

}  // namespace quire
