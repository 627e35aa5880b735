// BART (Lewis et al., 2020) and its family: an encoder that reads its input at once, and a decoder
// that sees it in every layer, with absolute positions and biases everywhere. Members differ in
// values: where norms stand (BART, Marian: behind each block; mBART, Pegasus, M2M-100: before it,
// and one at the end), whether the embeddings are normed, and what positions are: a learned table
// whose rows begin at 2, or sines. Of a table of sines that a file holds the file's is taken.
// What the decoder keeps of the encoder is keys and values of the second group; while the encoder
// runs, its own layers take turns in the place of the first of them. Pure functions, and a model
// that the thread of the device drives.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

constexpr int kTextGroup = 0, kEncoderGroup = 1;  // see facts
constexpr int kLearnedOffset = 2;                 // rows before that of the first position
constexpr float kNormEps = 1e-5f;                 // no file says another

enum class Positions {
  kLearned,
  kSines,       // of 10000^(-2i / d)
  kPaddedSines  // of 10000^(-i / (d / 2 - 1)), the first position behind that of the padding
};

// What a member of the family has, whatever its files say.
struct Family {
  bool has_norms_before = false;
  bool has_embedding_norm = false;
  Positions positions = Positions::kLearned;
  bool scales_embedding = false;  // where a file does not say
  const char* activation = "gelu";
};

struct BartConfig {
  Family family;
  int layers = 0, decoder_layers = 0;
  int d_model = 0, heads = 0, ffn = 0, decoder_ffn = 0;
  int vocab = 0, context_max = 0;
  int position_offset = 0;
  float embedding_scale = 1;
  Activation activation = Activation::kGelu;
  bool has_tied_head = true;
  bool has_shared_table = true;  // of encoder and decoder

  int head_dim() const { return d_model / heads; }
  int position_rows() const { return context_max + position_offset; }
};

struct Layer {
  AttentionLayer attention;
  AttentionLayer cross;  // of a decoder; its keys and values are of the encoder's output
  MlpLayer mlp;
  Norm attention_after, cross_after, mlp_after;  // none where norms stand before
};

// Positions from 0 on, sines in the first half of a row and cosines in the second. [rows, d_model]
std::vector<float> sine_table(const BartConfig& c) {
  const int half = c.d_model / 2;
  const bool is_padded = c.family.positions == Positions::kPaddedSines;
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(c.position_rows()) * static_cast<std::size_t>(c.d_model));
  std::vector<double> turns;
  for (int i = 0; i < half; ++i) {
    // The library has these in float32 for the one kind and in float64 for the other.
    const float step = static_cast<float>(std::log(10000.0) / (half - 1));
    turns.push_back(is_padded ? std::exp(-step * static_cast<float>(i))
                              : 1 / std::pow(10000.0, 2.0 * i / c.d_model));
  }
  const auto angle = [&](int row, double turn) {
    return is_padded ? static_cast<double>(static_cast<float>(row) * static_cast<float>(turn))
                     : row * turn;
  };
  for (int row = 0; row < c.position_rows(); ++row) {
    for (const double turn : turns) table.push_back(static_cast<float>(std::sin(angle(row, turn))));
    for (const double turn : turns) table.push_back(static_cast<float>(std::cos(angle(row, turn))));
  }
  return table;
}

class Bart : public Model {
 public:
  Bart(const BartConfig& config, Backend& backend, const ModelOptions& options)
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
  struct Side {
    Weight table;      // of words; empty: the stem's
    Weight positions;  // [position rows, d_model]
    Norm embedding_norm;
    std::vector<Layer> layers;
    Norm last_norm;  // before the end, or of the last layer where norms stand behind
  };

  Status load_side(WeightLoader& loader, const std::string& name, int layers, bool is_decoder,
                   Side& side);
  Status load_positions(WeightLoader& loader, const std::string& name, Side& side);
  AttentionLayer attention(CacheSlot cache, bool is_causal) const;
  void begin(const Side& side, const Workspace& w);
  void encode();
  void decode();

  BartConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Side encoder_, decoder_;
  std::vector<float> sines_;  // that a table of positions points into
  Workspace w_, encoder_w_;   // normed is the residual stream where norms stand behind blocks
  Program program_;
  std::size_t weight_bytes_ = 0;
};

void Bart::begin(const Side& side, const Workspace& w) {
  Program& p = program_;
  p.gather(side.table ? side.table : stem_.embedding, w.residual, config_.embedding_scale);
  p.add(GatherOp{&side.positions, &w.residual, GatherOp::Index::kPosition,
                 config_.position_offset, 1, true});
  if (side.embedding_norm) p.norm(w.residual, side.embedding_norm, w.residual);
}

