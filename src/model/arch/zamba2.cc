// Zamba2 (Zyphra, 2024): layers of Mamba-2, some of which first ask a transformer block that they
// share with others: it reads the residual stream beside the embedding of the token, and what it
// says, through a projection of the layer's own, joins what the Mamba reads but not the residual
// stream. Each use of a block has adapters of low rank of its own, on the way into its MLP and, in
// some models, on queries, keys and values.
// Pure functions, and a model that the thread of the device drives.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mamba2.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

constexpr float kGatedEps = 1e-5f;  // of the norm inside the Mamba, whatever the others have

struct ZambaConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  std::vector<int> uses;  // [layers] which use of a shared block a layer makes; -1: none
  int blocks = 0;         // that are shared
  int stated_blocks = 0;  // of the file: adapters are numbered by it
  int heads = 0, head_dim = 0;
  int ffn = 0, rank = 0;
  bool has_attention_adapters = false, has_rope = false, has_bias = false;
  Activation activation = Activation::kGelu;
  RopeConfig rope;
  Mamba2Shape mamba;
  float eps = 1e-5f;
  bool has_tied_head = false;

  int uses_in_all() const {
    int count = 0;
    for (const int use : uses) count += use >= 0;
    return count;
  }
  // The layer in whose name a use's block is stored: the first one that asks it.
  int home(int use) const {
    for (int i = 0; i < layers; ++i) {
      if (uses[static_cast<std::size_t>(i)] == use % blocks) return i;
    }
    return 0;
  }
};

struct Adapter {
  Weight in, out;  // [rank, columns], [rows, rank]; empty: none
};

struct SharedBlock {
  Norm norm, ffn_norm;  // of both halves; of what the attention gives
  Weight q, k, v, o;
  Weight gate, up, down;
  Vector gate_bias, up_bias, down_bias;
};

// What a layer has of its own where it asks a block.
struct Use {
  Adapter q, k, v;
  Weight gate_up;          // [rank, d_model]
  Weight gate, up;         // [ffn, rank]
  Weight out;              // [d_model, d_model]
  Attend attend;
};

struct Layer {
  int use = -1;
  Mamba2Layer mamba;
};

