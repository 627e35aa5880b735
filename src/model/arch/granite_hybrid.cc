// Granite 4 (IBM, 2025): Mamba-2 layers with attention in between, each with a feed-forward block
// that every token goes through and perhaps experts beside it, and four multipliers: of embeddings,
// of what joins the residual stream, of attention's scores and (as divisor) of logits. Attention
// turns by position or not at all. What a sequence leaves behind is keys and values in one KV group
// and states in another.
// Pure functions, and a model that the thread of the device drives.
#include <algorithm>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mamba2.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

struct GraniteConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  std::vector<bool> is_mamba;  // [layers]
  int heads = 0, kv_heads = 0, head_dim = 0;
  Mamba2Shape mamba;
  bool has_conv_bias = true;
  float step_min = 0, step_max = std::numeric_limits<float>::infinity();
  int experts = 0, used = 0, expert_ffn = 0;
  int shared_ffn = 0;
  bool has_rope = false;
  RopeConfig rope;
  float rms_eps = 1e-5f;
  float embedding_scale = 1, residual_scale = 1, attention_scale = 1, logit_scale = 1;
  bool has_tied_head = false;

  int mamba_layers() const {
    return static_cast<int>(std::count(is_mamba.begin(), is_mamba.end(), true));
  }
};

struct Layer {
  bool is_mamba = false;
  Mamba2Layer mamba;
  AttentionLayer attention;
  MlpLayer mlp;  // where there are no experts
  MoeLayer moe;
};

class Granite : public Model {
 public:
  Granite(const GraniteConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      if (layer.is_mamba) {
        run_mamba2(layer.mamba, program_, w_, mamba_);
      } else {
        run_attention(layer.attention, program_, w_);
      }
      if (config_.experts > 0) {
        run_moe(layer.moe, program_, w_, moe_);
      } else {
        run_mlp(layer.mlp, program_, w_);
      }
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  Status load_layer(WeightLoader& loader, int index, const Rope& rope, CacheSlot cache);

  GraniteConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Mamba2Workspace mamba_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Granite::load_layer(WeightLoader& loader, int index, const Rope& rope, CacheSlot cache) {
  const GraniteConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", index);
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  Layer& layer = layers_.emplace_back();
  layer.is_mamba = c.is_mamba[static_cast<std::size_t>(index)];
  layer.mamba.norm = layer.mamba.gated_norm = rms;
  layer.attention.norm = layer.mlp.norm = layer.moe.norm = rms;
  layer.mamba.branch.scale = layer.attention.branch.scale = c.residual_scale;
  layer.mlp.branch.scale = layer.moe.scale = c.residual_scale;
  if (layer.is_mamba) {
    set_shape(layer.mamba, c.mamba, cache);
    layer.mamba.recurrence.step_min = c.step_min;
    layer.mamba.recurrence.step_max = c.step_max;
    QUIRE_RETURN_IF_ERROR(load_mamba2(loader, prefix, layer.mamba));
  } else {
    layer.attention.q_rope = layer.attention.k_rope = rope;
    layer.attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, cache);
    layer.attention.attend.scale = c.attention_scale;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
  }
  if (c.experts == 0) return load_mlp(loader, prefix, layer.mlp);
  layer.moe.router.experts = c.experts;
  layer.moe.router.used = c.used;
  layer.moe.router.is_renormalised = true;
  return load_moe(loader, prefix, layer.moe);
}

Status Granite::load(WeightLoader& loader) {
  const GraniteConfig& c = config_;
  stem_.final_norm = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  stem_.embedding_scale = c.embedding_scale;
  stem_.logit_scale = c.logit_scale;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  Rope rope;
  if (c.has_rope) rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const int state_group = c.mamba_layers() < c.layers ? 1 : 0;  // see facts
  int attention_layers = 0, mamba_layers = 0;
  for (int i = 0; i < c.layers; ++i) {
    const bool is_mamba = c.is_mamba[static_cast<std::size_t>(i)];
    const CacheSlot cache = is_mamba ? CacheSlot{state_group, mamba_layers++}
                                     : CacheSlot{0, attention_layers++};
    QUIRE_RETURN_IF_ERROR(load_layer(loader, i, rope, cache));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_branch = c.residual_scale != 1,
                        .ffn = c.experts == 0 ? c.shared_ffn : 0, .vocab = c.vocab});
  mamba_ = Mamba2Workspace::make(backend_, options_, c.mamba);
  if (c.experts == 0) return ok_status();
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.experts, .used = c.used,
                             .ffn = c.expert_ffn, .shared_ffn = c.shared_ffn});
  return ok_status();
}

