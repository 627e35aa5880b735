// Decoders that make one vector of a text, or score it: Qwen3-Embedding and its rerankers, and what
// else of the Llama family has pooling beside it or a head for labels on its last token; EuroBERT
// (Boizard et al., 2025), which is a Llama whose tokens see all others; and EmbeddingGemma (2025),
// a Gemma 3 whose tokens see all others, in most layers to each side of a window. Such a model
// generates nothing. The rows are kPooledLlama, kEuroBert and kPooledGemma; a file is theirs if it
// says that it was made to pool. Pure functions.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/encoder/encoder.h"
#include "model/encoder/pooled_config.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

void read_sizes(const ConfigFields& fields, EncoderConfig& c) {
  const Key heads = {"num_attention_heads", "attention.head_count"};
  c.norm = Norm::Kind::kRms;
  c.norms = EncoderConfig::Norms::kBefore;
  c.has_embed_norm = c.has_norm_bias = false;
  c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = false;
  c.has_final_norm = c.has_gate = true;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.heads = fields.integer(heads, 1, kHeadsMax);
  c.kv_heads =
      fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, c.heads);
  const Key head_dim = {"head_dim", "attention.key_length"};
  c.head_dim = fields.integer(head_dim, 2, kHeadDimMax, c.d_model / c.heads);
  if (!fields.has(head_dim)) check_width(fields, heads, c.heads, c.d_model);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.eps = static_cast<float>(
      fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
                    1e-6));
  fields.mark({"tie_word_embeddings", ""});  // of a head that guesses words, which is left out
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
}

// A head of labels on the last token, without a bias.
PooledConfig read_score(const ConfigFields& fields, const EncoderConfig& c, Pool fallback) {
  if (!is_classifier(fields)) return read_pooled(fields, fallback);
  PooledConfig pooled = read_classifier(
      fields, {.pool = Pool::kLast, .out_hf = "score", .has_out_bias = false}, c.d_model);
  if (!fields.is_gguf()) return pooled;
  // Rerankers of Qwen3 say "yes" or "no" next: the file has the head's rows of both words, and the
  // score is how much likelier the first is.
  const Key labels = {"", "classifier.output_labels"};
  if (fields.strings(labels) == std::vector<std::string>{"yes", "no"} && pooled.labels == 2) {
    pooled.labels = pooled.stages.back().rows = 1;
    pooled.stages.back().gguf =
        Stored("cls.output").rows(0, 2).converted(Convert::kFirstLessSecond);
  }
  return pooled;
}

EncoderNames names_of_llama() {
  EncoderNames n;
  n.prefixes = {"model.", ""};
  n.words = "embed_tokens";
  n.final_norm = "norm";
  n.layer = "layers.{}.";
  n.attn_before = "input_layernorm";
  n.q = "self_attn.q_proj";
  n.k = "self_attn.k_proj";
  n.v = "self_attn.v_proj";
  n.o = "self_attn.o_proj";
  n.q_norm = "self_attn.q_norm";
  n.k_norm = "self_attn.k_norm";
  n.ffn_before = "post_attention_layernorm";
  n.gate = "mlp.gate_proj";
  n.up = "mlp.up_proj";
  n.down = "mlp.down_proj";
  return n;
}

TensorRules tensors_of_llama(const EncoderConfig& c) {
  TensorRules t = encoder_tensors(c, {names_of_llama()});
  for (const char* name : {"lm_head.*", "output.weight", "rope_freqs.weight"}) t.ignore(name);
  return t;
}

// --- the Llama family ---

// "llama.pooling_type at offset 77": who named the keys of a GGUF.
bool is_called(const ConfigFields& fields, const char* type) {
  if (!fields.is_gguf()) return fields.string({"model_type", ""}, "qwen3") == type;
  return fields.name_of({"", "pooling_type"}).starts_with(std::string(type) + ".");
}

// A token sees so many before it, itself included.
void read_causal_window(const ConfigFields& fields, EncoderConfig& c) {
  const Key key = {"sliding_window", "attention.sliding_window"};
  fields.mark(key);
  fields.mark({"max_window_layers", ""});
  const bool has_switch = is_called(fields, "qwen2") || is_called(fields, "qwen3");
  const bool is_used = !has_switch || fields.boolean({"use_sliding_window", ""}, false);
  const int window = is_used ? fields.integer(key, 0, kContextMax, 0) : 0;
  if (has_switch && window > 0) fields.refuse({"use_sliding_window", ""});
  if (window > 1) c.windows.assign(static_cast<std::size_t>(c.layers), window - 1);
  if (window > 1 && !c.is_causal) {
    fields.fail(error(StatusCode::kUnsupported, "{}: a window of tokens that see all others",
                      fields.name_of(key)));
  }
  for (const std::string& type : fields.strings({"layer_types", ""})) {
    if (type == (window > 1 ? "sliding_attention" : "full_attention")) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported here",
                      fields.name_of({"layer_types", ""}), type.substr(0, 64)));
  }
}

