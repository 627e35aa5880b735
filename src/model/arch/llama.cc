#include "model/arch/llama.h"

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "formats/llama2c.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Layer {
  std::vector<float> attention_norm;  // [d_model]
  AttentionLayer attention;
  std::vector<float> mlp_norm;        // [d_model]
  MlpLayer mlp;
};

class Llama : public Model {
 public:
  Llama(const LlamaConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config),
        options_(options),
        backend_(backend),
        rope_table_(make_rope_table(config.rope, config.head_dim, options.context_max)) {}

  Status load(WeightLoader& loader);

  KvShape kv_shape() const override {
    return {config_.layers, config_.kv_heads, config_.head_dim, 0, DType::kF16};
  }
  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  void forward(const BatchView& batch, KvStore& kv, float* logits) override;

 private:
  void size_workspace();

  LlamaConfig config_;
  ModelOptions options_;
  Backend& backend_;
  RopeTable rope_table_;
  Weight embedding_;                // [vocab, d_model]
  std::vector<Layer> layers_;
  std::vector<float> final_norm_;   // [d_model]
  Weight head_;                     // [vocab, d_model]; the embedding itself when tied
  std::size_t weight_bytes_ = 0;
  Workspace w_;
};

Status Llama::load(WeightLoader& loader) {
  QUIRE_ASSIGN_OR_RETURN(
      embedding_, config_.has_tied_head ? loader.matrix("embed") : loader.table("embed"));
  for (int i = 0; i < config_.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer layer;
    QUIRE_ASSIGN_OR_RETURN(layer.attention_norm, loader.vector(prefix + "attn_norm"));
    QUIRE_ASSIGN_OR_RETURN(layer.attention, load_attention(loader, prefix));
    QUIRE_ASSIGN_OR_RETURN(layer.mlp_norm, loader.vector(prefix + "ffn_norm"));
    QUIRE_ASSIGN_OR_RETURN(layer.mlp, load_mlp(loader, prefix));
    layers_.push_back(std::move(layer));
  }
  QUIRE_ASSIGN_OR_RETURN(final_norm_, loader.vector("final_norm"));
  if (config_.has_tied_head) {
    head_ = embedding_;
    weight_bytes_ = loader.bytes();
  } else {
    QUIRE_ASSIGN_OR_RETURN(head_, loader.matrix("head"));
    weight_bytes_ = loader.bytes() - embedding_.bytes;  // a step gathers a few rows of it only
  }
  size_workspace();
  return ok_status();
}

void Llama::size_workspace() {
  const std::size_t tokens = options_.tokens_max;
  const int q_width = config_.heads * config_.head_dim;
  const int kv_width = config_.kv_heads * config_.head_dim;
  w_.residual = AlignedBuffer<float>(tokens * config_.d_model);
  w_.qkv = AlignedBuffer<float>(tokens * (q_width + 2 * kv_width));
  w_.gate_up = AlignedBuffer<float>(tokens * 2 * config_.ffn);
  std::vector<const Weight*> normed, attended, gated;
  for (const Layer& layer : layers_) {
    normed.insert(normed.end(), {&layer.attention.q, &layer.attention.k, &layer.attention.v,
                                 &layer.mlp.gate, &layer.mlp.up});
    attended.push_back(&layer.attention.o);
    gated.push_back(&layer.mlp.down);
  }
  const Weight* head = &head_;
  w_.normed = backend_.activations(options_.tokens_max, normed);
  w_.attended = backend_.activations(options_.tokens_max, attended);
  w_.gated = backend_.activations(options_.tokens_max, gated);
  w_.last = backend_.activations(options_.logits_rows_max, {&head, 1});
}

void Llama::forward(const BatchView& batch, KvStore& kv, float* logits) {
  const int tokens = batch.tokens();
  const AttentionShape shape = {config_.heads, config_.kv_heads, config_.head_dim,
                                1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
                                config_.sliding_window};
  RopeSpec rope;
  rope.pairing = config_.rope.pairing == RopePairs::kAdjacent ? RopePairing::kAdjacent
                                                              : RopePairing::kHalfSplit;
  rope.cosines = rope_table_.cosines.data();
  rope.sines = rope_table_.sines.data();
  rope.norm_eps = config_.rms_eps;

  const auto norm = [this](const std::vector<float>& weight) {
    return NormSpec{weight.data(), config_.rms_eps};
  };
  backend_.gather(embedding_, batch.token_ids, w_.residual.data());
  backend_.rmsnorm(w_.residual.data(), layers_[0].attention_norm.data(), config_.rms_eps, tokens,
                   *w_.normed);
  for (int i = 0; i < config_.layers; ++i) {
    const Layer& layer = layers_[i];
    run_attention(layer.attention, shape, rope, backend_, batch, kv, i, norm(layer.mlp_norm), w_);
    const bool is_last = i + 1 == config_.layers;
    run_mlp(layer.mlp, backend_, tokens,
            is_last ? NormSpec{} : norm(layers_[i + 1].attention_norm), w_);
  }
  if (batch.logits_rows() == 0) return;
  backend_.select_rmsnorm(w_.residual.data(), batch.logits_tokens, config_.d_model,
                          final_norm_.data(), config_.rms_eps, *w_.last);
  const LinearOutput head = {&head_, logits, config_.vocab};
  backend_.linear(*w_.last, batch.logits_rows(), {&head, 1});
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
  if (!fields.has(head_dim) && c.d_model % c.heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} heads do not divide {}",
                      fields.name_of({"num_attention_heads", "attention.head_count"}), c.heads,
                      c.d_model));
  }
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
}