// --- what the files say ---

// Which layers are recurrent: a list of words, or in GGUF no key heads.
void read_layers(const ConfigFields& fields, GraniteConfig& c) {
  const Key kv_heads = {"num_key_value_heads", "attention.head_count_kv"};
  if (fields.is_gguf()) {
    for (const int heads : fields.integers_per_layer(kv_heads, c.layers, 0, kHeadsMax)) {
      c.is_mamba.push_back(heads == 0);
      c.kv_heads = std::max(c.kv_heads, heads);
    }
    if (c.kv_heads == 0) c.kv_heads = c.heads;
    return;
  }
  c.kv_heads = fields.integer(kv_heads, 1, kHeadsMax, c.heads);
  std::vector<std::string> types = fields.strings("layer_types");
  if (types.empty()) types = fields.strings("layers_block_type");
  fields.mark("layers_block_type");
  if (types.empty()) types.assign(static_cast<std::size_t>(c.layers), "mamba");
  for (const std::string& type : types) {
    const bool is_mamba = type == "mamba" || type == "linear_attention";
    if (!is_mamba && type != "attention" && type != "full_attention") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                        fields.name_of("layer_types"), type.substr(0, 64)));
    }
    c.is_mamba.push_back(is_mamba);
  }
  if (c.is_mamba.size() == static_cast<std::size_t>(c.layers)) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of("layer_types"),
                    types.size(), c.layers));
  c.is_mamba.resize(static_cast<std::size_t>(c.layers));
}

void read_mamba(const ConfigFields& fields, GraniteConfig& c) {
  Mamba2Shape& m = c.mamba;
  m.heads = fields.integer({"mamba_n_heads", "ssm.time_step_rank"}, 1, kHeadsMax);
  m.groups = fields.integer({"mamba_n_groups", "ssm.group_count"}, 1, kHeadsMax, 1);
  m.state = fields.integer({"mamba_d_state", "ssm.state_size"}, 1, kHeadDimMax);
  m.width = fields.integer({"mamba_d_conv", "ssm.conv_kernel"}, 2, kConvWidthMax);
  int inner = fields.integer({"", "ssm.inner_size"}, 1, kHeadsWidthMax, 1);
  if (!fields.is_gguf()) inner = c.d_model * fields.integer("mamba_expand", 1, 64, 2);
  m.head_dim = inner / m.heads;
  if (!fields.is_gguf() && fields.has("mamba_d_head")) {
    const bool is_auto = fields.is_text("mamba_d_head");
    if (is_auto) fields.refuse_unless("mamba_d_head", "auto");
    if (!is_auto) m.head_dim = fields.integer("mamba_d_head", 1, kHeadDimMax);
  }
  if (m.head_dim * m.heads != inner || m.heads % m.groups != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{} state heads of {} in {} groups for {} channels",
                      m.heads, m.head_dim, m.groups, inner));
  }
  c.has_conv_bias = fields.boolean({"mamba_conv_bias", ""}, true);
  fields.refuse({"mamba_proj_bias", ""});
  fields.mark({"mamba_chunk_size", ""});  // how another program cuts the recurrence
  constexpr double kUnbounded = std::numeric_limits<double>::infinity();
  const std::vector<double> bounds = fields.numbers({"time_step_limit", ""}, 0, kUnbounded);
  if (bounds.empty()) return;
  if (bounds.size() != 2 || bounds[0] > bounds[1]) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: not two bounds",
                             fields.name_of({"time_step_limit", ""})));
  }
  c.step_min = static_cast<float>(bounds[0]);
  c.step_max = static_cast<float>(bounds[1]);
}

