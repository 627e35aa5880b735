// T5 (Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
// transformer", 2020; T5 1.1, Flan-T5 and mT5 as well): an encoder that reads its input at once,
// and a decoder that sees it in every layer. Positions are a bias of the scores by distance, in
// buckets that grow: one for all layers, or each layer's own (UMT5; Chung et al., 2023); scores
// are not divided by the root of the width. What the decoder keeps of the encoder is keys and
// values of the second group; while the encoder runs, its own layers take turns in the place of
// the first of them. The rows are kT5 and kUmt5. Pure functions, and a model that the thread of
// the device drives.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/encoder/relative_bias.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

constexpr int kTextGroup = 0, kEncoderGroup = 1;  // see facts

struct T5Config {
  int layers = 0, decoder_layers = 0;
  int d_model = 0, ffn = 0, heads = 0, head_dim = 0;
  int vocab = 0, context_max = 0;
  int buckets = 0, distance_max = 0;  // of the bias
  float eps = 1e-6f;
  bool has_bias_per_layer = false;  // else the first layer's is that of all
  bool is_gated = false;
  Activation activation = Activation::kRelu;
  bool has_tied_head = true;
  bool is_head_scaled = true;  // by 1 / sqrt(d_model)

  int width() const { return heads * head_dim; }
};

struct EncoderLayer {
  AttentionLayer attention;
  MlpLayer mlp;
};

struct DecoderLayer {
  AttentionLayer attention;
  AttentionLayer cross;  // its keys and values are of the encoder's output
  MlpLayer mlp;
};

class T5 : public Model {
 public:
  T5(const T5Config& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    if (batch.encoder != nullptr) {
      program_.clear();
      encode();
      backend_.run(program_, *batch.encoder, kv);
    }
    if (batch.tokens() == 0) return;
    program_.clear();
    decode();
    backend_.run(program_, batch, kv);
  }

 private:
  Status load_encoder(WeightLoader& loader);
  Status load_decoder(WeightLoader& loader);
  Result<Vector> load_bias(WeightLoader& loader, const std::string& name, bool is_bidirectional);
  Attend attend(CacheSlot cache, bool is_causal) const;
  void encode();
  void decode();

  T5Config config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<EncoderLayer> encoder_;
  Norm encoder_norm_;
  std::vector<DecoderLayer> decoder_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

void T5::encode() {
  stem_.begin(program_, w_);
  for (const EncoderLayer& layer : encoder_) {
    run_attention(layer.attention, program_, w_);
    run_mlp(layer.mlp, program_, w_);
  }
  program_.norm(w_.residual, encoder_norm_, w_.normed);
  for (const DecoderLayer& layer : decoder_) {
    program_.linear(w_.normed, {{&layer.cross.k, &w_.k}, {&layer.cross.v, &w_.v}});
    program_.store(w_.k, w_.v, layer.cross.attend.cache);
  }
}

void T5::decode() {
  stem_.begin(program_, w_);
  for (const DecoderLayer& layer : decoder_) {
    run_attention(layer.attention, program_, w_);
    program_.norm(w_.residual, layer.cross.norm, w_.normed);
    program_.linear(w_.normed, {{&layer.cross.q, &w_.q}});
    program_.attend(w_.q, layer.cross.attend, w_.attended);
    add_branch(program_, w_.attended, layer.cross.o, layer.cross.o_bias, layer.cross.branch, w_);
    run_mlp(layer.mlp, program_, w_);
  }
  stem_.end(program_, w_);
}

Attend T5::attend(CacheSlot cache, bool is_causal) const {
  Attend attend = plain_attention(config_.heads, config_.heads, config_.head_dim, cache);
  attend.scale = 1;
  attend.is_causal = is_causal;
  attend.bias_reach = options_.context_max - 1;
  return attend;
}

Result<Vector> T5::load_bias(WeightLoader& loader, const std::string& name,
                             bool is_bidirectional) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<float> values, loader.values(name));
  const RelativeBuckets buckets = {config_.buckets, config_.distance_max, is_bidirectional};
  return backend_.vector(
      spread_bias(values, buckets, config_.heads, options_.context_max - 1));
}