void Bart::encode() {
  Program& p = program_;
  const Workspace& w = encoder_w_;
  begin(encoder_, w);
  for (const Layer& layer : encoder_.layers) {
    run_attention(layer.attention, p, w);
    if (layer.attention_after) p.norm(w.residual, layer.attention_after, w.residual);
    run_mlp(layer.mlp, p, w);
    if (layer.mlp_after) p.norm(w.residual, layer.mlp_after, w.residual);
  }
  p.norm(w.residual, encoder_.last_norm, w.normed);
  for (const Layer& layer : decoder_.layers) {
    const AttentionLayer& cross = layer.cross;
    p.linear(w.normed, {{&cross.k, &w.k, &cross.k_bias}, {&cross.v, &w.v, &cross.v_bias}});
    p.store(w.k, w.v, cross.attend.cache);
  }
}

void Bart::decode() {
  Program& p = program_;
  const Workspace& w = w_;
  begin(decoder_, w);
  for (const Layer& layer : decoder_.layers) {
    const AttentionLayer& cross = layer.cross;
    run_attention(layer.attention, p, w);
    if (layer.attention_after) p.norm(w.residual, layer.attention_after, w.residual);
    if (cross.norm) p.norm(w.residual, cross.norm, w.normed);
    p.linear(w.normed, {{&cross.q, &w.q, &cross.q_bias}});
    p.attend(w.q, cross.attend, w.attended);
    add_branch(p, w.attended, cross.o, cross.o_bias, cross.branch, w);
    if (layer.cross_after) p.norm(w.residual, layer.cross_after, w.residual);
    run_mlp(layer.mlp, p, w);
    if (layer.mlp_after) p.norm(w.residual, layer.mlp_after, w.residual);
  }
  stem_.end(p, w);
}

// --- loading ---

AttentionLayer Bart::attention(CacheSlot cache, bool is_causal) const {
  AttentionLayer layer;
  layer.norm = {Norm::Kind::kLayer, {}, {}, kNormEps};
  layer.attend = plain_attention(config_.heads, config_.heads, config_.head_dim(), cache);
  layer.attend.is_causal = is_causal;
  return layer;
}

// Of the file, where it has them, else sines.
Status Bart::load_positions(WeightLoader& loader, const std::string& name, Side& side) {
  if (loader.has(name)) {
    QUIRE_ASSIGN_OR_RETURN(side.positions, loader.table(name));
    stem_.untouched_bytes += side.positions.bytes;
    return ok_status();
  }
  if (sines_.empty()) sines_ = sine_table(config_);
  TensorView view;
  view.name = name;
  view.dtype = DType::kF32;
  view.shape = {static_cast<std::size_t>(config_.position_rows()),
                static_cast<std::size_t>(config_.d_model)};
  view.data = reinterpret_cast<const std::byte*>(sines_.data());
  QUIRE_ASSIGN_OR_RETURN(side.positions, backend_.adopt(view));
  return ok_status();
}

Status Bart::load_side(WeightLoader& loader, const std::string& name, int layers, bool is_decoder,
                       Side& side) {
  const Norm norm = {Norm::Kind::kLayer, {}, {}, kNormEps};
  side.embedding_norm = side.last_norm = norm;
  QUIRE_RETURN_IF_ERROR(load_positions(loader, name + ".positions", side));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, name + ".embed_norm", side.embedding_norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, name + ".norm", side.last_norm));
  for (int i = 0; i < layers; ++i) {
    const std::string prefix = fmt::format("{}.{}.", name, i);
    Layer& layer = side.layers.emplace_back();
    const CacheSlot own = is_decoder ? CacheSlot{kTextGroup, i} : CacheSlot{kEncoderGroup, 0};
    layer.attention = attention(own, is_decoder);
    layer.attention_after = layer.cross_after = layer.mlp_after = layer.mlp.norm = norm;
    layer.mlp.activation = config_.activation;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_after", layer.attention_after));
    if (is_decoder) {
      layer.cross = attention({kEncoderGroup, i}, false);
      QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix + "cross_", layer.cross));
    }
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "cross_after", layer.cross_after));
    QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_after", layer.mlp_after));
  }
  if (!side.last_norm) std::swap(side.last_norm, side.layers.back().mlp_after);
  return ok_status();
}