class Zamba2 : public Model {
 public:
  Zamba2(const ZambaConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  Status load_block(WeightLoader& loader, int block);
  Status load_use(WeightLoader& loader, int use, CacheSlot cache);
  void ask(const Use& use, const SharedBlock& block);
  void attend(const Use& use, const SharedBlock& block);
  void make_buffers();

  ZambaConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<SharedBlock> blocks_;
  std::vector<Use> uses_;
  std::vector<Layer> layers_;
  std::vector<Norm> mamba_norms_;  // [layers] of what a Mamba reads
  Rope rope_;
  Workspace w_;
  Mamba2Workspace mamba_;
  Buffer embedded_, wide_, wide_normed_;  // [tokens, d_model], [tokens, 2 * d_model]
  Buffer low_q_, low_k_, low_v_, low_;    // [tokens, rank]
  Buffer asked_;                          // [tokens, d_model]
  Program program_;
  std::size_t weight_bytes_ = 0;
};

void Zamba2::attend(const Use& use, const SharedBlock& block) {
  Program& p = program_;
  p.add(JoinOp{&w_.residual, &embedded_, &wide_});
  p.norm(wide_, block.norm, wide_normed_);
  if (use.q.in) {
    p.linear(wide_normed_, {{&block.q, &w_.q}, {&block.k, &w_.k}, {&block.v, &w_.v},
                            {&use.q.in, &low_q_}, {&use.k.in, &low_k_}, {&use.v.in, &low_v_}});
    p.linear(low_q_, {{&use.q.out, &w_.q, nullptr, true}});
    p.linear(low_k_, {{&use.k.out, &w_.k, nullptr, true}});
    p.linear(low_v_, {{&use.v.out, &w_.v, nullptr, true}});
  } else {
    p.linear(wide_normed_, {{&block.q, &w_.q}, {&block.k, &w_.k}, {&block.v, &w_.v}});
  }
  if (rope_) {
    p.rotate(w_.q, config_.heads, rope_);
    p.rotate(w_.k, config_.heads, rope_);
  }
  p.store(w_.k, w_.v, use.attend.cache);
  p.attend(w_.q, use.attend, w_.attended);
  p.linear(w_.attended, {{&block.o, &w_.branch}});
}

// To asked_: the residual stream and what the block says to it.
void Zamba2::ask(const Use& use, const SharedBlock& block) {
  Program& p = program_;
  attend(use, block);
  p.norm(w_.branch, block.ffn_norm, w_.normed);
  p.linear(w_.normed, {{&block.gate, &w_.gate, &block.gate_bias},
                       {&block.up, &w_.up, &block.up_bias},
                       {&use.gate_up, &low_}});
  p.linear(low_, {{&use.gate, &w_.gate, nullptr, true}, {&use.up, &w_.up, nullptr, true}});
  p.gate(config_.activation, w_.gate, w_.up, w_.gated);
  p.linear(w_.gated, {{&block.down, &w_.branch, &block.down_bias}});
  p.linear(w_.branch, {{&use.out, &asked_}});
  p.add_to(w_.residual, asked_);
}

void Zamba2::forward(const BatchView& batch, KvStore& kv) {
  program_.clear();
  stem_.begin(program_, w_);
  program_.gather(stem_.embedding, embedded_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (layer.use >= 0) {
      ask(uses_[static_cast<std::size_t>(layer.use)],
          blocks_[static_cast<std::size_t>(layer.use % config_.blocks)]);
    }
    program_.norm(layer.use >= 0 ? asked_ : w_.residual, mamba_norms_[i], w_.normed);
    run_mamba2(layer.mamba, program_, w_, mamba_);
  }
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

// --- loading ---

Status Zamba2::load_block(WeightLoader& loader, int number) {
  const std::string prefix = fmt::format("blocks.{}.", number);
  SharedBlock& block = blocks_.emplace_back();
  block.norm = block.ffn_norm = {Norm::Kind::kRms, {}, {}, config_.eps};
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_norm", block.norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_norm", block.ffn_norm));
  QUIRE_ASSIGN_OR_RETURN(block.q, loader.matrix(prefix + "q"));
  QUIRE_ASSIGN_OR_RETURN(block.k, loader.matrix(prefix + "k"));
  QUIRE_ASSIGN_OR_RETURN(block.v, loader.matrix(prefix + "v"));
  QUIRE_ASSIGN_OR_RETURN(block.o, loader.matrix(prefix + "o"));
  QUIRE_ASSIGN_OR_RETURN(block.gate, loader.matrix(prefix + "gate"));
  QUIRE_ASSIGN_OR_RETURN(block.up, loader.matrix(prefix + "up"));
  QUIRE_ASSIGN_OR_RETURN(block.down, loader.matrix(prefix + "down"));
  QUIRE_ASSIGN_OR_RETURN(block.gate_bias, loader.optional_vector(prefix + "gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(block.up_bias, loader.optional_vector(prefix + "up_bias"));
  QUIRE_ASSIGN_OR_RETURN(block.down_bias, loader.optional_vector(prefix + "down_bias"));
  return ok_status();
}

Status Zamba2::load_use(WeightLoader& loader, int number, CacheSlot cache) {
  const std::string prefix = fmt::format("uses.{}.", number);
  Use& use = uses_.emplace_back();
  const auto load_adapter = [&](const char* name, Adapter& adapter) -> Status {
    if (!config_.has_attention_adapters) return ok_status();
    QUIRE_ASSIGN_OR_RETURN(adapter.in, loader.matrix(prefix + name + "_in"));
    QUIRE_ASSIGN_OR_RETURN(adapter.out, loader.matrix(prefix + name + "_out"));
    return ok_status();
  };
  QUIRE_RETURN_IF_ERROR(load_adapter("q", use.q));
  QUIRE_RETURN_IF_ERROR(load_adapter("k", use.k));
  QUIRE_RETURN_IF_ERROR(load_adapter("v", use.v));
  QUIRE_ASSIGN_OR_RETURN(use.gate_up, loader.matrix(prefix + "gate_up_in"));
  QUIRE_ASSIGN_OR_RETURN(use.gate, loader.matrix(prefix + "gate_out"));
  QUIRE_ASSIGN_OR_RETURN(use.up, loader.matrix(prefix + "up_out"));
  QUIRE_ASSIGN_OR_RETURN(use.out, loader.matrix(prefix + "linear"));
  use.attend = plain_attention(config_.heads, config_.heads, config_.head_dim, cache);
  use.attend.scale = std::sqrt(2.0f / static_cast<float>(config_.head_dim));
  return ok_status();
}

void Zamba2::make_buffers() {
  const ZambaConfig& c = config_;
  const auto of_tokens = [&](int columns) {
    return backend_.buffer(Rows::kTokens, options_.tokens_max, columns);
  };
  const int q = c.uses_in_all() > 0 ? c.heads * c.head_dim : 0;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = q, .v = q, .attended = q,
                        .has_branch = true, .ffn = c.ffn, .vocab = c.vocab});
  mamba_ = Mamba2Workspace::make(backend_, options_, c.mamba);
  embedded_ = of_tokens(c.d_model);
  asked_ = of_tokens(c.d_model);
  wide_ = of_tokens(2 * c.d_model);
  wide_normed_ = of_tokens(2 * c.d_model);
  for (Buffer* low : {&low_q_, &low_k_, &low_v_, &low_}) *low = of_tokens(c.rank);
}