void read_attention(const ConfigFields& fields, GraniteConfig& c) {
  const Key head_dim = {"head_dim", "attention.key_length"};
  c.head_dim = fields.integer(head_dim, 2, kHeadDimMax, c.d_model / c.heads);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  fields.refuse({"attention_bias", ""});
  c.rope = read_rope(fields, c.head_dim);
  c.rope.pairing = fields.is_gguf() ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  const std::string positions = fields.string({"position_embedding_type", ""}, "nope");
  if (positions != "rope" && positions != "nope") {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported, only rope and nope",
                      fields.name_of({"position_embedding_type", ""}), positions.substr(0, 64)));
  }
  c.has_rope = fields.is_gguf() ? fields.boolean("rope.scaling.finetuned", true)
                                : positions == "rope";
}

void read_blocks(const ConfigFields& fields, GraniteConfig& c) {
  const int fallback = fields.is_gguf() ? 0 : 8;
  c.experts = fields.integer({"num_local_experts", "expert_count"}, 0, kExpertsMax, fallback);
  const Key ffn = {"intermediate_size", "feed_forward_length"};
  const Key used = {"num_experts_per_tok", "expert_used_count"};
  fields.mark(ffn);
  fields.mark(used);
  const Key shared = {"shared_intermediate_size", "expert_shared_feed_forward_length"};
  if (c.experts == 0) {
    // GGUF says it twice, and where they differ the block is as wide as the shared one.
    const Key once = {"shared_intermediate_size", "feed_forward_length"};
    c.shared_ffn = fields.integer(fields.has(shared) ? shared : once, 1, kFfnMax);
    return;
  }
  c.used = fields.integer(used, 1, c.experts);
  c.expert_ffn = fields.integer(ffn, 1, kFfnMax);
  c.shared_ffn = fields.integer(shared, 0, kFfnMax, 0);
}

GraniteConfig read(const ConfigFields& fields, int vocab) {
  constexpr double kScaleMin = 1e-6, kScaleMax = 1e6;
  const auto scale = [&](const Key& key) {
    return static_cast<float>(fields.number(key, kScaleMin, kScaleMax, 1.0));
  };
  GraniteConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.rms_eps = static_cast<float>(
      fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
                    1e-6));
  read_layers(fields, c);
  read_mamba(fields, c);
  read_attention(fields, c);
  read_blocks(fields, c);
  c.embedding_scale = scale({"embedding_multiplier", "embedding_scale"});
  c.residual_scale = scale({"residual_multiplier", "residual_scale"});
  c.attention_scale = scale({"attention_multiplier", "attention.scale"});
  c.logit_scale = 1 / scale({"logits_scaling", "logit_scale"});
  fields.refuse_unless({"hidden_act", ""}, "silu");
  fields.refuse_unless({"normalization_function", ""}, "rmsnorm");
  fields.mark({"init_method", ""});  // of training
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, fields.is_gguf() && !has_head);
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

void add_mamba(LayerRules layer, const GraniteConfig& c) {
  const Mamba2Shape& m = c.mamba;
  const std::size_t d = size(c.d_model), heads = size(m.heads), inner = size(m.inner());
  const std::size_t channels = size(m.channels()), all = inner + channels + heads;
  const Stored gguf = "ssm_in.weight", hf = "mamba.in_proj.weight";
  layer.add("mamba_norm", "attn_norm.weight", "input_layernorm.weight", {d}, Role::kNorm);
  layer.add("mamba_gate", gguf.rows(0, all), hf.rows(0, all), {inner, d});
  layer.add("mamba_x", gguf.rows(inner, all), hf.rows(inner, all), {channels, d});
  layer.add("mamba_step", gguf.rows(inner + channels, all), hf.rows(inner + channels, all),
            {heads, d});
  layer.add("mamba_conv", Stored("ssm_conv1d.weight").transposed(),
            Stored("mamba.conv1d.weight").transposed(), {size(m.width), channels}, Role::kVector);
  if (c.has_conv_bias) {
    layer.add("mamba_conv_bias", "ssm_conv1d.bias", "mamba.conv1d.bias", {channels}, Role::kBias);
  }
  layer.add("mamba_rates", "ssm_a", Stored("mamba.A_log").converted(Convert::kMinusExp), {heads},
            Role::kVector, {}, -1);
  layer.add("mamba_step_bias", "ssm_dt.bias", "mamba.dt_bias", {heads}, Role::kBias);
  layer.add("mamba_skip", "ssm_d", "mamba.D", {heads}, Role::kVector, {}, 1);
  layer.add("mamba_gated_norm", "ssm_norm.weight", "mamba.norm.weight", {inner}, Role::kNorm);
  layer.add("mamba_out", "ssm_out.weight", "mamba.out_proj.weight", {d, inner});
}