Status Bart::load(WeightLoader& loader) {
  const BartConfig& c = config_;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (loader.has("encoder.embed")) {
    QUIRE_ASSIGN_OR_RETURN(encoder_.table, loader.table("encoder.embed"));
    stem_.untouched_bytes += encoder_.table.bytes;
  }
  QUIRE_RETURN_IF_ERROR(load_side(loader, "encoder", c.layers, false, encoder_));
  QUIRE_RETURN_IF_ERROR(load_side(loader, "decoder", c.decoder_layers, true, decoder_));
  stem_.final_norm = decoder_.last_norm;
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const WorkspaceShape shape = {.d_model = c.d_model, .q = c.d_model, .k = c.d_model,
                                .v = c.d_model, .attended = c.d_model, .ffn = c.decoder_ffn,
                                .vocab = c.vocab};
  w_ = Workspace::make(backend_, options_, shape);
  if (!c.family.has_norms_before) w_.normed = w_.residual;
  encoder_w_ = w_;
  if (c.ffn != c.decoder_ffn) {
    encoder_w_.up = backend_.buffer(Rows::kTokens, options_.tokens_max, c.ffn);
    encoder_w_.gated = backend_.buffer(Rows::kTokens, options_.tokens_max, c.ffn);
  }
  return ok_status();
}

// --- what the files say ---

// Switches of the library that these files were first made for; each member has one setting.
void check_switches(const ConfigFields& fields, const BartConfig& c) {
  const auto expect = [&](const char* name, bool expected) {
    const Key key = {name, ""};
    if (fields.boolean(key, expected) == expected) return;
    fields.fail(error(StatusCode::kUnsupported, "{}: only {} is supported", fields.name_of(key),
                      expected));
  };
  expect("normalize_before", c.family.has_norms_before);
  expect("add_final_layer_norm", c.family.has_norms_before);
  expect("normalize_embedding", c.family.has_embedding_norm);
  expect("static_position_embeddings", c.family.positions != Positions::kLearned);
  fields.mark({"add_bias_logits", ""});       // the tensor says it, whatever this does
  fields.mark({"extra_pos_embeddings", ""});  // of the first library; rows of a table count
}

BartConfig read_member(const Family& family, const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "BART's family");
  BartConfig c;
  c.family = family;
  c.vocab = vocab;
  c.layers = fields.integer({"encoder_layers", ""}, 1, kLayersMax);
  c.decoder_layers = fields.integer({"decoder_layers", ""}, 1, kLayersMax);
  c.d_model = fields.integer({"d_model", ""}, 2, kModelWidthMax);
  c.ffn = fields.integer({"encoder_ffn_dim", ""}, 1, kFfnMax);
  c.decoder_ffn = fields.integer({"decoder_ffn_dim", ""}, 1, kFfnMax);
  c.heads = fields.integer({"encoder_attention_heads", ""}, 1, kHeadsMax);
  fields.refuse_unless({"decoder_attention_heads", ""}, c.heads);
  fields.mark({"num_hidden_layers", ""});  // the encoder's layers once more
  check_width(fields, {"encoder_attention_heads", ""}, c.heads, c.d_model);
  check_heads(fields, c.heads, c.heads, c.head_dim());
  c.context_max = fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 1024);
  if (family.positions == Positions::kLearned) c.position_offset = kLearnedOffset;
  if (family.positions == Positions::kPaddedSines) {
    c.position_offset = fields.integer({"pad_token_id", ""}, 0, vocab - 1, 1) + 1;
  }
  c.activation = read_activation(fields, "activation_function", family.activation);
  if (fields.boolean({"scale_embedding", ""}, family.scales_embedding)) {
    c.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(c.d_model)));
  }
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, true);
  c.has_shared_table = fields.boolean({"share_encoder_decoder_embeddings", ""}, true);
  fields.refuse_unless({"decoder_vocab_size", ""}, vocab);
  fields.refuse({"is_decoder", ""});
  fields.mark({"is_encoder_decoder", ""});
  check_switches(fields, c);
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// Files of the model without its head have no "model." in front.
TensorRule named(std::string ours, const std::string& hf, Shape shape, Role role) {
  TensorRule rule = {std::move(ours), "", "model." + hf, std::move(shape), role};
  rule.others = {Stored(hf)};
  return rule;
}

// The rules of the encoder or the decoder.
class SideRules {
 public:
  SideRules(const BartConfig& config, TensorRules& rules, std::string name)
      : c_(config), rules_(rules), name_(std::move(name)) {}

