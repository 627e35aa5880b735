// Qwen3-Next (Alibaba, 2025) and Qwen3.5 (2026): three layers of the gated delta rule for one of
// softmax attention, whose output has a gate of its own and whose heads turn by a quarter; a gated
// feed-forward block or experts beside one that every token goes through. Norms are stored as their
// distance from 1. Qwen3-Next weaves the parts of its projections head by head, Qwen3.5 has them
// one behind the other. GGUF has the parts one behind the other in both, and the value heads of
// Qwen3.5 in another order: those that share a key head lie as many apart as there are key heads.
// Of a model that sees, the text part is read: positions in three directions are the same number
// there.
// Pure functions, and a model that the thread of the device drives.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/delta_net.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

struct QwenConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  std::vector<bool> is_delta;    // [layers]
  std::vector<bool> has_experts;  // [layers]
  int heads = 0, kv_heads = 0, head_dim = 0;
  DeltaNetShape delta;
  bool is_woven = false;  // projections of the delta rule, key head by key head
  int drafting_layers = 0;  // behind the others, of a head that drafts: left out
  int ffn = 0;
  int experts = 0, used = 0, expert_ffn = 0, shared_ffn = 0;
  bool is_renormalised = true;
  RopeConfig rope;
  float rms_eps = 1e-6f;
  bool has_tied_head = false;

  int delta_layers() const {
    return static_cast<int>(std::count(is_delta.begin(), is_delta.end(), true));
  }
  bool has_plain_block() const {
    return std::find(has_experts.begin(), has_experts.end(), false) != has_experts.end();
  }
};

struct Layer {
  bool is_delta = false, has_experts = false;
  DeltaNetLayer delta;
  AttentionLayer attention;
  MlpLayer mlp;
  MoeLayer moe;
};

class Qwen3Next : public Model {
 public:
  Qwen3Next(const QwenConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      if (layer.is_delta) {
        run_delta_net(layer.delta, program_, w_, delta_);
      } else {
        run_attention(layer.attention, program_, w_);
      }
      if (layer.has_experts) {
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

  QwenConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  DeltaNetWorkspace delta_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Qwen3Next::load_layer(WeightLoader& loader, int index, const Rope& rope, CacheSlot cache) {
  const QwenConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", index);
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  Layer& layer = layers_.emplace_back();
  layer.is_delta = c.is_delta[static_cast<std::size_t>(index)];
  layer.has_experts = c.has_experts[static_cast<std::size_t>(index)];
  layer.delta.norm = layer.delta.gated_norm = rms;
  layer.attention.norm = layer.mlp.norm = layer.moe.norm = rms;
  if (layer.is_delta) {
    set_shape(layer.delta, c.delta, cache);
    QUIRE_RETURN_IF_ERROR(load_delta_net(loader, prefix, layer.delta));
  } else {
    layer.attention.q_rope = layer.attention.k_rope = rope;
    layer.attention.q_rope.norm = layer.attention.k_rope.norm = rms;
    layer.attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, cache);
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
  }
  if (!layer.has_experts) return load_mlp(loader, prefix, layer.mlp);
  layer.moe.router.experts = c.experts;
  layer.moe.router.used = c.used;
  layer.moe.router.is_renormalised = c.is_renormalised;
  return load_moe(loader, prefix, layer.moe);
}

Status Qwen3Next::load(WeightLoader& loader) {
  const QwenConfig& c = config_;
  stem_.final_norm = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const int state_group = c.delta_layers() < c.layers ? 1 : 0;  // see facts
  int attention_layers = 0, delta_layers = 0;
  for (int i = 0; i < c.layers; ++i) {
    const bool is_delta = c.is_delta[static_cast<std::size_t>(i)];
    const CacheSlot cache = is_delta ? CacheSlot{state_group, delta_layers++}
                                     : CacheSlot{0, attention_layers++};
    QUIRE_RETURN_IF_ERROR(load_layer(loader, i, rope, cache));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_output_gate = true, .ffn = c.has_plain_block() ? c.ffn : 0,
                        .vocab = c.vocab});
  delta_ = DeltaNetWorkspace::make(backend_, options_, c.delta);
  if (c.experts == 0) return ok_status();
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.experts, .used = c.used,
                             .ffn = c.expert_ffn, .shared_ffn = c.shared_ffn,
                             .has_shared_scale = true});
  return ok_status();
}