// A window for all layers or none; a mix of both is another architecture.
void read_window(const ConfigFields& fields, const LlamaTraits& traits, LlamaConfig& c) {
  const Key window = {"sliding_window", "attention.sliding_window"};
  const bool is_used = !traits.has_window_switch || fields.is_gguf() ||
                       fields.boolean({"use_sliding_window", ""}, false);
  if (traits.has_window_switch && !fields.is_gguf() && is_used) fields.refuse("use_sliding_window");
  fields.mark(window);
  fields.mark({"max_window_layers", ""});  // means something with use_sliding_window only
  // Null means none; a Mistral that says nothing at all has the window of the first one.
  const int fallback = fields.is_gguf() || fields.has_name(window) ? 0 : traits.window_default;
  if (is_used) c.sliding_window = fields.integer(window, 0, kContextMax, fallback);
  const std::string_view wanted = c.sliding_window > 0 ? "sliding_attention" : "full_attention";
  for (const std::string& type : fields.strings({"layer_types", ""})) {
    if (type == wanted) continue;
    return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                             fields.name_of({"layer_types", ""}), type.substr(0, 64), wanted));
  }
}

// What released files of this name ask for and we do not compute.
void check_features(const ConfigFields& fields, const LlamaTraits& traits) {
  for (const char* name : {"mlp_bias", "num_local_experts", "num_experts", "clip_qkv"}) {
    fields.refuse({name, ""});
  }
  if (!traits.has_qkv_bias) fields.refuse({"attention_bias", ""});
  const std::string activation = fields.string({"hidden_act", ""}, "silu");
  if (activation == "silu" || activation == "swish") return;
  fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only silu",
                    fields.name_of({"hidden_act", ""}), activation.substr(0, 64)));
}

}  // namespace

LlamaConfig read_llama(const ConfigFields& fields, int vocab, const LlamaTraits& traits) {
  LlamaConfig c;
  c.vocab = vocab;
  read_sizes(fields, c);
  c.rope = read_rope(fields, c.head_dim);
  const bool is_woven = fields.naming() != Naming::kHuggingFace && traits.is_woven_in_gguf;
  c.rope.pairing = is_woven ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  read_window(fields, traits, c);
  check_features(fields, traits);
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, !has_head);
  c.has_qkv_bias = traits.has_qkv_bias || fields.tensor({"", "blk.0.attn_q.bias"}) != nullptr;
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
    if (c.has_head_norms) {
      add("q_norm", "attn_q_norm.weight", "self_attn.q_norm.weight", {head}, Role::kNorm);
      add("k_norm", "attn_k_norm.weight", "self_attn.k_norm.weight", {head}, Role::kNorm);
    }
    add("ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", {d}, Role::kNorm);
    add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {ffn, d});
    add("up", "ffn_up.weight", "mlp.up_proj.weight", {ffn, d});
    add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, ffn});
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
  GroupFacts group;
  group.name = c.sliding_window > 0 ? "window" : "all";
  for (int i = 0; i < c.layers; ++i) group.layers.push_back(i);
  group.heads = c.heads;
  group.kv_heads = c.kv_heads;
  group.k_width = group.v_width = c.head_dim;
  group.window = c.sliding_window;
  f.groups = {std::move(group)};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}{}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_qkv_bias ? ", with biases" : "",
                                   c.has_head_norms ? ", with norms" : "")},
             {"rope", rope_text(c.rope)}};
  if (c.sliding_window > 0) f.notes.emplace_back("window", std::to_string(c.sliding_window));
  return f;
}

Result<std::unique_ptr<Model>> build(const LlamaConfig& config, WeightLoader& loader,
                                     Backend& backend, const ModelOptions& options) {
  auto model = std::make_unique<Llama>(config, backend, options);
  QUIRE_RETURN_IF_ERROR(model->load(loader));
  return std::unique_ptr<Model>(std::move(model));
}

// --- the rows ---

template <LlamaTraits traits>
LlamaConfig read(const ConfigFields& fields, int vocab) {
  return read_llama(fields, vocab, traits);
}

template <LlamaTraits traits>
constexpr auto kDesign = design_of<read<traits>, tensors, facts, build>;

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
