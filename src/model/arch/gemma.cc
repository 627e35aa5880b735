// Gemma 2 (Gemma Team, 2024) and Gemma 3 (2025): norms before and after each block, windows on most
// layers and none on the others, an embedding that is scaled, a gated MLP of GELU. Gemma 2 caps
// scores and logits; Gemma 3 norms its heads and turns windowed layers by a base of their own.
// Hugging Face files hold a norm's weight as its distance from 1. The rows are kGemma2 and kGemma3;
// of a Gemma 3 that sees, this is the text model. Pure functions, and a model that the thread of
// the device drives.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/caches.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

struct GemmaConfig {
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocab = 0;
  int context_max = 0;
  float rms_eps = 1e-6f;
  double score_divisor = 256;  // scores by 1 / sqrt of it
  float score_cap = 0;         // 0: none
  float logit_cap = 0;
  Activation activation = Activation::kGeluTanh;
  int window = 0;
  std::vector<int> windows;  // [layers] `window`, or 0: it sees all
  RopeConfig rope;           // of layers that see all
  RopeConfig window_rope;
  bool has_head_norms = false;
  bool has_tied_head = true;
};

// In what the generations differ before a file says anything.
struct GemmaTraits {
  bool has_head_norms = false;
  bool has_two_bases = false;
  float score_cap = 0, logit_cap = 0;
  double theta = 10000;
  int pattern = 2;       // every so many layers see all
  int window = 4096;
  int context_max = 8192;
  int layers_of_largest = 0;  // whose scores GGUF means to be divided by width / heads
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
};

Caches caches_of(const GemmaConfig& c) {
  GroupFacts like;
  like.heads = c.heads;
  like.kv_heads = c.kv_heads;
  like.k_width = like.v_width = c.head_dim;
  return divide_layers(c.windows, like);
}

class Gemma : public Model {
 public:
  Gemma(const GemmaConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      run_attention(layer.attention, program_, w_);
      run_mlp(layer.mlp, program_, w_);
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  Status load_stem(WeightLoader& loader, const Norm& rms);

  GemmaConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

// The embedding is multiplied by the root of the width as its own type holds that number.
float embedding_scale(int d_model, DType dtype) {
  const float root = std::sqrt(static_cast<float>(d_model));
  if (dtype == DType::kBF16) return bf16_to_float(float_to_bf16(root));
  if (dtype == DType::kF16) return half_to_float(float_to_half(root));
  return root;
}

Status Gemma::load_stem(WeightLoader& loader, const Norm& rms) {
  stem_.final_norm = rms;
  stem_.logit_cap = config_.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  stem_.embedding_scale = embedding_scale(config_.d_model, stem_.embedding.dtype);
  return ok_status();
}

Status Gemma::load(WeightLoader& loader) {
  const GemmaConfig& c = config_;
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  QUIRE_RETURN_IF_ERROR(load_stem(loader, rms));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const Rope window_rope = make_rope(c.window_rope, c.head_dim, options_.context_max, backend_);
  const Caches caches = caches_of(c);
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    AttentionLayer& attention = layer.attention;
    const auto at = static_cast<std::size_t>(i);
    attention.norm = layer.mlp.norm = attention.branch.norm = layer.mlp.branch.norm = rms;
    attention.q_rope = attention.k_rope = c.windows[at] > 0 ? window_rope : rope;
    attention.q_rope.norm = attention.k_rope.norm = rms;
    attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, caches.slots[at]);
    attention.attend.scale = static_cast<float>(1 / std::sqrt(c.score_divisor));
    attention.attend.softcap = c.score_cap;
    attention.attend.window = c.windows[at];
    layer.mlp.activation = c.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_branch = true, .ffn = c.ffn, .vocab = c.vocab});
  return ok_status();
}

// --- what the files say ---

// Files of the first releases leave out what is as it is in the library that wrote them.
void read_sizes(const ConfigFields& fields, const GemmaTraits& traits, GemmaConfig& c) {
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax, 26);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax, 2304);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax, 9216);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax, 8);
  c.kv_heads = fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, 4);
  c.head_dim = fields.integer({"head_dim", "attention.key_length"}, 2, kHeadDimMax, 256);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax,
                                 traits.context_max);
  c.rms_eps = static_cast<float>(
      fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
                    1e-6));
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
}

// Null means no cap; a file that says nothing has its generation's.
float read_cap(const ConfigFields& fields, Key key, float fallback) {
  const bool is_null = !fields.is_gguf() && fields.has_name(key) && !fields.has(key);
  return static_cast<float>(fields.number(key, 0, 1e6, is_null ? 0 : double{fallback}));
}