  void add_around() {
    TensorRule positions =
        named(name_ + ".positions", name_ + ".embed_positions.weight",
              {size(c_.position_rows()), size(c_.d_model)}, Role::kVector);
    positions.is_optional = c_.family.positions != Positions::kLearned;
    if (c_.family.positions != Positions::kPaddedSines) rules_.add(std::move(positions));
    if (c_.family.has_embedding_norm) add_norm("embed_norm", "layernorm_embedding");
    if (c_.family.has_norms_before) add_norm("norm", "layer_norm");
  }
  void add_layer(int layer, int ffn, bool is_decoder) {
    layer_ = fmt::format(".{}.", layer);
    hf_layer_ = fmt::format(".layers.{}.", layer);
    add_attention("", "self_attn");
    if (is_decoder) add_attention("cross_", "encoder_attn");
    add_product("up", "fc1", {size(ffn), size(c_.d_model)});
    add_product("down", "fc2", {size(c_.d_model), size(ffn)});
    add_norm(c_.family.has_norms_before ? "ffn_norm" : "ffn_after", "final_layer_norm");
    layer_ = hf_layer_ = ".";
  }

 private:
  void add(const std::string& ours, const std::string& hf, Shape shape, Role role) {
    rules_.add(named(name_ + layer_ + ours, name_ + hf_layer_ + hf, std::move(shape), role));
  }
  void add_product(const std::string& ours, const std::string& hf, const Shape& shape) {
    add(ours, hf + ".weight", shape, Role::kMatrix);
    add(ours + "_bias", hf + ".bias", {shape[0]}, Role::kBias);
  }
  void add_norm(const std::string& ours, const std::string& hf) {
    add(ours, hf + ".weight", {size(c_.d_model)}, Role::kNorm);
    add(ours + "_bias", hf + ".bias", {size(c_.d_model)}, Role::kBias);
  }
  void add_attention(const std::string& prefix, const std::string& hf) {
    const Shape square = {size(c_.d_model), size(c_.d_model)};
    for (const char* name : {"q", "k", "v"}) {
      add_product(prefix + name, hf + "." + name + "_proj", square);
    }
    add_product(prefix + "o", hf + ".out_proj", square);
    const std::string kind = prefix.empty() ? "attn" : "cross";
    add_norm(c_.family.has_norms_before ? prefix + "attn_norm" : kind + "_after",
             hf + "_layer_norm");
  }

  const BartConfig& c_;
  TensorRules& rules_;
  std::string name_, layer_ = ".", hf_layer_ = ".";
};

void add_tables(const BartConfig& c, TensorRules& t) {
  const Shape shape = {size(c.vocab), size(c.d_model)};
  const std::string first = c.has_shared_table ? "shared.weight" : "decoder.embed_tokens.weight";
  TensorRule embed = named("embed", first, shape, Role::kTable);
  if (c.has_shared_table) {
    for (const char* name : {"model.encoder.embed_tokens.weight", "encoder.embed_tokens.weight",
                             "model.decoder.embed_tokens.weight"}) {
      embed.others.emplace_back(name);
    }
  } else {
    t.add(named("encoder.embed", "encoder.embed_tokens.weight", shape, Role::kTable));
  }
  t.add(std::move(embed));
  if (c.has_tied_head) {
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "", "lm_head.weight", shape, Role::kHead});
  }
  TensorRule bias = {"head_bias", "", "final_logits_bias", {size(c.vocab)}, Role::kBias};
  bias.is_optional = true;
  t.add(std::move(bias));
}

TensorRules tensors(const BartConfig& c) {
  TensorRules t;
  add_tables(c, t);
  SideRules encoder(c, t, "encoder"), decoder(c, t, "decoder");
  encoder.add_around();
  decoder.add_around();
  for (int i = 0; i < c.layers; ++i) encoder.add_layer(i, c.ffn, false);
  for (int i = 0; i < c.decoder_layers; ++i) decoder.add_layer(i, c.decoder_ffn, true);
  // The embedding once more, sines that are the same everywhere, and a mark of the first library.
  for (const char* name : {"*.embed_tokens.weight", "*.embed_positions.weights", "*.version"}) {
    t.ignore(name);
  }
  return t;
}

std::string positions_text(const BartConfig& c) {
  if (c.family.positions == Positions::kLearned) return fmt::format("a table of {}", c.context_max);
  return fmt::format("sines, {} in use", c.context_max);
}

ModelFacts facts(const BartConfig& c) {
  ModelFacts f;
  f.kind = ModelKind::kEncoderDecoder;
  f.layers = c.layers + c.decoder_layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  GroupFacts text = plain_group(c.decoder_layers, c.heads, c.heads, c.head_dim(), c.layers);
  GroupFacts encoder = text;
  encoder.name = "encoder";
  encoder.is_encoder_long = true;
  f.groups = {std::move(text), std::move(encoder)};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"layers", fmt::format("{} of the encoder, {} of the decoder, norms {}", c.layers,
                                    c.decoder_layers,
                                    c.family.has_norms_before ? "before" : "behind")},
             {"heads", fmt::format("{} of {}, with biases", c.heads, c.head_dim())},
             {"positions", positions_text(c)}};
  return f;
}

