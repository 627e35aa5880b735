// Command-R (Cohere, 2024): attention and feed-forward block side by side behind one LayerNorm
// without bias, adjacent rotary pairs, scaled logits, and in the largest model a LayerNorm of each
// head with weights of its own. Cohere2 (Command-R7B, Command-A) has windows on three layers of
// four, and the others know no positions. The rows are kCohere and kCohere2.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

DecoderConfig read_any(const ConfigFields& fields, int vocab, double theta) {
  DecoderConfig c = read_decoder(fields, vocab,
                                 {.eps_name = "layer_norm_eps", .norm = Norm::Kind::kLayer,
                                  .rope = {.theta = theta}, .is_interleaved = true});
  c.is_parallel = true;
  c.logit_scale = read_scale(fields, "logit_scale", 0.0625);
  return c;
}

DecoderConfig read_cohere(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_any(fields, vocab, 500000);
  const bool has_norms = fields.boolean({"use_qk_norm", ""}, false) ||
                         fields.tensor({"", "blk.0.attn_q_norm.weight"}) != nullptr;
  if (has_norms) c.head_norms = QueryNorms::kOwn;
  return c;
}

// What the first files say of options that released models do not vary.
void check_fixed(const ConfigFields& fields) {
  for (const char* name :
       {"use_parallel_block", "use_gated_activation", "use_embedding_sharing"}) {
    if (fields.boolean({name, ""}, true)) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: false is not supported",
                      fields.name_of({name, ""})));
  }
  fields.refuse({"use_qk_norm", ""});
  fields.mark({"use_parallel_embedding", ""});  // how ranks share the table
  fields.refuse_unless({"rotary_pct", ""}, 1);
  fields.refuse_unless({"position_embedding_type", ""}, "rope_gptj");
  fields.refuse_unless({"order_of_interleaved_layers", ""}, "local_attn_first");
}

DecoderConfig read_cohere2(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_any(fields, vocab, 10000);
  check_fixed(fields);
  read_layer_windows(fields, fields.integer({"layer_switch", ""}, 1, kLayersMax, 4), c);
  for (std::size_t i = 0; i < c.turns.size(); ++i) c.turns[i] = c.windows[i] > 0;
  return c;
}

}  // namespace

extern const Architecture kCohere;
constexpr Architecture kCohere = {
    "cohere",
    {"cohere", "command-r"},
    {},
    kDecoderDesign<read_cohere>,
    {
     {"tiny-cohere",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"use_qk_norm":true,
"logit_scale":0.5,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rope_theta":10000})"},
    }};

extern const Architecture kCohere2;
constexpr Architecture kCohere2 = {
    "cohere2",
    {"cohere2"},
    {},
    kDecoderDesign<read_cohere2>,
    {
     {"tiny-cohere2",
      R"({"hidden_size":128,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"sliding_window":40,
"logit_scale":0.5,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rope_theta":10000})"},
    }};

}  // namespace quire