// --- what the files say ---

// A list of words, or every so many layers one of attention.
void read_layers(const ConfigFields& fields, QwenConfig& c) {
  const int interval = fields.integer("full_attention_interval", 1, kLayersMax, 4);
  const std::vector<std::string> types = fields.strings({"layer_types", ""});
  for (int i = 0; i < c.layers && types.empty(); ++i) c.is_delta.push_back((i + 1) % interval != 0);
  for (const std::string& type : types) {
    if (type != "linear_attention" && type != "full_attention") {
      fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                        fields.name_of("layer_types"), type.substr(0, 64)));
    }
    c.is_delta.push_back(type == "linear_attention");
  }
  if (c.is_delta.size() == static_cast<std::size_t>(c.layers)) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of("layer_types"),
                    types.size(), c.layers));
  c.is_delta.resize(static_cast<std::size_t>(c.layers));
}

void read_delta(const ConfigFields& fields, QwenConfig& c) {
  DeltaNetShape& d = c.delta;
  d.k_heads = fields.integer({"linear_num_key_heads", "ssm.group_count"}, 1, kHeadsMax, 16);
  d.v_heads = fields.integer({"linear_num_value_heads", "ssm.time_step_rank"}, 1, kHeadsMax, 32);
  d.k_dim = fields.integer({"linear_key_head_dim", "ssm.state_size"}, 1, kHeadDimMax, 128);
  d.v_dim = fields.integer({"linear_value_head_dim", ""}, 1, kHeadDimMax, 128);
  d.width = fields.integer({"linear_conv_kernel_dim", "ssm.conv_kernel"}, 2, kConvWidthMax, 4);
  d.is_tiled = fields.is_gguf() && !c.is_woven;
  if (fields.is_gguf()) {
    const Key inner = {"", "ssm.inner_size"};
    const int values = fields.integer(inner, d.v_heads, d.v_heads * kHeadDimMax);
    d.v_dim = values / d.v_heads;
    fields.refuse_unless(inner, d.v_dim * d.v_heads);
  }
  fields.mark("mamba_ssm_dtype");  // states are float32 here
  if (d.v_heads % d.k_heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} value heads for {} key heads",
                      fields.name_of({"linear_num_value_heads", "ssm.time_step_rank"}), d.v_heads,
                      d.k_heads));
    d.v_heads = d.k_heads;
  }
}

void read_attention(const ConfigFields& fields, QwenConfig& c) {
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.kv_heads =
      fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, c.heads);
  c.head_dim = fields.integer({"head_dim", "attention.key_length"}, 2, kHeadDimMax, 256);
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  fields.refuse("attention_bias");
  if (!fields.boolean("attn_output_gate", true)) {
    fields.fail(error(StatusCode::kUnsupported, "{}: false is not supported",
                      fields.name_of("attn_output_gate")));
  }
  fields.refuse("use_sliding_window");
  c.rope = read_rope(fields, c.head_dim, {.theta = 10000, .partial = 0.25});
  fields.mark({"", "rope.dimension_sections"});  // as mrope_section below
  if (fields.is_gguf()) return;
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const auto parameters = fields.object(name);
    if (!parameters) continue;
    parameters->mark("mrope_section");  // which direction each pair turns by: the same for text
    parameters->mark("mrope_interleaved");
  }
}

void read_blocks(const ConfigFields& fields, QwenConfig& c) {
  const Key ffn = {"intermediate_size", "feed_forward_length"};
  const Key used = {"num_experts_per_tok", "expert_used_count"};
  const Key expert_ffn = {"moe_intermediate_size", "expert_feed_forward_length"};
  const Key shared_ffn = {"shared_expert_intermediate_size", "expert_shared_feed_forward_length"};
  const Key norm = {"norm_topk_prob", ""};  // GGUF is of models that do
  c.experts = fields.integer({"num_experts", "expert_count"}, 0, kExpertsMax, 0);
  const int step = fields.integer("decoder_sparse_step", 1, kLayersMax, 1);
  const std::vector<int> plain = fields.integers("mlp_only_layers", 0, kLayersMax);
  for (int i = 0; i < c.layers; ++i) {
    const bool is_plain = std::find(plain.begin(), plain.end(), i) != plain.end();
    c.has_experts.push_back(c.experts > 0 && !is_plain && (i + 1) % step == 0);
  }
  for (const Key& key : {ffn, used, expert_ffn, shared_ffn, norm}) fields.mark(key);
  if (c.has_plain_block()) c.ffn = fields.integer(ffn, 1, kFfnMax);
  if (c.experts == 0) return;
  c.used = fields.integer(used, 1, c.experts, std::min(c.experts, 10));
  c.expert_ffn = fields.integer(expert_ffn, 1, kFfnMax);
  c.shared_ffn = fields.integer(shared_ffn, 1, kFfnMax);
  c.is_renormalised = fields.boolean(norm, true);
}