void add_attention(LayerRules layer, const GraniteConfig& c) {
  const std::size_t d = size(c.d_model), q = size(c.heads * c.head_dim);
  const std::size_t kv = size(c.kv_heads * c.head_dim);
  layer.add("attn_norm", "attn_norm.weight", "input_layernorm.weight", {d}, Role::kNorm);
  layer.add("q", "attn_q.weight", "self_attn.q_proj.weight", {q, d});
  layer.add("k", "attn_k.weight", "self_attn.k_proj.weight", {kv, d});
  layer.add("v", "attn_v.weight", "self_attn.v_proj.weight", {kv, d});
  layer.add("o", "attn_output.weight", "self_attn.o_proj.weight", {d, q});
}

// Both halves of the way in are one tensor, of experts as well.
void add_blocks(LayerRules layer, const GraniteConfig& c) {
  const std::size_t d = size(c.d_model), shared = size(c.shared_ffn);
  layer.add("ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", {d}, Role::kNorm);
  const Stored in = "shared_mlp.input_linear.weight", out = "shared_mlp.output_linear.weight";
  const bool has_experts = c.experts > 0;
  if (shared > 0) {
    layer.add(has_experts ? "shared_gate" : "gate",
              has_experts ? "ffn_gate_shexp.weight" : "ffn_gate.weight", in.rows(0, 2 * shared),
              {shared, d});
    layer.add(has_experts ? "shared_up" : "up",
              has_experts ? "ffn_up_shexp.weight" : "ffn_up.weight", in.rows(shared, 2 * shared),
              {shared, d});
    layer.add(has_experts ? "shared_down" : "down",
              has_experts ? "ffn_down_shexp.weight" : "ffn_down.weight", out, {d, shared});
  }
  if (!has_experts) return;
  const std::size_t experts = size(c.experts), ffn = size(c.expert_ffn);
  const Stored first = "block_sparse_moe.input_linear.weight";
  const Stored fused = "block_sparse_moe.experts.gate_up_proj";
  layer.add("router", "ffn_gate_inp.weight", "block_sparse_moe.router.layer.weight", {experts, d},
            Role::kRouter, {"block_sparse_moe.router.weight"});
  layer.add("experts_gate", "ffn_gate_exps.weight", first.rows(0, 2 * ffn), {experts, ffn, d},
            Role::kExperts, {fused.rows(0, 2 * ffn)});
  layer.add("experts_up", "ffn_up_exps.weight", first.rows(ffn, 2 * ffn), {experts, ffn, d},
            Role::kExperts, {fused.rows(ffn, 2 * ffn)});
  layer.add("experts_down", "ffn_down_exps.weight", "block_sparse_moe.output_linear.weight",
            {experts, d, ffn}, Role::kExperts, {"block_sparse_moe.experts.down_proj"});
}