Status T5::load_encoder(WeightLoader& loader) {
  const Norm rms = {Norm::Kind::kRms, {}, {}, config_.eps};
  Vector bias;
  for (int i = 0; i < config_.layers; ++i) {
    const std::string prefix = fmt::format("encoder.{}.", i);
    EncoderLayer& layer = encoder_.emplace_back();
    layer.attention.norm = layer.mlp.norm = rms;
    layer.attention.attend = attend({kEncoderGroup, 0}, false);
    if (loader.has(prefix + "bias")) {
      QUIRE_ASSIGN_OR_RETURN(bias, load_bias(loader, prefix + "bias", true));
    }
    layer.attention.attend.bias = bias;
    layer.mlp.activation = config_.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  encoder_norm_ = rms;
  return load_norm(loader, "encoder_norm", encoder_norm_);
}

Status T5::load_decoder(WeightLoader& loader) {
  const Norm rms = {Norm::Kind::kRms, {}, {}, config_.eps};
  Vector bias;
  for (int i = 0; i < config_.decoder_layers; ++i) {
    const std::string prefix = fmt::format("decoder.{}.", i);
    DecoderLayer& layer = decoder_.emplace_back();
    layer.attention.norm = layer.cross.norm = layer.mlp.norm = rms;
    layer.attention.attend = attend({kTextGroup, i}, true);
    if (loader.has(prefix + "bias")) {
      QUIRE_ASSIGN_OR_RETURN(bias, load_bias(loader, prefix + "bias", false));
    }
    layer.attention.attend.bias = bias;
    layer.cross.attend = attend({kEncoderGroup, i}, false);
    layer.mlp.activation = config_.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix + "cross_", layer.cross));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  }
  return ok_status();
}

Status T5::load(WeightLoader& loader) {
  const T5Config& c = config_;
  stem_.final_norm = {Norm::Kind::kRms, {}, {}, c.eps};
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (c.is_head_scaled) stem_.logit_scale = 1.0f / std::sqrt(static_cast<float>(c.d_model));
  QUIRE_RETURN_IF_ERROR(load_encoder(loader));
  QUIRE_RETURN_IF_ERROR(load_decoder(loader));
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.width(), .k = c.width(), .v = c.width(),
                        .attended = c.width(), .ffn = c.ffn, .vocab = c.vocab});
  return ok_status();
}

// --- what the files say ---

// "relu", or with a gate "gated-gelu", by which the tanh form is meant.
void read_feed_forward(const ConfigFields& fields, T5Config& c) {
  for (const char* name : {"dense_act_fn", "is_gated_act"}) fields.mark({name, ""});  // derived
  if (fields.is_gguf()) {
    c.is_gated = fields.tensor({"", "enc.blk.0.ffn_gate.weight"}) != nullptr;
    c.activation = c.is_gated ? Activation::kGeluTanh : Activation::kRelu;
    return;
  }
  const std::string wanted = fields.string("feed_forward_proj", "relu");
  c.is_gated = wanted.starts_with("gated-");
  const std::string name = c.is_gated ? wanted.substr(6) : wanted;
  if (name == "gelu" && c.is_gated) {
    c.activation = Activation::kGeluTanh;
  } else if (const auto activation = find_activation(name)) {
    c.activation = *activation;
  } else {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                      fields.name_of("feed_forward_proj"), wanted.substr(0, 64)));
  }
}

void read_bias(const ConfigFields& fields, T5Config& c) {
  const Key buckets = {"relative_attention_num_buckets", "attention.relative_buckets_count"};
  c.buckets = fields.integer(buckets, 4, 4096, 32);
  c.distance_max = fields.integer({"relative_attention_max_distance", ""}, 2, kContextMax, 128);
  if (c.buckets % 4 == 0 && c.distance_max > c.buckets / 2) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: {} buckets for distances up to {}",
                    fields.name_of(buckets), c.buckets, c.distance_max));
}