Status Zamba2::load(WeightLoader& loader) {
  const ZambaConfig& c = config_;
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.eps};
  stem_.final_norm = rms;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (c.has_rope) rope_ = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const int uses = c.uses_in_all();
  for (int i = 0; i < std::min(c.blocks, uses); ++i) {
    QUIRE_RETURN_IF_ERROR(load_block(loader, i));
  }
  for (int i = 0; i < uses; ++i) QUIRE_RETURN_IF_ERROR(load_use(loader, i, {0, i}));
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.use = c.uses[static_cast<std::size_t>(i)];
    layer.mamba.norm = rms;
    layer.mamba.gated_norm = {Norm::Kind::kRms, {}, {}, kGatedEps};
    set_shape(layer.mamba, c.mamba, {uses > 0 ? 1 : 0, i});
    QUIRE_RETURN_IF_ERROR(load_mamba2(loader, prefix, layer.mamba));
    mamba_norms_.push_back(layer.mamba.norm);
    layer.mamba.norm = Norm();  // what it reads was normed before
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  make_buffers();
  return ok_status();
}

// --- what the files say ---

// A list of words: "hybrid" layers ask a block. Without one, as the first models have it.
void read_layers(const ConfigFields& fields, ZambaConfig& c) {
  std::vector<std::string> types = fields.strings("layers_block_type");
  const std::vector<std::string> others = fields.strings("layer_types");
  if (types.empty()) types = others;
  const std::vector<int> ids = fields.integers("hybrid_layer_ids", 0, c.layers - 1);
  if (types.empty()) {
    types.assign(static_cast<std::size_t>(c.layers), "mamba");
    for (const int id : ids) types[static_cast<std::size_t>(id)] = "hybrid";
    if (ids.empty()) {
      fields.fail(error(StatusCode::kCorrupt, "{}: missing",
                        fields.name_of("layers_block_type")));
    }
  }
  if (types.size() != static_cast<std::size_t>(c.layers)) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}",
                      fields.name_of("layers_block_type"), types.size(), c.layers));
    types.resize(static_cast<std::size_t>(c.layers), "mamba");
  }
  int uses = 0;
  for (const std::string& type : types) {
    if (type != "hybrid" && type != "mamba" && type != "linear_attention") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                        fields.name_of("layers_block_type"), type.substr(0, 64)));
    }
    c.uses.push_back(type == "hybrid" ? uses++ : -1);
  }
}