TensorRules tensors(const GraniteConfig& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  TensorRules t;
  TensorRule embed = {"embed", "token_embd.weight", "model.embed_tokens.weight", {vocab, d},
                      Role::kTable};
  if (c.has_tied_head) {
    embed.others = {"lm_head.weight"};
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add(std::move(embed));
  t.add({"final_norm", "output_norm.weight", "model.norm.weight", {d}, Role::kNorm});
  for (int i = 0; i < c.layers; ++i) {
    const LayerRules layer(t, i);
    c.is_mamba[size(i)] ? add_mamba(layer, c) : add_attention(layer, c);
    add_blocks(layer, c);
  }
  t.ignore("rope_freqs.weight");
  t.ignore("*.rotary_emb.inv_freq");
  return t;
}

ModelFacts facts(const GraniteConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.experts;
  f.experts_active = c.used;
  GroupFacts positions = plain_group(0, c.heads, c.kv_heads, c.head_dim), states;
  states.name = "state";
  states.holds_state = true;
  states.state_bytes = size(c.mamba.state_floats()) * sizeof(float);
  for (int i = 0; i < c.layers; ++i) {
    (c.is_mamba[size(i)] ? states : positions).layers.push_back(i);
  }
  if (!positions.layers.empty()) f.groups.push_back(positions);
  if (!states.layers.empty()) f.groups.push_back(states);
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.shared_ffn)},
             {"layers", fmt::format("{} recurrent, {} of attention", c.mamba_layers(),
                                    c.layers - c.mamba_layers())},
             {"heads", fmt::format("{} of {}, key-value {}", c.heads, c.head_dim, c.kv_heads)},
             {"states", fmt::format("{} of {} x {}, {} groups, convolution of {}", c.mamba.heads,
                                    c.mamba.state, c.mamba.head_dim, c.mamba.groups,
                                    c.mamba.width)},
             {"rope", c.has_rope ? rope_text(c.rope) : "none"}};
  if (c.experts > 0) {
    f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used", c.experts, c.expert_ffn,
                                                c.used));
  }
  return f;
}

}  // namespace

extern const Architecture kGraniteHybrid;
constexpr Architecture kGraniteHybrid = {
    "granite_hybrid",
    {"granitemoehybrid", "granitehybrid"},
    {},
    design_of<read, tensors, facts, Granite>,
    {
     {"granite-4-h-micro",
      R"({"hidden_size":2048,"num_hidden_layers":40,"num_attention_heads":32,
"num_key_value_heads":8,
"intermediate_size":8192,"shared_intermediate_size":8192,"num_local_experts":0,
"mamba_n_heads":64,"mamba_d_head":64,"mamba_d_state":128,"mamba_n_groups":1,
"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":12,"residual_multiplier":0.22,
"attention_multiplier":0.015625,"logits_scaling":8,"position_embedding_type":"nope",
"vocab_size":100352,"max_position_embeddings":131072,"tie_word_embeddings":true,
"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","mamba","mamba","mamba","attention",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba","mamba",
"mamba","mamba","mamba","mamba","mamba","mamba","mamba","attention","mamba","mamba","mamba",
"mamba"]})"},
     {"granite-4-h-tiny",
      R"({"hidden_size":1536,"num_hidden_layers":40,"num_attention_heads":12,
"num_key_value_heads":4,
"intermediate_size":512,"shared_intermediate_size":1024,"num_local_experts":64,
"num_experts_per_tok":6,"mamba_n_heads":48,"mamba_d_head":64,"mamba_d_state":128,
"mamba_n_groups":1,"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":12,
"residual_multiplier":0.22,"attention_multiplier":0.0078125,"logits_scaling":6,
"position_embedding_type":"nope","vocab_size":100352,"max_position_embeddings":131072,
"tie_word_embeddings":true,"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","mamba",
"mamba","mamba","attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"mamba","attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"attention","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba","mamba",
"attention","mamba","mamba","mamba","mamba"]})"},
     {"tiny-granite",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":96,"shared_intermediate_size":192,"num_local_experts":0,
"mamba_n_heads":16,"mamba_d_head":32,"mamba_d_state":40,"mamba_n_groups":1,"mamba_d_conv":4,
"mamba_expand":2,"embedding_multiplier":2,"residual_multiplier":0.5,
"attention_multiplier":0.25,"logits_scaling":2,"position_embedding_type":"nope",
"vocab_size":517,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rms_norm_eps":1e-5,"layer_types":["mamba","mamba","attention","mamba"]})"},
     {"tiny-granite-moe",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":8,"num_key_value_heads":2,
"intermediate_size":96,"shared_intermediate_size":128,"num_local_experts":6,
"num_experts_per_tok":2,"mamba_n_heads":16,"mamba_d_head":32,"mamba_d_state":40,
"mamba_n_groups":2,"mamba_d_conv":4,"mamba_expand":2,"embedding_multiplier":2,
"residual_multiplier":0.5,"attention_multiplier":0.25,"logits_scaling":2,
"position_embedding_type":"rope","rope_theta":10000,"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-5,"layer_types":["mamba","attention",
"mamba"]})"},
    }};

}  // namespace quire