template <bool is_woven>
QwenConfig read(const ConfigFields& fields, int vocab) {
  QwenConfig c;
  c.is_woven = is_woven;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.drafting_layers = fields.integer({"", "nextn_predict_layers"}, 0, c.layers - 1, 0);
  c.layers -= c.drafting_layers;  // which GGUF counts among the others
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.rms_eps = static_cast<float>(
      fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
                    1e-6));
  read_layers(fields, c);
  read_delta(fields, c);
  read_attention(fields, c);
  read_blocks(fields, c);
  fields.refuse_unless("hidden_act", "silu");
  // A head that drafts: its tensors are left out.
  for (const char* name : {"mtp_num_hidden_layers", "mtp_use_dedicated_embeddings"}) {
    fields.mark(name);
  }
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, fields.is_gguf() && !has_head);
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// GGUF has norms as they are.
void add_norm(LayerRules& layer, const char* name, const char* gguf, const char* hf,
              std::size_t columns) {
  layer.add(name, gguf, Stored(hf).converted(Convert::kPlusOne), {columns}, Role::kNorm);
}

// Of each key head: a query, a key, the values of its value heads, their gates; and of the small
// projection, in GGUF too, how much is written and how much is kept.
void add_woven_delta(LayerRules& layer, const QwenConfig& c) {
  const DeltaNetShape& n = c.delta;
  const std::size_t d = size(c.d_model), keys = size(n.keys()), values = size(n.values());
  const std::size_t k = size(n.k_dim), shared = size(n.v_heads / n.k_heads);
  const std::size_t v = shared * size(n.v_dim), every = 2 * k + 2 * v;
  const std::size_t total = 2 * (keys + values), heads = size(n.v_heads);
  const Stored wide = "linear_attn.in_proj_qkvz.weight", narrow = "linear_attn.in_proj_ba.weight";
  const Stored gguf = "attn_qkv.weight", gguf_narrow = "ssm_ba.weight";
  const std::size_t channels = size(n.channels());
  layer.add("delta_q", gguf.rows(0, channels), wide.runs(0, k, every, total), {keys, d});
  layer.add("delta_k", gguf.rows(keys, channels), wide.runs(k, k, every, total), {keys, d});
  layer.add("delta_v", gguf.rows(2 * keys, channels), wide.runs(2 * k, v, every, total),
            {values, d});
  layer.add("delta_gate", "attn_gate.weight", wide.runs(2 * k + v, v, every, total), {values, d});
  layer.add("delta_beta", gguf_narrow.runs(0, shared, 2 * shared, 2 * heads),
            narrow.runs(0, shared, 2 * shared, 2 * heads), {heads, d});
  layer.add("delta_step", gguf_narrow.runs(shared, shared, 2 * shared, 2 * heads),
            narrow.runs(shared, shared, 2 * shared, 2 * heads), {heads, d});
}

void add_plain_delta(LayerRules& layer, const QwenConfig& c) {
  const DeltaNetShape& n = c.delta;
  const std::size_t d = size(c.d_model), keys = size(n.keys()), values = size(n.values());
  const std::size_t total = size(n.channels()), heads = size(n.v_heads);
  const Stored wide = "linear_attn.in_proj_qkv.weight", gguf = "attn_qkv.weight";
  layer.add("delta_q", gguf.rows(0, total), wide.rows(0, total), {keys, d});
  layer.add("delta_k", gguf.rows(keys, total), wide.rows(keys, total), {keys, d});
  layer.add("delta_v", gguf.rows(2 * keys, total), wide.rows(2 * keys, total), {values, d});
  layer.add("delta_gate", "attn_gate.weight", "linear_attn.in_proj_z.weight", {values, d});
  layer.add("delta_beta", "ssm_beta.weight", "linear_attn.in_proj_b.weight", {heads, d});
  layer.add("delta_step", "ssm_alpha.weight", "linear_attn.in_proj_a.weight", {heads, d});
}

