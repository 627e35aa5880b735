// Phi-3, 3.5 and 4 (Abdin et al., 2024): the Llama block with queries, keys and values in one
// matrix, gate and up in another, perhaps a window, a part of each head that turns (Phi-4-mini),
// and longrope. The row is kPhi3.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

constexpr int kTrainedContext = 4096;  // of the first files, which do not say it

// A window as long as the context is none.
void read_window(const ConfigFields& fields, DecoderConfig& c) {
  const int window = fields.integer({"sliding_window", "attention.sliding_window"}, 0, kContextMax,
                                    0);
  if (window > 0 && window < c.context_max) c.windows.assign(c.windows.size(), window);
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.sizes = {.ffn_widths = 4},
                                                 .rope = {.stated_context = kTrainedContext},
                                                 .is_tied = false, .has_own_biases = true});
  read_window(fields, c);
  for (const char* name : {"attention_bias", "mlp_bias", "lm_head_bias"}) fields.refuse({name, ""});
  // Phi-4-mini says these, which its code never reads: no layer differs from another.
  for (const char* name : {"full_attn_mod", "interpolate_factor"}) {
    fields.refuse_unless({name, ""}, 1);
  }
  fields.mark({"", "rope.scaling.original_context_length"});  // there without a scaling, too
  fuse_heads("self_attn.qkv_proj", c);
  fuse_gguf_heads(c);
  fuse_gate("mlp.gate_up_proj", c);
  c.names.implied = {"rope_factors_long.weight", "rope_factors_short.weight"};
  return c;
}

}  // namespace

extern const Architecture kPhi3;
constexpr Architecture kPhi3 = {
    "phi3",
    {"phi3"},
    {},
    kDecoderDesign<read>,
    {
     {"phi3-mini",
      R"({"hidden_size":3072,"num_hidden_layers":32,"num_attention_heads":32,
"intermediate_size":8192,"max_position_embeddings":4096,"sliding_window":2047,
"vocab_size":32064})"},
     // Heads of 48 values, three tiles of sixteen rows.
     {"tiny-phi3-heads",
      R"({"hidden_size":384,"num_hidden_layers":2,"num_attention_heads":8,"num_key_value_heads":8,
"intermediate_size":320,"max_position_embeddings":2048,"sliding_window":40,"vocab_size":331})"},
     {"tiny-phi3",
      R"({"hidden_size":96,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
"intermediate_size":152,"max_position_embeddings":2048,"sliding_window":40,"vocab_size":331})"},
    }};

}  // namespace quire