void read_mamba(const ConfigFields& fields, ZambaConfig& c) {
  Mamba2Shape& m = c.mamba;
  m.heads = fields.integer("n_mamba_heads", 1, kHeadsMax, 8);
  m.groups = fields.integer("mamba_ngroups", 1, kHeadsMax, 1);
  m.state = fields.integer("mamba_d_state", 1, kHeadDimMax, 64);
  m.width = fields.integer("mamba_d_conv", 2, kConvWidthMax, 4);
  const int inner = c.d_model * fields.integer("mamba_expand", 1, 64, 2);
  m.head_dim = fields.integer("mamba_headdim", 1, kHeadDimMax, std::max(1, inner / m.heads));
  if (m.inner() != inner || m.heads % m.groups != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{} state heads of {} in {} groups for {} channels",
                      m.heads, m.head_dim, m.groups, inner));
    m.heads = m.groups = m.head_dim = 1;
  }
  fields.refuse_false("use_conv_bias");
  // How another program cuts the recurrence, and of a start.
  for (const char* name : {"chunk_size", "use_mem_eff_path", "time_step_min", "time_step_max",
                           "time_step_floor", "time_step_limit"}) {
    fields.mark(name);
  }
}

// In a file whose head is not the embedding nothing is shared: each layer has a block of its own.
void read_sharing(const ConfigFields& fields, ZambaConfig& c) {
  c.blocks = c.stated_blocks = fields.integer("num_mem_blocks", 1, kLayersMax, 1);
  c.has_tied_head = fields.boolean("tie_word_embeddings", true);
  if (c.has_tied_head) return;
  for (int i = 0; i < c.layers; ++i) {
    const std::string name =
        fmt::format("model.layers.{}.shared_transformer.self_attn.q_proj.weight", i);
    const bool is_second = c.uses[static_cast<std::size_t>(i)] >= c.blocks;
    if (is_second && fields.tensor({name, ""}) != nullptr) c.blocks = c.uses_in_all();
  }
}

ZambaConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "Zamba2");
  ZambaConfig c;
  c.vocab = vocab;
  c.layers = fields.integer("num_hidden_layers", 1, kLayersMax);
  c.d_model = fields.integer("hidden_size", 1, kModelWidthMax / 2);
  c.context_max = fields.integer("max_position_embeddings", 1, kContextMax, 4096);
  c.eps = static_cast<float>(fields.number("rms_norm_eps", kRmsEpsMin, kRmsEpsMax, 1e-5));
  read_layers(fields, c);
  read_mamba(fields, c);
  read_sharing(fields, c);
  c.heads = fields.integer("num_attention_heads", 1, kHeadsMax);
  fields.refuse_unless("num_key_value_heads", c.heads);
  c.head_dim = fields.integer("attention_head_dim", 2, kHeadDimMax, 2 * c.d_model / c.heads);
  check_heads(fields, c.heads, c.heads, c.head_dim);
  if (c.heads * c.head_dim != 2 * c.d_model) {
    fields.fail(error(StatusCode::kCorrupt, "{} heads of {} for a width of {}", c.heads,
                      c.head_dim, 2 * c.d_model));
  }
  c.has_rope = fields.boolean("use_mem_rope", false);
  c.rope = read_rope(fields, c.head_dim);
  fields.refuse("use_long_context");
  c.has_attention_adapters = fields.boolean("use_shared_attention_adapter", false);
  c.rank = fields.integer("adapter_rank", 1, kModelWidthMax, 128);
  c.ffn = fields.integer("intermediate_size", 1, kFfnMax, 4 * c.d_model);
  c.has_bias = fields.boolean("add_bias_linear", false);
  c.activation = read_activation(fields, "hidden_act", "gelu");
  // What the others imply, and of generation.
  for (const char* name : {"attention_hidden_size", "kv_channels", "num_query_groups", "head_dim",
                           "num_logits_to_keep", "use_shared_mlp_adapter", "ffn_hidden_size",
                           "gated_linear_unit", "lora_rank", "state_size", "mamba_headdim"}) {
    fields.mark(name);
  }
  return c;
}

// --- tensors and facts ---

std::size_t size(int value) { return static_cast<std::size_t>(value); }