void add_delta(LayerRules layer, const QwenConfig& c) {
  const DeltaNetShape& n = c.delta;
  const std::size_t d = size(c.d_model), heads = size(n.v_heads);
  add_norm(layer, "delta_norm", "attn_norm.weight", "input_layernorm.weight", d);
  c.is_woven ? add_woven_delta(layer, c) : add_plain_delta(layer, c);
  layer.add("delta_conv", Stored("ssm_conv1d.weight").transposed(),
            Stored("linear_attn.conv1d.weight").transposed(),
            {size(n.width), size(n.channels())}, Role::kVector);
  layer.add("delta_rates", "ssm_a", Stored("linear_attn.A_log").converted(Convert::kMinusExp),
            {heads}, Role::kVector, {}, -1);
  layer.add("delta_step_bias", "ssm_dt.bias", "linear_attn.dt_bias", {heads}, Role::kBias);
  layer.add("delta_gated_norm", "ssm_norm.weight", "linear_attn.norm.weight", {size(n.v_dim)},
            Role::kNorm);
  layer.add("delta_out", "ssm_out.weight", "linear_attn.out_proj.weight", {d, size(n.values())});
}

// Of each query head: its query and its gate.
void add_attention(LayerRules layer, const QwenConfig& c) {
  const std::size_t d = size(c.d_model), head = size(c.head_dim);
  const std::size_t q = size(c.heads) * head, kv = size(c.kv_heads) * head;
  const Stored fused = "self_attn.q_proj.weight", gguf = "attn_q.weight";
  add_norm(layer, "attn_norm", "attn_norm.weight", "input_layernorm.weight", d);
  layer.add("q", gguf.runs(0, head, 2 * head, 2 * q), fused.runs(0, head, 2 * head, 2 * q),
            {q, d});
  layer.add("attn_gate", gguf.runs(head, head, 2 * head, 2 * q),
            fused.runs(head, head, 2 * head, 2 * q), {q, d});
  layer.add("k", "attn_k.weight", "self_attn.k_proj.weight", {kv, d});
  layer.add("v", "attn_v.weight", "self_attn.v_proj.weight", {kv, d});
  layer.add("o", "attn_output.weight", "self_attn.o_proj.weight", {d, q});
  add_norm(layer, "q_norm", "attn_q_norm.weight", "self_attn.q_norm.weight", head);
  add_norm(layer, "k_norm", "attn_k_norm.weight", "self_attn.k_norm.weight", head);
}

void add_block(LayerRules layer, const QwenConfig& c, bool has_experts) {
  const std::size_t d = size(c.d_model);
  add_norm(layer, "ffn_norm", "post_attention_norm.weight", "post_attention_layernorm.weight", d);
  if (!has_experts) {
    layer.add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {size(c.ffn), d});
    layer.add("up", "ffn_up.weight", "mlp.up_proj.weight", {size(c.ffn), d});
    layer.add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, size(c.ffn)});
    return;
  }
  const std::size_t n = size(c.experts), ffn = size(c.expert_ffn), shared = size(c.shared_ffn);
  const Stored fused = "mlp.experts.gate_up_proj";
  layer.add("router", "ffn_gate_inp.weight", "mlp.gate.weight", {n, d}, Role::kRouter);
  layer.add("experts_gate", "ffn_gate_exps.weight", "mlp.experts.{e}.gate_proj.weight",
            {n, ffn, d}, Role::kExperts, {fused.rows(0, 2 * ffn)});
  layer.add("experts_up", "ffn_up_exps.weight", "mlp.experts.{e}.up_proj.weight", {n, ffn, d},
            Role::kExperts, {fused.rows(ffn, 2 * ffn)});
  layer.add("experts_down", "ffn_down_exps.weight", "mlp.experts.{e}.down_proj.weight",
            {n, d, ffn}, Role::kExperts, {"mlp.experts.down_proj"});
  const std::string of_all = "mlp.shared_expert.";
  layer.add("shared_gate", "ffn_gate_shexp.weight", of_all + "gate_proj.weight", {shared, d});
  layer.add("shared_up", "ffn_up_shexp.weight", of_all + "up_proj.weight", {shared, d});
  layer.add("shared_down", "ffn_down_shexp.weight", of_all + "down_proj.weight", {d, shared});
  layer.add("shared_scale", "ffn_gate_inp_shexp.weight", "mlp.shared_expert_gate.weight", {1, d});
}

