#include "model/arch/llama.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "formats/containers/llama2c.h"
#include "model/layers/attention.h"
#include "model/layers/caches.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;
};

class Llama : public Model {
 public:
  Llama(const LlamaConfig& config, Backend& backend, const ModelOptions& options)
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
  LlamaConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Caches caches_of(const LlamaConfig& c) {
  GroupFacts like;
  like.heads = c.heads;
  like.kv_heads = c.kv_heads;
  like.k_width = like.v_width = c.head_dim;
  return divide_layers(c.windows, like);
}

Status Llama::load(WeightLoader& loader) {
  const LlamaConfig& c = config_;
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  stem_.final_norm = rms;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const Caches caches = caches_of(c);
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    AttentionLayer& attention = layer.attention;
    attention.norm = layer.mlp.norm = rms;
    attention.q_rope = attention.k_rope = rope;
    attention.q_rope.norm = attention.k_rope.norm = rms;
    const auto at = static_cast<std::size_t>(i);
    attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, caches.slots[at]);
    attention.attend.window = c.windows[at];
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .ffn = c.ffn, .vocab = c.vocab});
  return ok_status();
}

// --- what the files say ---

void read_sizes(const ConfigFields& fields, LlamaConfig& c) {
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.kv_heads =
      fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, c.heads);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.rms_eps = static_cast<float>(fields.number(
      {"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax));
  const Key head_dim = {"head_dim", "attention.key_length"};
  c.head_dim = fields.integer(head_dim, 2, kHeadDimMax, c.d_model / c.heads);
  if (!fields.has(head_dim)) {
    check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  }
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
}

// A window for all layers; or, where a switch is on, for those from max_window_layers on; or as
// the list of layers says.
void read_windows(const ConfigFields& fields, const LlamaTraits& traits, LlamaConfig& c) {
  const Key key = {"sliding_window", "attention.sliding_window"};
  const bool has_switch = traits.has_window_switch && !fields.is_gguf();
  const bool is_used = !has_switch || fields.boolean({"use_sliding_window", ""}, false);
  fields.mark(key);
  // Null means none; a Mistral that says nothing at all has the window of the first one.
  const int fallback = fields.is_gguf() || fields.has_name(key) ? 0 : traits.window_default;
  const int window = is_used ? fields.integer(key, 0, kContextMax, fallback) : 0;
  const int first =
      fields.integer({"max_window_layers", ""}, 0, kLayersMax, has_switch ? c.layers : 0);
  for (int i = 0; i < c.layers; ++i) {
    c.windows.push_back(has_switch && i < first ? 0 : window);
  }
  const std::vector<std::string> types = fields.strings({"layer_types", ""});
  if (types.empty()) return;
  if (types.size() != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}",
                             fields.name_of({"layer_types", ""}), types.size(), c.layers));
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool is_sliding = types[i] == "sliding_attention";
    if ((is_sliding && window == 0) || (!is_sliding && types[i] != "full_attention")) {
      return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                               fields.name_of({"layer_types", ""}), types[i].substr(0, 64),
                               window > 0 ? "sliding_attention' or 'full_attention"
                                          : "full_attention"));
    }
    c.windows[i] = is_sliding ? window : 0;
  }
}

// What released files of this name ask for and we do not compute.
void check_features(const ConfigFields& fields) {
  for (const char* name : {"num_local_experts", "num_experts", "clip_qkv"}) {
    fields.refuse({name, ""});
  }
  const std::string activation = fields.string({"hidden_act", ""}, "silu");
  if (activation == "silu" || activation == "swish") return;
  fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only silu",
                    fields.name_of({"hidden_act", ""}), activation.substr(0, 64)));
}

void read_biases(const ConfigFields& fields, const LlamaTraits& traits, LlamaConfig& c) {
  const bool is_asked =
      !traits.has_qkv_bias && fields.boolean({"attention_bias", ""}, false);
  if (traits.has_qkv_bias) fields.mark({"attention_bias", ""});
  c.has_qkv_bias =
      traits.has_qkv_bias || is_asked || fields.tensor({"", "blk.0.attn_q.bias"}) != nullptr;
  c.has_o_bias = is_asked || fields.tensor({"", "blk.0.attn_output.bias"}) != nullptr;
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false) ||
                   fields.tensor({"", "blk.0.ffn_gate.bias"}) != nullptr;
}

}  // namespace