EncoderConfig read_llama(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  c.vocab = vocab;
  c.is_causal = fields.boolean({"is_causal", ""}, true);  // false: its tokens see all others
  read_sizes(fields, c);
  c.has_head_norms = is_called(fields, "qwen3");
  c.activation =
      fields.is_gguf() ? Activation::kSilu : read_activation(fields, "hidden_act", "silu");
  const bool has_bias = fields.boolean({"attention_bias", ""}, false);
  c.has_qkv_bias = has_bias || is_called(fields, "qwen2");
  c.has_o_bias = has_bias;
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false);
  c.rope = read_rope(fields, c.head_dim);
  const bool is_woven =
      fields.is_gguf() && (is_called(fields, "llama") || is_called(fields, "mistral"));
  c.rope->pairing = is_woven ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  read_causal_window(fields, c);
  fields.refuse({"", "attention.causal"});
  c.pooled = read_score(fields, c, Pool::kLast);
  return c;
}

// --- EuroBERT ---

EncoderConfig read_eurobert(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  c.vocab = vocab;
  read_sizes(fields, c);
  c.activation = read_activation(fields, "hidden_act", "silu");
  c.has_qkv_bias = c.has_o_bias = fields.boolean({"attention_bias", ""}, false);
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false);
  c.rope = read_rope(fields, c.head_dim, {.theta = 250000});
  for (const char* name : {"bos_token", "eos_token", "pad_token", "mask_token", "mask_token_id"}) {
    fields.mark({name, ""});  // of the tokenizer
  }
  fields.refuse({"", "attention.causal"});
  const std::string way =
      fields.string({"classifier_pooling", ""}, fields.string({"clf_pooling", ""}, "late"));
  if (!is_classifier(fields)) {
    c.pooled = read_pooled(fields, Pool::kMean);
    return c;
  }
  if (fields.is_gguf()) {
    fields.fail(error(StatusCode::kUnsupported, "{}: rankers are not supported",
                      fields.name_of({"", "pooling_type"})));
  }
  if (way != "late" && way != "mean" && way != "bos") {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only late, mean, bos",
                      fields.name_of({"classifier_pooling", ""}), way.substr(0, 64)));
  }
  c.pooled = read_classifier(fields,
                             {.pool = way == "bos" ? Pool::kFirst : Pool::kMean,
                              .dense_hf = "dense", .activation = Activation::kGelu},
                             c.d_model);
  // The dense product is of every token; the mean of labels is the labels of the mean.
  if (way == "late") c.pooled.before = 1;
  return c;
}

// --- Gemma 3 ---

bool is_gemma_to_pool(const ConfigFields& fields) {
  return fields.boolean({"use_bidirectional_attention", ""}, false) || is_made_to_pool(fields);
}

// Where tokens see both sides, the window is to both.
void read_windows(const ConfigFields& fields, EncoderConfig& c) {
  const int window =
      fields.integer({"sliding_window", "attention.sliding_window"}, 2, kContextMax, 512);
  const int reach = c.is_causal ? window - 1 : window / 2;
  const int pattern = fields.integer({"sliding_window_pattern", "attention.sliding_window_pattern"},
                                     1, kLayersMax,
                                     fields.integer({"_sliding_window_pattern", ""}, 1, kLayersMax,
                                                    6));
  for (int i = 0; i < c.layers; ++i) c.windows.push_back((i + 1) % pattern != 0 ? reach : 0);
  const std::vector<std::string> types = fields.strings({"layer_types", ""});
  for (std::size_t i = 0; i < std::min(types.size(), c.windows.size()); ++i) {
    c.windows[i] = types[i] == "sliding_attention" ? reach : 0;
  }
}

void read_ropes(const ConfigFields& fields, EncoderConfig& c) {
  c.rope = c.window_rope = RopeConfig();
  c.rope->theta = 1e6f;
  const auto parameters = fields.object({"rope_parameters", ""});
  if (parameters) {
    if (const auto full = parameters->object("full_attention")) {
      read_rope_parameters(*full, c.head_dim, *c.rope);
    }
    if (const auto sliding = parameters->object("sliding_attention")) {
      read_rope_parameters(*sliding, c.head_dim, *c.window_rope);
    }
    return;
  }
  c.rope = read_rope(fields, c.head_dim, {.theta = 1e6});
  const Key local = {"rope_local_base_freq", "rope.freq_base_swa"};
  c.window_rope->theta = static_cast<float>(fields.number(local, kThetaMin, kThetaMax, 10000.0));
}