TensorRules tensors(const QwenConfig& c) {
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
  t.add({"final_norm", "output_norm.weight",
         Stored("model.norm.weight").converted(Convert::kPlusOne), {d}, Role::kNorm});
  for (int i = 0; i < c.layers; ++i) {
    const LayerRules layer(t, i);
    c.is_delta[size(i)] ? add_delta(layer, c) : add_attention(layer, c);
    add_block(layer, c, c.has_experts[size(i)]);
  }
  t.ignore("mtp.*");  // a head that drafts
  for (int i = 0; i < c.drafting_layers; ++i) t.ignore(fmt::format("blk.{}.*", c.layers + i));
  t.ignore("*.rotary_emb.inv_freq");
  return t;
}

ModelFacts facts(const QwenConfig& c) {
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
  states.state_bytes = size(c.delta.state_floats()) * sizeof(float);
  for (int i = 0; i < c.layers; ++i) {
    (c.is_delta[size(i)] ? states : positions).layers.push_back(i);
  }
  if (!positions.layers.empty()) f.groups.push_back(positions);
  if (!states.layers.empty()) f.groups.push_back(states);
  f.notes = {{"width", c.ffn > 0 ? fmt::format("{}, feed-forward {}", c.d_model, c.ffn)
                                 : std::to_string(c.d_model)},
             {"layers", fmt::format("{} of the gated delta rule, {} of attention",
                                    c.delta_layers(), c.layers - c.delta_layers())},
             {"heads", fmt::format("{} of {}, key-value {}", c.heads, c.head_dim, c.kv_heads)},
             {"states", fmt::format("{} of {} x {}, {} key heads, convolution of {}",
                                    c.delta.v_heads, c.delta.k_dim, c.delta.v_dim,
                                    c.delta.k_heads, c.delta.width)},
             {"rope", rope_text(c.rope)}};
  if (c.experts > 0) {
    f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used, one of {} for all",
                                                c.experts, c.expert_ffn, c.used, c.shared_ffn));
  }
  return f;
}

}  // namespace

extern const Architecture kQwen3Next;
constexpr Architecture kQwen3Next = {
    "qwen3_next",
    {"qwen3_next", "qwen3next"},
    {},
    design_of<read<true>, tensors, facts, Qwen3Next>,
    {
     {"tiny-qwen3-next",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"linear_num_key_heads":2,"linear_num_value_heads":4,
"linear_key_head_dim":32,"linear_value_head_dim":40,"linear_conv_kernel_dim":4,
"full_attention_interval":2,"num_experts":6,"num_experts_per_tok":2,
"moe_intermediate_size":64,"shared_expert_intermediate_size":96,"intermediate_size":128,
"vocab_size":517,"max_position_embeddings":2048,"rms_norm_eps":1e-6})"},
    }};

extern const Architecture kQwen3_5;
constexpr Architecture kQwen3_5 = {
    "qwen3_5",
    {"qwen3_5_text", "qwen3_5_moe_text", "qwen3_5", "qwen3_5_moe", "qwen35", "qwen35moe"},
    {"Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForCausalLM",
     "Qwen3_5MoeForConditionalGeneration"},
    design_of<read<false>, tensors, facts, Qwen3Next>,
    {
     {"qwen3.5-0.8b",
      R"({"hidden_size":1024,"num_hidden_layers":24,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":256,"linear_num_key_heads":16,
"linear_num_value_heads":16,"linear_key_head_dim":128,"linear_value_head_dim":128,
"linear_conv_kernel_dim":4,"intermediate_size":3584,"vocab_size":248320,
"max_position_embeddings":262144,"rms_norm_eps":1e-6,"tie_word_embeddings":true})"},
     {"tiny-qwen3.5",
      R"({"hidden_size":256,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"linear_num_key_heads":2,"linear_num_value_heads":6,
"linear_key_head_dim":24,"linear_value_head_dim":32,"linear_conv_kernel_dim":4,
"full_attention_interval":4,"intermediate_size":160,"vocab_size":517,
"max_position_embeddings":2048,"rms_norm_eps":1e-6,"tie_word_embeddings":true})"},
    }};

}  // namespace quire