int LlamaConfig::window() const {
  return windows.empty() ? 0 : *std::max_element(windows.begin(), windows.end());
}

LlamaConfig read_llama(const ConfigFields& fields, int vocab, const LlamaTraits& traits) {
  LlamaConfig c;
  c.vocab = vocab;
  read_sizes(fields, c);
  c.rope = read_rope(fields, c.head_dim);
  if (c.rope.dims > 0) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} values of a head; only all are known",
                      fields.name_of({"partial_rotary_factor", "rope.dimension_count"}),
                      c.rope.dims, c.head_dim));
  }
  const bool is_woven = fields.naming() != Naming::kHuggingFace && traits.is_woven_in_gguf;
  c.rope.pairing = is_woven ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  c.context_max = std::max(c.context_max, c.rope.context());
  read_windows(fields, traits, c);
  check_features(fields);
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, !has_head);
  read_biases(fields, traits, c);
  c.has_head_norms = traits.has_head_norms;
  return c;
}

namespace {

// --- tensors and facts ---

TensorRules tensors(const LlamaConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto vocab = static_cast<std::size_t>(c.vocab);
  const auto head = static_cast<std::size_t>(c.head_dim);
  const std::size_t q = c.heads * head, kv = c.kv_heads * head;
  TensorRules t;
  TensorRule embed = {"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d},
                      Role::kTable};
  if (c.has_tied_head) {  // a tied model may store its one matrix under either name, or both
    embed.others = {"lm_head.weight"};
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add(std::move(embed));
  t.add({"final_norm", "output_norm.weight", "model.norm.weight", {d}, Role::kNorm});
  for (int i = 0; i < c.layers; ++i) {
    const auto add = [&](const std::string& name, const std::string& gguf, const std::string& hf,
                         std::vector<std::size_t> shape, Role role = Role::kMatrix) {
      t.add_layer(i, {"layers.{}." + name, "blk.{}." + gguf, "model.layers.{}." + hf,
                      std::move(shape), role});
    };
    add("attn_norm", "attn_norm.weight", "input_layernorm.weight", {d}, Role::kNorm);
    add("q", "attn_q.weight", "self_attn.q_proj.weight", {q, d});
    add("k", "attn_k.weight", "self_attn.k_proj.weight", {kv, d});
    add("v", "attn_v.weight", "self_attn.v_proj.weight", {kv, d});
    add("o", "attn_output.weight", "self_attn.o_proj.weight", {d, q});
    if (c.has_qkv_bias) {
      add("q_bias", "attn_q.bias", "self_attn.q_proj.bias", {q}, Role::kBias);
      add("k_bias", "attn_k.bias", "self_attn.k_proj.bias", {kv}, Role::kBias);
      add("v_bias", "attn_v.bias", "self_attn.v_proj.bias", {kv}, Role::kBias);
    }
    if (c.has_o_bias) {
      add("o_bias", "attn_output.bias", "self_attn.o_proj.bias", {d}, Role::kBias);
    }
    if (c.has_head_norms) {
      add("q_norm", "attn_q_norm.weight", "self_attn.q_norm.weight", {head}, Role::kNorm);
      add("k_norm", "attn_k_norm.weight", "self_attn.k_norm.weight", {head}, Role::kNorm);
    }
    add("ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", {d}, Role::kNorm);
    add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {ffn, d});
    add("up", "ffn_up.weight", "mlp.up_proj.weight", {ffn, d});
    add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, ffn});
    if (!c.has_mlp_bias) continue;
    add("gate_bias", "ffn_gate.bias", "mlp.gate_proj.bias", {ffn}, Role::kBias);
    add("up_bias", "ffn_up.bias", "mlp.up_proj.bias", {ffn}, Role::kBias);
    add("down_bias", "ffn_down.bias", "mlp.down_proj.bias", {d}, Role::kBias);
  }
  t.ignore("rope_freqs.weight");       // read with the rotation
  t.ignore("*.rotary_emb.inv_freq");   // implied by it
  return t;
}