void add_mamba(TensorRules& t, const ZambaConfig& c, int i) {
  const Mamba2Shape& m = c.mamba;
  LayerRules layer(t, i);
  const std::string at = c.uses[size(i)] >= 0 ? "mamba_decoder." : "", mixer = at + "mamba.";
  const std::size_t d = size(c.d_model), heads = size(m.heads), inner = size(m.inner());
  const std::size_t channels = size(m.channels()), all = inner + channels + heads;
  const Stored in = mixer + "in_proj.weight", in_bias = mixer + "in_proj.bias";
  layer.add("mamba_norm", "", at + "input_layernorm.weight", {d}, Role::kNorm);
  layer.add("mamba_gate", "", in.rows(0, all), {inner, d});
  layer.add("mamba_x", "", in.rows(inner, all), {channels, d});
  layer.add("mamba_step", "", in.rows(inner + channels, all), {heads, d});
  layer.add("mamba_conv", "", Stored(mixer + "conv1d.weight").transposed(),
            {size(m.width), channels}, Role::kVector);
  layer.add("mamba_conv_bias", "", mixer + "conv1d.bias", {channels}, Role::kBias);
  layer.add("mamba_rates", "", Stored(mixer + "A_log").converted(Convert::kMinusExp), {heads},
            Role::kVector, {}, -1);
  layer.add("mamba_step_bias", "", mixer + "dt_bias", {heads}, Role::kBias);
  layer.add("mamba_skip", "", mixer + "D", {heads}, Role::kVector, {}, 1);
  layer.add("mamba_gated_norm", "", mixer + "norm.weight", {inner}, Role::kNorm);
  layer.add("mamba_out", "", mixer + "out_proj.weight", {d, inner});
  if (!c.has_bias) return;
  layer.add("mamba_gate_bias", "", in_bias.rows(0, all), {inner}, Role::kBias);
  layer.add("mamba_x_bias", "", in_bias.rows(inner, all), {channels}, Role::kBias);
  layer.add("mamba_step_in_bias", "", in_bias.rows(inner + channels, all), {heads}, Role::kBias);
  layer.add("mamba_out_bias", "", mixer + "out_proj.bias", {d}, Role::kBias);
}

void add_block(TensorRules& t, const ZambaConfig& c, int block) {
  const std::string ours = fmt::format("blocks.{}.", block);
  const std::string at = fmt::format("model.layers.{}.shared_transformer.", c.home(block));
  const auto add = [&](const char* name, Stored hf, std::vector<std::size_t> shape,
                       Role role = Role::kMatrix) {
    hf.name = at + hf.name;
    t.add({ours + name, "", std::move(hf), std::move(shape), role});
  };
  const std::size_t d = size(c.d_model), wide = 2 * d, ffn = size(c.ffn);
  const Stored both = "feed_forward.gate_up_proj.weight", bias = "feed_forward.gate_up_proj.bias";
  add("attn_norm", "input_layernorm.weight", {wide}, Role::kNorm);
  add("ffn_norm", "pre_ff_layernorm.weight", {d}, Role::kNorm);
  add("q", "self_attn.q_proj.weight", {wide, wide});
  add("k", "self_attn.k_proj.weight", {wide, wide});
  add("v", "self_attn.v_proj.weight", {wide, wide});
  add("o", "self_attn.o_proj.weight", {d, wide});
  add("gate", both.rows(0, 2 * ffn), {ffn, d});
  add("up", both.rows(ffn, 2 * ffn), {ffn, d});
  add("down", "feed_forward.down_proj.weight", {d, ffn});
  if (!c.has_bias) return;
  add("gate_bias", bias.rows(0, 2 * ffn), {ffn}, Role::kBias);
  add("up_bias", bias.rows(ffn, 2 * ffn), {ffn}, Role::kBias);
  add("down_bias", "feed_forward.down_proj.bias", {d}, Role::kBias);
}

// Adapters lie in the block that they belong to, under the number of their use.
void add_use(TensorRules& t, const ZambaConfig& c, int use, int layer) {
  const std::string ours = fmt::format("uses.{}.", use);
  const std::string at = fmt::format("model.layers.{}.shared_transformer.", c.home(use));
  const std::size_t d = size(c.d_model), wide = 2 * d, ffn = size(c.ffn), rank = size(c.rank);
  for (const char* part : {"q", "k", "v"}) {
    if (!c.has_attention_adapters) break;
    const std::string list = fmt::format("{}self_attn.linear_{}_adapter_list.{}.", at, part, use);
    t.add({ours + part + "_in", "", list + "0.weight", {rank, wide}});
    t.add({ours + part + "_out", "", list + "1.weight", {wide, rank}});
  }
  const std::string list =
      fmt::format("{}feed_forward.gate_up_proj_adapter_list.{}.", at, use);
  const Stored out = list + "1.weight";
  t.add({ours + "gate_up_in", "", list + "0.weight", {rank, d}});
  t.add({ours + "gate_out", "", out.rows(0, 2 * ffn), {ffn, rank}});
  t.add({ours + "up_out", "", out.rows(ffn, 2 * ffn), {ffn, rank}});
  t.add({ours + "linear", "", fmt::format("model.layers.{}.linear.weight", layer), {d, d}});
}