// --- rows ---

constexpr Family kBartFamily = {.has_embedding_norm = true};
constexpr Family kMbartFamily = {.has_norms_before = true, .has_embedding_norm = true};
constexpr Family kPegasusFamily = {.has_norms_before = true, .positions = Positions::kSines};
constexpr Family kMarianFamily = {.positions = Positions::kSines};
constexpr Family kM2mFamily = {.has_norms_before = true,
                               .positions = Positions::kPaddedSines,
                               .scales_embedding = true,
                               .activation = "relu"};

template <const Family& family>
BartConfig read(const ConfigFields& fields, int vocab) {
  return read_member(family, fields, vocab);
}

}  // namespace

extern const Architecture kBart, kMbart, kPegasus, kMarian, kM2m100;

constexpr Architecture kBart = {
    "bart",
    {"bart"},
    {"BartForConditionalGeneration", "BartModel"},
    design_of<read<kBartFamily>, tensors, facts, Bart>,
    {
     {"bart-base",
      R"({"d_model":768,"encoder_layers":6,"decoder_layers":6,"encoder_attention_heads":12,
"decoder_attention_heads":12,"encoder_ffn_dim":3072,"decoder_ffn_dim":3072,"vocab_size":50265})"},
     {"tiny-bart",
      R"({"d_model":96,"encoder_layers":2,"decoder_layers":3,"encoder_attention_heads":4,
"decoder_attention_heads":4,"encoder_ffn_dim":160,"decoder_ffn_dim":136,
"max_position_embeddings":512,"vocab_size":331})"},
    }};

constexpr Architecture kMbart = {
    "mbart",
    {"mbart"},
    {"MBartForConditionalGeneration", "MBartModel"},
    design_of<read<kMbartFamily>, tensors, facts, Bart>,
    {
     {"tiny-mbart",
      R"({"d_model":96,"encoder_layers":2,"decoder_layers":3,"encoder_attention_heads":4,
"decoder_attention_heads":4,"encoder_ffn_dim":160,"decoder_ffn_dim":160,"scale_embedding":true,
"max_position_embeddings":512,"vocab_size":331})"},
    }};

constexpr Architecture kPegasus = {
    "pegasus",
    {"pegasus"},
    {"PegasusForConditionalGeneration", "PegasusModel"},
    design_of<read<kPegasusFamily>, tensors, facts, Bart>,
    {
     {"tiny-pegasus",
      R"({"d_model":96,"encoder_layers":2,"decoder_layers":3,"encoder_attention_heads":4,
"decoder_attention_heads":4,"encoder_ffn_dim":160,"decoder_ffn_dim":160,
"activation_function":"relu","max_position_embeddings":512,"vocab_size":331})"},
    }};

constexpr Architecture kMarian = {
    "marian",
    {"marian"},
    {"MarianMTModel", "MarianModel"},
    design_of<read<kMarianFamily>, tensors, facts, Bart>,
    {
     {"opus-mt",
      R"({"d_model":512,"encoder_layers":6,"decoder_layers":6,"encoder_attention_heads":8,
"decoder_attention_heads":8,"encoder_ffn_dim":2048,"decoder_ffn_dim":2048,"scale_embedding":true,
"activation_function":"swish","max_position_embeddings":512,"vocab_size":58101})"},
     {"tiny-marian",
      R"({"d_model":96,"encoder_layers":2,"decoder_layers":3,"encoder_attention_heads":4,
"decoder_attention_heads":4,"encoder_ffn_dim":160,"decoder_ffn_dim":160,"scale_embedding":true,
"activation_function":"swish","max_position_embeddings":512,"vocab_size":331})"},
    }};

constexpr Architecture kM2m100 = {
    "m2m_100",
    {"m2m_100"},
    {"M2M100ForConditionalGeneration", "M2M100Model"},
    design_of<read<kM2mFamily>, tensors, facts, Bart>,
    {
     {"tiny-m2m-100",
      R"({"d_model":96,"encoder_layers":2,"decoder_layers":3,"encoder_attention_heads":4,
"decoder_attention_heads":4,"encoder_ffn_dim":160,"decoder_ffn_dim":160,
"max_position_embeddings":512,"vocab_size":331})"},
    }};

}  // namespace quire