ModelFacts facts(const LlamaConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = caches_of(c).groups;
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}{}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_qkv_bias ? ", with biases" : "",
                                   c.has_head_norms ? ", with norms" : "")},
             {"rope", rope_text(c.rope)}};
  if (c.window() > 0) {
    const auto count = std::count_if(c.windows.begin(), c.windows.end(),
                                     [](int window) { return window > 0; });
    f.notes.emplace_back("window", fmt::format("{} in {} of {} layers", c.window(), count,
                                               c.layers));
  }
  return f;
}

// --- the rows ---

template <LlamaTraits traits>
LlamaConfig read(const ConfigFields& fields, int vocab) {
  return read_llama(fields, vocab, traits);
}

template <LlamaTraits traits>
constexpr auto kDesign = design_of<read<traits>, tensors, facts, Llama>;

constexpr LlamaTraits kOfLlama = {.is_woven_in_gguf = true};
constexpr LlamaTraits kOfMistral = {.is_woven_in_gguf = true, .window_default = 4096};
constexpr LlamaTraits kOfQwen2 = {.has_qkv_bias = true, .has_window_switch = true};
constexpr LlamaTraits kOfQwen3 = {.has_head_norms = true, .has_window_switch = true};

}  // namespace

// Of the random shapes the tiny ones are for tests: every type has whole blocks in "tiny" (d 256),
// none but the plain types has in "tiny-odd", and their vocabularies are no multiples of a tile.
extern const Architecture kLlama;
constexpr Architecture kLlama = {
    "llama",
    {"llama", kLlama2cArchitecture},
    {},
    kDesign<kOfLlama>,
    {
     {"llama-1b",
      R"({"hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":32,
"num_key_value_heads":8,"head_dim":64,"intermediate_size":8192,"vocab_size":32000,
"max_position_embeddings":8192,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"llama-8b",
      R"({"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
"num_key_value_heads":8,"head_dim":128,"intermediate_size":14336,
"vocab_size":128256,"max_position_embeddings":8192,"tie_word_embeddings":false,
"rope_theta":500000,"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"smollm2-135m",
      R"({"hidden_size":576,"num_hidden_layers":30,"num_attention_heads":9,
"num_key_value_heads":3,"head_dim":64,"intermediate_size":1536,"vocab_size":49152,
"max_position_embeddings":8192,"tie_word_embeddings":true,"rope_theta":100000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny-tied",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":4,"head_dim":64,"intermediate_size":256,"vocab_size":333,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
     {"tiny-odd",
      R"({"hidden_size":72,"num_hidden_layers":3,"num_attention_heads":9,
"num_key_value_heads":3,"head_dim":8,"intermediate_size":172,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"rms_norm_eps":1e-5})",
      Naming::kLlama2c},
    }};

extern const Architecture kMistral;
constexpr Architecture kMistral = {
    "mistral",
    {"mistral"},
    {},
    kDesign<kOfMistral>,
    {
     {"tiny-mistral",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,
"num_key_value_heads":1,"head_dim":32,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000,
"sliding_window":40,"rms_norm_eps":1e-5})"},
    }};

extern const Architecture kQwen2;
constexpr Architecture kQwen2 = {
    "qwen2",
    {"qwen2"},
    {},
    kDesign<kOfQwen2>,
    {
     {"qwen2-0.5b",
      R"({"hidden_size":896,"num_hidden_layers":24,"num_attention_heads":14,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":4864,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
     {"tiny-qwen2",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
    }};

extern const Architecture kQwen3;
constexpr Architecture kQwen3 = {
    "qwen3",
    {"qwen3"},
    {},
    kDesign<kOfQwen3>,
    {
     {"qwen3-0.6b",
      R"({"hidden_size":1024,"num_hidden_layers":28,"num_attention_heads":16,
"num_key_value_heads":8,"head_dim":128,"intermediate_size":3072,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
     {"tiny-qwen3",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":128,"intermediate_size":512,"vocab_size":517,
"max_position_embeddings":2048,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