EncoderConfig read_gemma(const ConfigFields& fields, int vocab) {
  EncoderConfig c;
  c.vocab = vocab;
  read_sizes(fields, c);
  c.norms = EncoderConfig::Norms::kAround;
  c.has_head_norms = c.has_root_scale = c.is_norm_offset = true;
  c.is_causal =
      !fields.is_gguf() && !fields.boolean({"use_bidirectional_attention", ""}, false);
  fields.refuse({"", "attention.causal"});
  const double divisor =
      fields.number({"query_pre_attn_scalar", ""}, 1e-3, 1e9,
                    fields.is_gguf() ? double{1} * c.head_dim : 256.0);
  c.score_scale = static_cast<float>(1 / std::sqrt(divisor));
  fields.mark({"hidden_act", ""});  // overruled by the next
  c.activation = fields.is_gguf()
                     ? Activation::kGeluTanh
                     : read_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  read_windows(fields, c);
  read_ropes(fields, c);
  for (const char* name : {"attention_bias", "attn_logit_softcapping", "final_logit_softcapping"}) {
    fields.refuse({name, ""});
  }
  c.pooled = read_score(fields, c, c.is_causal ? Pool::kLast : Pool::kMean);
  return c;
}

TensorRules tensors_of_gemma(const EncoderConfig& c) {
  EncoderNames n = names_of_llama();
  n.attn_after = "post_attention_layernorm";
  n.ffn_before = "pre_feedforward_layernorm";
  n.ffn_after = "post_feedforward_layernorm";
  TensorRules t = encoder_tensors(c, {n});
  for (const char* name : {"lm_head.*", "output.weight"}) t.ignore(name);
  return t;
}

}  // namespace

extern const Architecture kPooledLlama;
constexpr Architecture kPooledLlama = {
    "pooled-llama",
    {"pooled-llama", "qwen3", "qwen2", "llama", "mistral"},
    {"Qwen3ForCausalLM", "Qwen3Model", "Qwen3ForSequenceClassification", "Qwen2ForCausalLM",
     "Qwen2Model", "Qwen2ForSequenceClassification", "LlamaForCausalLM", "LlamaModel",
     "LlamaForSequenceClassification", "MistralForCausalLM", "MistralModel",
     "MistralForSequenceClassification"},
    design_of<read_llama, tensors_of_llama, encoder_facts, Encoder>,
    {
     {"qwen3-embedding-0.6b",
      R"({"model_type":"qwen3","hidden_size":1024,"num_hidden_layers":28,"num_attention_heads":16,
"num_key_value_heads":8,"head_dim":128,"intermediate_size":3072,"vocab_size":151669,
"max_position_embeddings":32768,"rope_theta":1000000,"rms_norm_eps":1e-6})"},
     {"tiny-qwen3-embedding",
      R"({"model_type":"qwen3","hidden_size":72,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":24,"intermediate_size":136,"vocab_size":331,
"max_position_embeddings":512,"rope_theta":1000000,"rms_norm_eps":1e-6})"},
    },
    is_made_to_pool};

extern const Architecture kEuroBert;
constexpr Architecture kEuroBert = {
    "eurobert",
    {"eurobert"},
    {"EuroBertModel", "EuroBertForMaskedLM", "EuroBertForSequenceClassification"},
    design_of<read_eurobert, tensors_of_llama, encoder_facts, Encoder>,
    {
     {"eurobert-210m",
      R"({"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,
"intermediate_size":3072,"vocab_size":128256,"max_position_embeddings":8192,
"rms_norm_eps":1e-5})"},
     {"tiny-eurobert",
      R"({"architectures":["EuroBertForSequenceClassification"],"num_labels":3,"hidden_size":72,
"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,"intermediate_size":136,
"vocab_size":331,"max_position_embeddings":512,"rms_norm_eps":1e-5})"},
    }};

extern const Architecture kPooledGemma;
constexpr Architecture kPooledGemma = {
    "gemma-embedding",
    {"gemma-embedding", "gemma3_text"},
    {"Gemma3TextModel", "Gemma3ForCausalLM", "Gemma3TextForSequenceClassification"},
    design_of<read_gemma, tensors_of_gemma, encoder_facts, Encoder>,
    {
     {"embeddinggemma-300m",
      R"({"use_bidirectional_attention":true,"hidden_size":768,"num_hidden_layers":24,
"num_attention_heads":3,"num_key_value_heads":1,"head_dim":256,"intermediate_size":1152,
"vocab_size":262144,"max_position_embeddings":2048,"sliding_window":512})"},
     {"tiny-gemma-embedding",
      R"({"use_bidirectional_attention":true,"hidden_size":72,"num_hidden_layers":4,
"num_attention_heads":3,"num_key_value_heads":1,"head_dim":24,"intermediate_size":136,
"vocab_size":331,"max_position_embeddings":512,"sliding_window":24,"sliding_window_pattern":3})"},
    },
    is_gemma_to_pool};

}  // namespace quire