void read_scores(const ConfigFields& fields, const GemmaTraits& traits, GemmaConfig& c) {
  c.score_cap = read_cap(fields, "attn_logit_softcapping", traits.score_cap);
  c.logit_cap = read_cap(fields, "final_logit_softcapping", traits.logit_cap);
  // GGUF does not say it: the largest model of a generation divides by the width of its heads as
  // they would be without a head_dim.
  double divisor = 256;
  if (fields.is_gguf()) {
    divisor = c.layers == traits.layers_of_largest ? static_cast<double>(c.d_model) / c.heads
                                                   : c.head_dim;
  }
  c.score_divisor = fields.number({"query_pre_attn_scalar", ""}, 1e-3, 1e9, divisor);
}

void read_windows(const ConfigFields& fields, const GemmaTraits& traits, GemmaConfig& c) {
  c.window = fields.integer({"sliding_window", "attention.sliding_window"}, 1, kContextMax,
                            traits.window);
  const int pattern = fields.integer({"sliding_window_pattern", "attention.sliding_window_pattern"},
                                     1, kLayersMax, traits.pattern);
  for (int i = 0; i < c.layers; ++i) {
    c.windows.push_back((i + 1) % pattern != 0 ? c.window : 0);
  }
  const Key key = {"layer_types", ""};
  const std::vector<std::string> types = fields.strings(key);
  if (types.empty()) return;
  if (types.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} types for {} layers",
                             fields.name_of(key), types.size(), c.layers));
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    c.windows[i] = types[i] == "sliding_attention" ? c.window : 0;
    if (c.windows[i] > 0 || types[i] == "full_attention") continue;
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: '{}' is not supported, only sliding_attention and full_attention",
                      fields.name_of(key), types[i].substr(0, 64)));
  }
}

// transformers 5 has an object for each kind of layer, transformers 4 rope_theta and rope_scaling
// of those that see all beside rope_local_base_freq.
void read_ropes(const ConfigFields& fields, const GemmaTraits& traits, GemmaConfig& c) {
  c.rope.theta = static_cast<float>(traits.theta);
  if (!traits.has_two_bases) {
    c.rope = c.window_rope = read_rope(fields, c.head_dim);
    return;
  }
  const auto parameters = fields.object({"rope_parameters", ""});
  if (!parameters) {
    c.rope = read_rope(fields, c.head_dim, {.theta = traits.theta});
    const Key local = {"rope_local_base_freq", "rope.freq_base_swa"};
    c.window_rope.theta = static_cast<float>(fields.number(local, kThetaMin, kThetaMax, 10000.0));
    return;
  }
  for (const char* name : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    fields.mark({name, ""});  // the older spelling beside the newer one
  }
  if (const auto full = parameters->object("full_attention")) {
    read_rope_parameters(*full, c.head_dim, c.rope);
  }
  if (const auto sliding = parameters->object("sliding_attention")) {
    read_rope_parameters(*sliding, c.head_dim, c.window_rope);
  }
}

template <GemmaTraits traits>
GemmaConfig read(const ConfigFields& fields, int vocab) {
  GemmaConfig c;
  c.vocab = vocab;
  read_sizes(fields, traits, c);
  read_scores(fields, traits, c);
  read_windows(fields, traits, c);
  read_ropes(fields, traits, c);
  fields.mark({"hidden_act", ""});  // overruled by the next
  c.activation = read_activation(fields, "hidden_activation", "gelu_pytorch_tanh");
  for (const char* name : {"attention_bias", "use_bidirectional_attention"}) {
    fields.refuse({name, ""});
  }
  c.has_head_norms = traits.has_head_norms;
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, true);
  return c;
}

// --- tensors and facts ---