template <bool has_bias_per_layer>
T5Config read(const ConfigFields& fields, int vocab) {
  T5Config c;
  c.has_bias_per_layer = fields.is_gguf()
                             ? fields.tensor({"", "dec.blk.1.attn_rel_b.weight"}) != nullptr
                             : has_bias_per_layer;
  c.vocab = vocab;
  c.layers = fields.integer({"num_layers", "block_count"}, 1, kLayersMax);
  c.decoder_layers =
      fields.integer({"num_decoder_layers", "decoder_block_count"}, 1, kLayersMax, c.layers);
  c.d_model = fields.integer({"d_model", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"d_ff", "feed_forward_length"}, 1, kFfnMax);
  c.heads = fields.integer({"num_heads", "attention.head_count"}, 1, kHeadsMax);
  c.head_dim = fields.integer({"d_kv", "attention.key_length"}, 2, kHeadDimMax);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  fields.refuse_unless({"", "attention.head_count_kv"}, c.heads);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  c.context_max = fields.integer({"n_positions", "context_length"}, 1, kContextMax, 512);
  c.eps = static_cast<float>(
      fields.number({"layer_norm_epsilon", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin,
                    kRmsEpsMax, 1e-6));
  fields.mark({"", "attention.layer_norm_epsilon"});  // the same once more
  fields.mark({"", "decoder_start_token_id"});        // for who makes requests
  fields.mark({"is_encoder_decoder", ""});
  fields.refuse({"is_decoder", ""});
  fields.refuse_false({"scalable_attention", ""});  // of UMT5; a layer's bias is what it means
  read_feed_forward(fields, c);
  read_bias(fields, c);
  c.has_tied_head = fields.is_gguf() ? fields.tensor({"", "output.weight"}) == nullptr
                                     : fields.boolean({"tie_word_embeddings", ""}, true);
  c.is_head_scaled = fields.boolean({"scale_decoder_outputs", ""}, c.has_tied_head);
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// The rules of one stack. "self" and "cross" are places of a block's parts in it.
class StackRules {
 public:
  StackRules(TensorRules& rules, std::string ours, std::string gguf, std::string hf)
      : rules_(rules), ours_(std::move(ours)), gguf_(std::move(gguf)), hf_(std::move(hf)) {}

  void add(int layer, const std::string& name, const std::string& gguf, const std::string& hf,
           Shape shape, Role role = Role::kMatrix) {
    rules_.add_layer(layer, {ours_ + ".{}." + name, gguf_ + ".blk.{}." + gguf + ".weight",
                             hf_ + ".block.{}.layer." + hf + ".weight", std::move(shape), role});
  }
  void add_attention(int layer, const std::string& prefix, const std::string& gguf,
                     const std::string& part, const std::string& block, const T5Config& c) {
    const std::size_t d = size(c.d_model), width = size(c.width());
    add(layer, prefix + "attn_norm", gguf + "_norm", part + ".layer_norm", {d}, Role::kNorm);
    for (const char* name : {"q", "k", "v"}) {
      add(layer, prefix + name, gguf + "_" + name, part + "." + block + "." + name, {width, d});
    }
    add(layer, prefix + "o", gguf + "_o", part + "." + block + ".o", {d, width});
  }
  void add_block(int layer, const std::string& part, const T5Config& c) {
    const std::size_t d = size(c.d_model), ffn = size(c.ffn);
    const std::string block = part + ".DenseReluDense.";
    add(layer, "ffn_norm", "ffn_norm", part + ".layer_norm", {d}, Role::kNorm);
    if (c.is_gated) add(layer, "gate", "ffn_gate", block + "wi_0", {ffn, d});
    add(layer, "up", "ffn_up", block + (c.is_gated ? "wi_1" : "wi"), {ffn, d});
    add(layer, "down", "ffn_down", block + "wo", {d, ffn});
  }
  void add_bias(int layer, const T5Config& c) {
    if (layer > 0 && !c.has_bias_per_layer) return;
    add(layer, "bias", "attn_rel_b", "0.SelfAttention.relative_attention_bias",
        {size(c.buckets), size(c.heads)}, Role::kVector);
  }

 private:
  TensorRules& rules_;
  std::string ours_, gguf_, hf_;
};

TensorRules tensors(const T5Config& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  TensorRule embed = {"embed", "token_embd.weight", "shared.weight", {vocab, d}, Role::kTable};
  embed.others = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
  t.add(std::move(embed));
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    TensorRule head = {"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead};
    head.others = {"shared.weight"};
    t.add(std::move(head));
  }
  t.add({"final_norm", "dec.output_norm.weight", "decoder.final_layer_norm.weight", {d},
         Role::kNorm});
  t.add({"encoder_norm", "enc.output_norm.weight", "encoder.final_layer_norm.weight", {d},
         Role::kNorm});
  StackRules encoder(t, "encoder", "enc", "encoder"), decoder(t, "decoder", "dec", "decoder");
  for (int i = 0; i < c.layers; ++i) {
    encoder.add_bias(i, c);
    encoder.add_attention(i, "", "attn", "0", "SelfAttention", c);
    encoder.add_block(i, "1", c);
  }
  for (int i = 0; i < c.decoder_layers; ++i) {
    decoder.add_bias(i, c);
    decoder.add_attention(i, "", "attn", "0", "SelfAttention", c);
    decoder.add_attention(i, "cross_", "cross_attn", "1", "EncDecAttention", c);
    decoder.add_block(i, "2", c);
  }
  // The embedding once more, and biases that old files hold and nothing ever read.
  t.ignore("*.embed_tokens.weight");
  t.ignore("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  t.ignore("*.cross_attn_rel_b.weight");
  return t;
}

ModelFacts facts(const T5Config& c) {
  ModelFacts f;
  f.kind = ModelKind::kEncoderDecoder;
  f.layers = c.layers + c.decoder_layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  GroupFacts text = plain_group(c.decoder_layers, c.heads, c.heads, c.head_dim, c.layers);
  GroupFacts encoder = text;
  encoder.name = "encoder";
  encoder.is_encoder_long = true;
  f.groups = {std::move(text), std::move(encoder)};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"layers", fmt::format("{} of the encoder, {} of the decoder", c.layers,
                                    c.decoder_layers)},
             {"heads", fmt::format("{} of {}", c.heads, c.head_dim)},
             {"positions", fmt::format("biases by distance, {} buckets up to {}{}", c.buckets,
                                       c.distance_max,
                                       c.has_bias_per_layer ? ", each layer's own" : "")}};
  return f;
}

}  // namespace

