// Nomic BERT (Nussbaum et al., "Nomic Embed", 2024): BERT with rotary positions, a gate and no
// biases but those of its norms. Published files speak GPT-2's words and the library's another
// language; both are read. Beyond the context that it was trained for its base would grow with the
// text: nobody is served there. The row is kNomicBert. Pure functions.
#include <algorithm>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr int kSegmentsMax = 64;

void read_sizes(const ConfigFields& fields, bool is_published, EncoderConfig& c) {
  const auto key = [&](const char* published, const char* library, const char* gguf) {
    return Key(is_published ? published : library, gguf);
  };
  const Key heads = key("n_head", "num_attention_heads", "attention.head_count");
  c.layers = fields.integer(key("n_layer", "num_hidden_layers", "block_count"), 1, kLayersMax);
  c.d_model = fields.integer(key("n_embd", "hidden_size", "embedding_length"), 1, kModelWidthMax);
  c.ffn = fields.integer(key("n_inner", "intermediate_size", "feed_forward_length"), 1, kFfnMax,
                         4 * c.d_model);
  c.heads = c.kv_heads = fields.integer(heads, 1, kHeadsMax);
  c.head_dim = c.d_model / c.heads;
  c.context_max = fields.integer(key("n_positions", "max_position_embeddings", "context_length"),
                                 1, kContextMax, 2048);
  const Key trained = {"max_trained_positions", ""};
  c.context_max = std::min(c.context_max, fields.integer(trained, 1, kContextMax, c.context_max));
  c.eps = static_cast<float>(fields.number(
      key("layer_norm_epsilon", "layer_norm_eps", "attention.layer_norm_epsilon"), kRmsEpsMin,
      kRmsEpsMax, 1e-12));
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim);
}

// What the code of published files can do beside this.
void check_features(const ConfigFields& fields) {
  for (const char* name : {"prenorm", "causal", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias",
                           "parallel_block", "parallel_block_tied_norm", "use_rms_norm",
                           "rotary_emb_interleaved", "rotary_emb_scale_base",
                           "scale_attn_by_inverse_layer_idx", "num_experts"}) {
    fields.refuse({name, ""});
  }
  fields.refuse({"", "attention.causal"});
  fields.refuse_unless({"rotary_emb_fraction", ""}, 1);
  fields.refuse_false({"scale_attn_weights", ""});
  // How it is computed; and how the base grows beyond the trained context.
  for (const char* name : {"fused_bias_fc", "fused_dropout_add_ln", "use_flash_attn",
                           "use_xentropy", "pad_vocab_size_multiple", "dense_seq_output",
                           "rotary_scaling_factor", "reorder_and_upcast_attn",
                           "tie_word_embeddings"}) {
    fields.mark({name, ""});
  }
}

EncoderConfig read(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  const bool is_published = fields.has({"n_embd", ""});
  c.vocab = vocab;
  read_sizes(fields, is_published, c);
  c.segments = fields.integer({"type_vocab_size", ""}, 1, kSegmentsMax, 2);
  if (const TensorView* table = fields.tensor({"", "token_types.weight"})) {
    c.segments = static_cast<int>(std::min<std::size_t>(table->shape.front(), kSegmentsMax));
  }
  c.has_gate = true;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = false;
  c.is_gguf_fused = true;
  c.activation = Activation::kSilu;
  if (is_published) {
    fields.refuse_unless({"activation_function", ""}, "swiglu");
    c.rope = RopeConfig();
    c.rope->theta =
        static_cast<float>(fields.number({"rotary_emb_base", ""}, kThetaMin, kThetaMax, 1000.0));
  } else {
    if (!fields.is_gguf()) c.activation = read_activation(fields, "hidden_act", "silu");
    fields.refuse_unless({"head_dim", "attention.key_length"}, c.head_dim);
    fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
    c.rope = read_rope(fields, c.head_dim, {.theta = 1000});
  }
  check_features(fields);
  c.pooled = is_classifier(fields)
                 ? read_classifier(fields, {.dense_hf = "nomic_bert.pooler.dense"}, c.d_model)
                 : read_pooled(fields, Pool::kMean);
  return c;
}

EncoderNames names_of_library() {
  EncoderNames n;
  n.prefixes = {"", "nomic_bert."};
  n.words = "embeddings.word_embeddings";
  n.segments = "embeddings.token_type_embeddings";
  n.embed_norm = "embeddings.LayerNorm";
  n.layer = "layers.{}.";
  n.q = "self_attn.q_proj";
  n.k = "self_attn.k_proj";
  n.v = "self_attn.v_proj";
  n.o = "self_attn.o_proj";
  n.attn_after = "post_attention_layernorm";
  n.gate = "mlp.gate_proj";
  n.up = "mlp.up_proj";
  n.down = "mlp.down_proj";
  n.ffn_after = "post_mlp_layernorm";
  return n;
}

EncoderNames names_of_published(const EncoderConfig& c) {
  EncoderNames n = names_of_library();
  n.prefixes = {"", "bert.", "nomic_bert."};
  n.embed_norm = "emb_ln";
  n.layer = "encoder.layers.{}.";
  set_fused_qkv(n, c, "attn.Wqkv");
  n.o = "attn.out_proj";
  n.attn_after = "norm1";
  n.gate = "mlp.fc12";
  n.up = "mlp.fc11";
  n.down = "mlp.fc2";
  n.ffn_after = "norm2";
  return n;
}

TensorRules tensors(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of_library(), names_of_published(c)});
  for (const char* name : {"pooler.*", "nomic_bert.pooler.*", "cls.*"}) t.ignore(name);
  return t;
}

}  // namespace

extern const Architecture kNomicBert;
constexpr Architecture kNomicBert = {
    "nomic-bert",
    {"nomic_bert", "nomic-bert"},
    {"NomicBertModel", "NomicBertForMaskedLM", "NomicBertForPreTraining",
     "NomicBertForSequenceClassification"},
    design_of<read, tensors, encoder_facts, Encoder>,
    {
     {"nomic-embed", R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"max_position_embeddings":2048,"vocab_size":30528})"},
     {"tiny-nomic-bert", R"({"hidden_size":72,"num_hidden_layers":2,"num_attention_heads":6,
"intermediate_size":136,"max_position_embeddings":512,"vocab_size":331})"},
    }};

}  // namespace quire