void add_layer(const GemmaConfig& c, int i, TensorRules& t) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto head = static_cast<std::size_t>(c.head_dim);
  const std::size_t q = static_cast<std::size_t>(c.heads) * head;
  const std::size_t kv = static_cast<std::size_t>(c.kv_heads) * head;
  const auto matrix = [&](const std::string& name, const std::string& gguf, const std::string& hf,
                          std::vector<std::size_t> shape) {
    t.add_layer(i, {"layers.{}." + name, "blk.{}." + gguf + ".weight",
                    "model.layers.{}." + hf + ".weight", std::move(shape)});
  };
  const auto norm = [&](const std::string& name, const std::string& gguf, const std::string& hf,
                        std::size_t width) {
    t.add_layer(i, {"layers.{}." + name, "blk.{}." + gguf + ".weight",
                    Stored("model.layers.{}." + hf + ".weight").converted(Convert::kPlusOne),
                    {width}, Role::kNorm});
  };
  norm("attn_norm", "attn_norm", "input_layernorm", d);
  matrix("q", "attn_q", "self_attn.q_proj", {q, d});
  matrix("k", "attn_k", "self_attn.k_proj", {kv, d});
  matrix("v", "attn_v", "self_attn.v_proj", {kv, d});
  matrix("o", "attn_output", "self_attn.o_proj", {d, q});
  if (c.has_head_norms) {
    norm("q_norm", "attn_q_norm", "self_attn.q_norm", head);
    norm("k_norm", "attn_k_norm", "self_attn.k_norm", head);
  }
  norm("attn_post_norm", "post_attention_norm", "post_attention_layernorm", d);
  norm("ffn_norm", "ffn_norm", "pre_feedforward_layernorm", d);
  matrix("gate", "ffn_gate", "mlp.gate_proj", {ffn, d});
  matrix("up", "ffn_up", "mlp.up_proj", {ffn, d});
  matrix("down", "ffn_down", "mlp.down_proj", {d, ffn});
  norm("ffn_post_norm", "post_ffw_norm", "post_feedforward_layernorm", d);
}

TensorRules tensors(const GemmaConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), vocab = static_cast<std::size_t>(c.vocab);
  TensorRules t;
  t.add({"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d}, Role::kTable});
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add({"final_norm", "output_norm.weight",
         Stored("model.norm.weight").converted(Convert::kPlusOne), {d}, Role::kNorm});
  for (int i = 0; i < c.layers; ++i) add_layer(c, i, t);
  t.ignore("*.rotary_emb.inv_freq");  // implied by the configuration
  return t;
}

ModelFacts facts(const GemmaConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = caches_of(c).groups;
  const auto whole = std::count(c.windows.begin(), c.windows.end(), 0);
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_head_norms ? ", with norms" : "")},
             {"rope", rope_text(c.rope)},
             {"window",
              fmt::format("{} in {} of {} layers", c.window, c.layers - whole, c.layers)}};
  if (c.has_head_norms) f.notes.emplace_back("window rope", rope_text(c.window_rope));
  if (c.score_cap > 0 || c.logit_cap > 0) {
    f.notes.emplace_back("caps", fmt::format("scores {}, logits {}", c.score_cap, c.logit_cap));
  }
  return f;
}

template <GemmaTraits traits>
constexpr auto kDesign = design_of<read<traits>, tensors, facts, Gemma>;

constexpr GemmaTraits kOfGemma2 = {.score_cap = 50, .logit_cap = 30, .layers_of_largest = 46};
constexpr GemmaTraits kOfGemma3 = {.has_head_norms = true, .has_two_bases = true, .theta = 1e6,
                                   .pattern = 6, .context_max = 131072, .layers_of_largest = 62};

}  // namespace

extern const Architecture kGemma2;
constexpr Architecture kGemma2 = {
    "gemma2",
    {"gemma2"},
    {},
    kDesign<kOfGemma2>,
    {
     {"gemma2-2b",
      R"({"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,
"num_key_value_heads":4,"head_dim":256,"intermediate_size":9216,"vocab_size":256000,
"max_position_embeddings":8192,"sliding_window":4096})"},
     {"tiny-gemma2",
      R"({"hidden_size":72,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":24,"intermediate_size":136,"vocab_size":331,
"max_position_embeddings":2048,"sliding_window":40,"query_pre_attn_scalar":20,
"attn_logit_softcapping":3.0,"final_logit_softcapping":2.0})"},
    }};

extern const Architecture kGemma3;
constexpr Architecture kGemma3 = {
    "gemma3",
    {"gemma3_text", "gemma3"},
    {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"},
    kDesign<kOfGemma3>,
    {
     {"gemma3-1b",
      R"({"hidden_size":1152,"num_hidden_layers":26,"num_attention_heads":4,
"num_key_value_heads":1,"head_dim":256,"intermediate_size":6912,"vocab_size":262144,
"max_position_embeddings":32768,"sliding_window":512,"rope_theta":1000000})"},
     {"tiny-gemma3",
      R"({"hidden_size":128,"num_hidden_layers":6,"num_attention_heads":4,
"num_key_value_heads":1,"head_dim":32,"intermediate_size":256,"vocab_size":517,
"max_position_embeddings":2048,"sliding_window":40,"sliding_window_pattern":3,
"query_pre_attn_scalar":32,"rope_scaling":{"rope_type":"linear","factor":8}})"},
    }};

}  // namespace quire