extern const Architecture kT5, kUmt5;

constexpr Architecture kUmt5 = {
    "umt5",
    {"umt5"},
    {"UMT5ForConditionalGeneration"},
    design_of<read<true>, tensors, facts, T5>,
    {
     {"tiny-umt5",
      R"({"d_model":96,"d_kv":20,"d_ff":160,"num_layers":2,"num_decoder_layers":3,"num_heads":4,
"relative_attention_num_buckets":16,"relative_attention_max_distance":48,"n_positions":512,
"feed_forward_proj":"gated-gelu","tie_word_embeddings":false,"vocab_size":331})"},
    }};

constexpr Architecture kT5 = {
    "t5",
    {"t5", "mt5"},
    {"T5ForConditionalGeneration", "MT5ForConditionalGeneration"},
    design_of<read<false>, tensors, facts, T5>,
    {
     {"flan-t5-small",
      R"({"d_model":512,"d_kv":64,"d_ff":1024,"num_layers":8,"num_decoder_layers":8,"num_heads":6,
"feed_forward_proj":"gated-gelu","tie_word_embeddings":false,"vocab_size":32128})"},
     {"tiny-t5",
      R"({"d_model":96,"d_kv":20,"d_ff":160,"num_layers":2,"num_decoder_layers":3,"num_heads":4,
"relative_attention_num_buckets":16,"relative_attention_max_distance":48,"n_positions":512,
"vocab_size":331})"},
    }};

}  // namespace quire