// A block that is not shared has the adapters of all uses that would have shared it.
void ignore_other_uses(TensorRules& t, const ZambaConfig& c, int use, int layer) {
  for (int other = use % c.stated_blocks; other < c.uses_in_all(); other += c.stated_blocks) {
    if (other == use) continue;
    for (const char* list : {"self_attn.linear_q", "self_attn.linear_k", "self_attn.linear_v",
                             "feed_forward.gate_up_proj"}) {
      t.ignore(fmt::format("model.layers.{}.shared_transformer.{}_adapter_list.{}.*", layer, list,
                           other));
    }
  }
}

TensorRules tensors(const ZambaConfig& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  TensorRule embed = {"embed", "", "model.embed_tokens.weight", {vocab, d}, Role::kTable};
  if (c.has_tied_head) {
    embed.others = {"lm_head.weight"};
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add(std::move(embed));
  t.add({"final_norm", "", "model.final_layernorm.weight", {d}, Role::kNorm});
  for (int i = 0; i < std::min(c.blocks, c.uses_in_all()); ++i) add_block(t, c, i);
  for (int i = 0; i < c.layers; ++i) {
    add_mamba(t, c, i);
    const int use = c.uses[size(i)];
    if (use < 0) continue;
    add_use(t, c, use, i);
    // Some files hold a shared block once more under each layer that asks it.
    if (c.home(use) != i) t.ignore(fmt::format("model.layers.{}.shared_transformer.*", i));
    if (c.blocks != c.stated_blocks) ignore_other_uses(t, c, use, i);
  }
  for (const char* name : {"*.rotary_emb.inv_freq"}) t.ignore(name);
  return t;
}

ModelFacts facts(const ZambaConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  GroupFacts positions = plain_group(0, c.heads, c.heads, c.head_dim), states;
  states.name = "state";
  states.holds_state = true;
  states.state_bytes = size(c.mamba.state_floats()) * sizeof(float);
  for (int i = 0; i < c.layers; ++i) {
    if (c.uses[size(i)] >= 0) positions.layers.push_back(i);
    states.layers.push_back(i);
  }
  if (!positions.layers.empty()) f.groups.push_back(positions);
  f.groups.push_back(states);
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"layers", fmt::format("{} recurrent, {} of them ask {} shared blocks", c.layers,
                                    c.uses_in_all(), c.blocks)},
             {"heads", fmt::format("{} of {}", c.heads, c.head_dim)},
             {"states", fmt::format("{} of {} x {}, {} groups, convolution of {}", c.mamba.heads,
                                    c.mamba.state, c.mamba.head_dim, c.mamba.groups,
                                    c.mamba.width)},
             {"rope", c.has_rope ? rope_text(c.rope) : "none"}};
  return f;
}

}  // namespace

extern const Architecture kZamba2;
constexpr Architecture kZamba2 = {
    "zamba2",
    {"zamba2"},
    {},
    design_of<read, tensors, facts, Zamba2>,
    {
     {"tiny-zamba2",
      R"({"hidden_size":128,"num_hidden_layers":5,"layers_block_type":["mamba","hybrid","hybrid",
"mamba","hybrid"],"n_mamba_heads":8,"mamba_ngroups":2,"mamba_d_state":40,"mamba_d_conv":4,
"mamba_expand":2,"num_attention_heads":8,"num_key_value_heads":8,"num_mem_blocks":2,
"adapter_rank":32,"use_shared_attention_adapter":true,"use_mem_rope":true,"rope_theta":10000,
"intermediate_size":160,"vocab_size":517,"max_position_embeddings":2048,"rms_norm_eps":1e-5})"},
    }};

}  // namespace quire
