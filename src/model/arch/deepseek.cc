// DeepSeek-V2 and V3 (DeepSeek-AI, 2024): latent attention, whose cache is one latent per position
// and layer, and blocks of many small experts with shared ones beside them, after a few plain
// layers. V2 chooses by softmax among the groups of the best experts; V3 by sigmoid with a
// correction that takes part in the choice only, a group counting as its best two. One code with
// other values in its config. V3.2 chooses among earlier positions what it attends to; here it
// attends to all of them, which is the same up to as many as it would choose. Mistral 4 (2026)
// chooses experts by softmax, and its scores grow with the position. The rows are kDeepseekV2,
// kDeepseekV3, kDeepseekV32 and kMistral4.
// Pure functions, and a model that the thread of the device drives.
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "backend/kv_groups.h"
#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/config_checks.h"
#include "model/layers/mla.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

constexpr int kGroupsMax = 64;       // of experts
constexpr float kLatentEps = 1e-6f;  // of the norms inside the attention, whatever the others have

struct Traits {
  bool is_v3 = false;
  bool has_indexer = false;
  bool is_mistral = false;
};

struct DeepseekConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  int draft_layers = 0;  // behind the others in a file of GGUF: left out
  int ffn = 0;           // of a plain layer
  int plain_layers = 0;  // the first ones
  MlaShape mla;
  float rms_eps = 1e-6f;
  RopeConfig rope;
  ScoreGrowth growth;
  int positions_chosen = 0;  // that an indexer, which is left out, would choose; 0: there is none
  Router router;
  int expert_ffn = 0;
  int shared = 0;  // experts that every token goes through
  bool has_correction = false;
  bool has_tied_head = false;
  bool has_heads_apart = false;  // GGUF: k_up and v_up have tensors of their own

  int shared_ffn() const { return shared * expert_ffn; }
};

struct Layer {
  MlaLayer attention;
  MlpLayer mlp;  // of a plain layer
  MoeLayer moe;
  bool is_plain = false;
};

class Deepseek : public Model {
 public:
  Deepseek(const DeepseekConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }

  void forward(const BatchView& batch, KvStore& kv) override {
    program_.clear();
    stem_.begin(program_, w_);
    for (const Layer& layer : layers_) {
      run_mla(layer.attention, program_, w_, mla_);
      if (layer.is_plain) {
        run_mlp(layer.mlp, program_, w_);
      } else {
        run_moe(layer.moe, program_, w_, moe_);
      }
    }
    stem_.end(program_, w_);
    backend_.run(program_, batch, kv);
  }

 private:
  void set_attention(MlaLayer& attention, int layer) const;
  void make_turns();

  DeepseekConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Rope q_turn_, q_grow_, k_turn_;
  std::vector<Layer> layers_;
  Workspace w_;
  MlaWorkspace mla_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

void Deepseek::make_turns() {
  const DeepseekConfig& c = config_;
  const int positions = options_.context_max;
  q_turn_ = k_turn_ = make_rope(c.rope, c.mla.rope, positions, backend_);
  if (c.growth.beta > 0) {
    q_turn_ = make_growing_rope(&c.rope, c.growth, c.mla.rope, positions, backend_);
    q_grow_ = make_growing_rope(nullptr, c.growth, c.mla.nope, positions, backend_);
  }
  q_turn_.begin = c.mla.nope;
}

void Deepseek::set_attention(MlaLayer& attention, int layer) const {
  const MlaShape& shape = config_.mla;
  attention.norm = {Norm::Kind::kRms, {}, {}, config_.rms_eps};
  attention.q_norm = attention.latent_norm = {Norm::Kind::kRms, {}, {}, kLatentEps};
  attention.q_turn = q_turn_;
  attention.q_grow = q_grow_;
  attention.k_turn = k_turn_;
  Attend& attend = attention.attend;
  attend.heads = shape.heads;
  attend.kv_heads = 1;
  attend.k_dim = shape.kv_rank + shape.rope;
  attend.v_dim = shape.kv_rank;
  attend.scale = config_.rope.score_magnitude * config_.rope.score_magnitude /
                 std::sqrt(static_cast<float>(shape.nope + shape.rope));
  attend.cache = {0, layer};
}

Status Deepseek::load(WeightLoader& loader) {
  const DeepseekConfig& c = config_;
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  stem_.final_norm = rms;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  make_turns();
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.is_plain = i < c.plain_layers;
    set_attention(layer.attention, i);
    layer.mlp.norm = layer.moe.norm = rms;
    layer.moe.router = c.router;
    QUIRE_RETURN_IF_ERROR(load_mla(loader, prefix, layer.attention));
    QUIRE_RETURN_IF_ERROR(layer.is_plain ? load_mlp(loader, prefix, layer.mlp)
                                         : load_moe(loader, prefix, layer.moe));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.mla.heads * (c.mla.nope + c.mla.rope),
                        .ffn = c.plain_layers > 0 ? c.ffn : 0, .vocab = c.vocab});
  mla_ = MlaWorkspace::make(backend_, options_, c.mla);
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.router.experts,
                             .used = c.router.used, .ffn = c.expert_ffn,
                             .shared_ffn = c.shared_ffn()});
  return ok_status();
}

// --- what the files say ---

void read_turns(const ConfigFields& fields, const Traits& traits, DeepseekConfig& c) {
  if (!traits.is_mistral || fields.is_gguf()) {
    constexpr double kBetaMax = 1e3;
    c.rope = read_rope(fields, c.mla.rope);
    const Key grows = {"", "attention.temperature_scale"};
    const Key every = {"", "attention.temperature_length"};
    c.growth = {static_cast<float>(fields.number(grows, 0, kBetaMax, 0.0)),
                fields.integer(every, 1, kContextMax,
                               std::max(1, static_cast<int>(c.rope.original_context)))};
    return;
  }
  const int head = c.mla.nope + c.mla.rope;  // of which a part turns
  c.rope = read_rope(fields, head, {.partial = double{1} * c.mla.rope / head});
  if (c.rope.dims_of(head) != c.mla.rope) {
    fields.fail(error(StatusCode::kCorrupt, "partial_rotary_factor: {} of {} values, but {} turn",
                      c.rope.dims_of(head), head, c.mla.rope));
  }
  c.rope.dims = 0;
  c.growth = read_score_growth(fields, c.context_max);
}

void read_attention(const ConfigFields& fields, const Traits& traits, DeepseekConfig& c) {
  MlaShape& mla = c.mla;
  mla.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  mla.kv_rank = fields.integer({"kv_lora_rank", "attention.kv_lora_rank"}, 1, kHeadDimMax);
  mla.q_rank = fields.integer({"q_lora_rank", "attention.q_lora_rank"}, 0, kModelWidthMax, 0);
  mla.rope = fields.integer({"qk_rope_head_dim", "rope.dimension_count"}, 2, kHeadDimMax);
  if (fields.is_gguf()) {
    // What is converted for latents says the sizes of a head under names of their own.
    const bool is_new = fields.has("attention.key_length_mla");
    const Key key = is_new ? "attention.key_length_mla" : "attention.key_length";
    const Key value = is_new ? "attention.value_length_mla" : "attention.value_length";
    mla.nope = fields.integer(key, mla.rope + 1, kHeadDimMax) - mla.rope;
    mla.value = fields.integer(value, 1, kHeadDimMax);
    fields.mark("attention.key_length");
    fields.mark("attention.value_length");
  } else {
    mla.nope = fields.integer("qk_nope_head_dim", 1, kHeadDimMax);
    mla.value = fields.integer("v_head_dim", 1, kHeadDimMax);
  }
  if (mla.kv_rank + mla.rope > kHeadDimMax || mla.rope % 2 != 0) {
    fields.fail(error(StatusCode::kUnsupported, "a latent of {} and a rotated key of {} values",
                      mla.kv_rank, mla.rope));
  }
  check_latent_heads(fields, 0, mla.nope + mla.rope, mla.kv_rank);
  // Implied by the latent.
  fields.mark({"num_key_value_heads", "attention.head_count_kv"});
  fields.mark({"head_dim", ""});
  fields.mark({"qk_head_dim", ""});
  fields.refuse({"attention_bias", ""});
  if (fields.has({"rope_interleave", ""}) && !fields.boolean({"rope_interleave", ""}, true)) {
    fields.fail(error(StatusCode::kUnsupported, "{}: false is not supported",
                      fields.name_of({"rope_interleave", ""})));
  }
  read_turns(fields, traits, c);
  c.rope.pairing = RopePairs::kAdjacent;
  c.context_max = std::max(c.context_max, c.rope.context());
}

// Which experts are chosen; what GGUF does not say follows from the other values.
void read_choice(const ConfigFields& fields, const Traits& traits, DeepseekConfig& c) {
  Router& router = c.router;
  router.scale = static_cast<float>(
      fields.number({"routed_scaling_factor", "expert_weights_scale"}, 0, 1e6, 1.0));
  const int kind = fields.integer({"", "expert_gating_func"}, 0, 2, 1);  // 2: sigmoid
  router.is_sigmoid = traits.is_v3 || kind == 2;
  const std::string correction = fmt::format("blk.{}.exp_probs_b.bias", c.plain_layers);
  c.has_correction = traits.is_v3 || fields.tensor({"", correction}) != nullptr;
  router.is_group_by_two = c.has_correction || traits.is_mistral;
  router.is_renormalised = fields.boolean({"norm_topk_prob", "expert_weights_norm"},
                                          traits.is_v3 || traits.is_mistral);
  const bool is_v2 = !fields.is_gguf() && !traits.is_v3 && !traits.is_mistral;
  if (is_v2 && router.is_renormalised) fields.refuse("norm_topk_prob");
  const Key scoring = {"scoring_func", ""};
  fields.refuse_unless(scoring, traits.is_v3 ? "sigmoid" : "softmax");
  const std::string method =
      fields.string({"topk_method", ""}, traits.is_v3 ? "noaux_tc" : "greedy");
  router.groups = fields.integer({"n_group", "expert_group_count"}, 1, kGroupsMax, 1);
  router.groups_kept =
      fields.integer({"topk_group", "expert_group_used_count"}, 1, router.groups, router.groups);
  if (is_v2 && method == "greedy") router.groups = router.groups_kept = 1;
  const bool is_known = traits.is_v3 ? method == "noaux_tc"
                                     : method == "greedy" || method == "group_limited_greedy";
  if (!is_known) {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                      fields.name_of({"topk_method", ""}), method.substr(0, 64)));
  }
  if (router.experts % router.groups != 0 ||
      router.used > router.experts / router.groups * router.groups_kept) {
    fields.fail(error(StatusCode::kCorrupt, "{} of {} experts from {} of {} groups", router.used,
                      router.experts, router.groups_kept, router.groups));
  }
}

// Of V3.2: how it would choose positions, and which layers have experts once more.
void read_indexer(const ConfigFields& fields, DeepseekConfig& c) {
  c.positions_chosen =
      fields.integer({"index_topk", "attention.indexer.top_k"}, 1, kContextMax, 2048);
  fields.mark({"index_head_dim", "attention.indexer.key_length"});
  fields.mark({"index_n_heads", "attention.indexer.head_count"});
  const Key blocks = {"mlp_layer_types", ""};
  const std::vector<std::string> types = fields.strings(blocks);
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] == (static_cast<int>(i) < c.plain_layers ? "dense" : "sparse")) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' in layer {} after {} plain ones",
                      fields.name_of(blocks), types[i].substr(0, 64), i, c.plain_layers));
  }
  check_layer_types(fields, "indexed_attention");
}

template <Traits traits>
DeepseekConfig read(const ConfigFields& fields, int vocab) {
  DeepseekConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  // GGUF counts those that draft among the layers.
  c.draft_layers = fields.integer({"", "nextn_predict_layers"}, 0, std::max(c.layers - 1, 1), 0);
  c.layers -= c.draft_layers;
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.ffn = fields.integer({"intermediate_size", "feed_forward_length"}, 1, kFfnMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.rms_eps = static_cast<float>(
      fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
                    1e-6));
  c.plain_layers =
      fields.integer({"first_k_dense_replace", "leading_dense_block_count"}, 0, c.layers, 0);
  read_attention(fields, traits, c);
  c.router.experts = fields.integer({"n_routed_experts", "expert_count"}, 1, kExpertsMax);
  c.router.used =
      fields.integer({"num_experts_per_tok", "expert_used_count"}, 1, c.router.experts);
  c.expert_ffn =
      fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1, kFfnMax);
  c.shared = fields.integer({"n_shared_experts", "expert_shared_count"}, 0, 64, 0);
  read_choice(fields, traits, c);
  if (traits.has_indexer) read_indexer(fields, c);
  fields.refuse_unless({"hidden_act", ""}, "silu");
  fields.refuse_unless({"moe_layer_freq", ""}, 1);
  fields.refuse({"mlp_bias", ""});
  fields.mark({"ep_size", ""});                   // how ranks share the experts
  fields.mark({"num_nextn_predict_layers", ""});  // of drafts, whose tensors are left out
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, fields.is_gguf() && !has_head);
  c.has_heads_apart = fields.tensor({"", "blk.0.attn_k_b.weight"}) != nullptr;
  return c;
}

// --- tensors and facts ---

using Shape = std::vector<std::size_t>;

void add_attention(TensorRules& t, int layer, const DeepseekConfig& c) {
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  const std::size_t d = size(c.d_model), heads = size(c.mla.heads), rank = size(c.mla.kv_rank);
  const std::size_t nope = size(c.mla.nope), rope = size(c.mla.rope), value = size(c.mla.value);
  const std::size_t q_rank = size(c.mla.q_rank), both = nope + value;
  const auto add = [&](const char* name, const Stored& gguf, const Stored& hf, Shape shape,
                       Role role = Role::kMatrix) {
    TensorRule rule = {std::string("layers.{}.") + name, gguf, hf, std::move(shape), role};
    rule.gguf.name = "blk.{}." + gguf.name;
    rule.hf.name = "model.layers.{}." + hf.name;
    t.add_layer(layer, std::move(rule));
  };
  add("attn_norm", "attn_norm.weight", "input_layernorm.weight", {d}, Role::kNorm);
  if (q_rank > 0) {
    add("q_low", "attn_q_a.weight", "self_attn.q_a_proj.weight", {q_rank, d});
    add("q_norm", "attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight", {q_rank}, Role::kNorm);
    add("q", "attn_q_b.weight", "self_attn.q_b_proj.weight", {heads * (nope + rope), q_rank});
  } else {
    add("q", "attn_q.weight", "self_attn.q_proj.weight", {heads * (nope + rope), d});
  }
  const Stored gguf = "attn_kv_a_mqa.weight", hf = "self_attn.kv_a_proj_with_mqa.weight";
  add("kv_latent", gguf.rows(0, rank + rope), hf.rows(0, rank + rope), {rank, d});
  add("k_rope", gguf.rows(rank, rank + rope), hf.rows(rank, rank + rope), {rope, d});
  add("kv_norm", "attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight", {rank}, Role::kNorm);
  const Stored fused = "attn_kv_b.weight", hf_fused = "self_attn.kv_b_proj.weight";
  add("k_up", c.has_heads_apart ? "attn_k_b.weight" : fused.transposed(0, both),
      hf_fused.transposed(0, both), {heads, rank, nope}, Role::kHeads);
  add("v_up", c.has_heads_apart ? "attn_v_b.weight" : fused.rows(nope, both),
      hf_fused.rows(nope, both), {heads, value, rank}, Role::kHeads);
  add("o", "attn_output.weight", "self_attn.o_proj.weight", {d, heads * value});
}

void add_block(TensorRules& t, int layer, const DeepseekConfig& c) {
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  const std::size_t d = size(c.d_model), experts = size(c.router.experts), f = size(c.expert_ffn);
  const auto add = [&](const char* name, const char* gguf, const char* hf, Shape shape,
                       Role role = Role::kMatrix, std::vector<Stored> others = {}) {
    TensorRule rule = {std::string("layers.{}.") + name, std::string("blk.{}.") + gguf,
                       std::string("model.layers.{}.") + hf, std::move(shape), role};
    rule.others = std::move(others);
    t.add_layer(layer, std::move(rule));
  };
  const auto add_gated = [&](const std::string& name, const std::string& gguf,
                             const std::string& hf, std::size_t ffn) {
    add((name + "gate").c_str(), ("ffn_gate" + gguf).c_str(), (hf + "gate_proj.weight").c_str(),
        {ffn, d});
    add((name + "up").c_str(), ("ffn_up" + gguf).c_str(), (hf + "up_proj.weight").c_str(),
        {ffn, d});
    add((name + "down").c_str(), ("ffn_down" + gguf).c_str(), (hf + "down_proj.weight").c_str(),
        {d, ffn});
  };
  add("ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", {d}, Role::kNorm);
  if (layer < c.plain_layers) return add_gated("", ".weight", "mlp.", size(c.ffn));
  const Stored fused = "model.layers.{}.mlp.experts.gate_up_proj";
  add("router", "ffn_gate_inp.weight", "mlp.gate.weight", {experts, d}, Role::kRouter);
  if (c.has_correction) {
    add("router_correction", "exp_probs_b.bias", "mlp.gate.e_score_correction_bias", {experts},
        Role::kBias);
  }
  const Stored gguf_fused = "blk.{}.ffn_gate_up_exps.weight";
  add("experts_gate", "ffn_gate_exps.weight", "mlp.experts.{e}.gate_proj.weight", {experts, f, d},
      Role::kExperts, {fused.rows(0, 2 * f), gguf_fused.rows(0, 2 * f)});
  add("experts_up", "ffn_up_exps.weight", "mlp.experts.{e}.up_proj.weight", {experts, f, d},
      Role::kExperts, {fused.rows(f, 2 * f), gguf_fused.rows(f, 2 * f)});
  add("experts_down", "ffn_down_exps.weight", "mlp.experts.{e}.down_proj.weight", {experts, d, f},
      Role::kExperts, {"model.layers.{}.mlp.experts.down_proj"});
  if (c.shared == 0) return;
  add_gated("shared_", "_shexp.weight", "mlp.shared_experts.", size(c.shared_ffn()));
}

TensorRules tensors(const DeepseekConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), vocab = static_cast<std::size_t>(c.vocab);
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
    add_attention(t, i, c);
    add_block(t, i, c);
  }
  t.ignore("*.rotary_emb.inv_freq");
  if (c.positions_chosen > 0) {
    for (int i = 0; i < c.layers; ++i) {
      t.ignore(fmt::format("model.layers.{}.self_attn.indexer.*", i));
      t.ignore(fmt::format("blk.{}.indexer.*", i));
    }
  }
  t.ignore(fmt::format("model.layers.{}.*", c.layers));  // what drafts further tokens
  for (int i = c.layers; i < c.layers + c.draft_layers; ++i) t.ignore(fmt::format("blk.{}.*", i));
  return t;
}

ModelFacts facts(const DeepseekConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.router.experts;
  f.experts_active = c.router.used;
  GroupFacts group;
  group.name = "latent";
  for (int i = 0; i < c.layers; ++i) group.layers.push_back(i);
  group.heads = c.mla.heads;
  group.kv_heads = 1;
  group.k_width = c.mla.kv_rank + c.mla.rope;
  group.v_width = 0;  // the beginning of the key
  f.groups = {std::move(group)};
  if (c.growth.beta > 0) f.bound_to_context = "scores that grow with the position";
  const std::size_t latent = kv_head_bytes(DType::kF16, c.mla.kv_rank + c.mla.rope);
  const std::size_t plain = static_cast<std::size_t>(c.mla.heads) *
                            (kv_head_bytes(DType::kF16, c.mla.nope + c.mla.rope) +
                             kv_head_bytes(DType::kF16, c.mla.value));
  const std::size_t layers = static_cast<std::size_t>(c.layers);
  f.notes = {
      {"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
      {"heads", fmt::format("{} of {} and {} rotated, values of {}", c.mla.heads, c.mla.nope,
                            c.mla.rope, c.mla.value)},
      {"latent", fmt::format("{} and {} values a position and layer: {} bytes a token in F16, "
                             "plain heads {}",
                             c.mla.kv_rank, c.mla.rope, layers * latent / kBlockTokens,
                             layers * plain / kBlockTokens)},
      {"experts", fmt::format("{} of {} each, {} used, {} shared; {} of {} groups",
                              c.router.experts, c.expert_ffn, c.router.used, c.shared,
                              c.router.groups_kept, c.router.groups)},
      {"rope", rope_text(c.rope)}};
  if (c.positions_chosen > 0) {
    f.notes.emplace_back("attention", fmt::format("of all positions; the model would choose {} of "
                                                  "them, its indexer is left out",
                                                  c.positions_chosen));
  }
  return f;
}

// --- the rows ---

template <Traits traits>
constexpr auto kDesign = design_of<read<traits>, tensors, facts, Deepseek>;

}  // namespace

// GGUF calls both deepseek2; the first row reads what differs from the tensors.
extern const Architecture kDeepseekV2;
constexpr Architecture kDeepseekV2 = {
    "deepseek_v2",
    {"deepseek_v2", "deepseek2"},
    {},
    kDesign<Traits{}>,
    {
     {"deepseek-v2-lite",
      R"({"hidden_size":2048,"num_hidden_layers":27,"num_attention_heads":16,
"intermediate_size":10944,"moe_intermediate_size":1408,"n_routed_experts":64,"n_shared_experts":2,
"num_experts_per_tok":6,"first_k_dense_replace":1,"kv_lora_rank":512,"qk_nope_head_dim":128,
"qk_rope_head_dim":64,"v_head_dim":128,"vocab_size":102400,"max_position_embeddings":163840,
"rope_theta":10000,"rms_norm_eps":1e-6})"},
     {"tiny-deepseek-v2",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":4,
"intermediate_size":256,"moe_intermediate_size":96,"n_routed_experts":8,"n_shared_experts":2,
"num_experts_per_tok":3,"n_group":4,"topk_group":2,"topk_method":"group_limited_greedy",
"routed_scaling_factor":1.5,"first_k_dense_replace":1,"q_lora_rank":96,"kv_lora_rank":64,
"qk_nope_head_dim":32,"qk_rope_head_dim":32,"v_head_dim":32,"vocab_size":517,
"max_position_embeddings":2048,"rope_theta":10000,"rms_norm_eps":1e-6})"},
    }};

extern const Architecture kDeepseekV3;
constexpr Architecture kDeepseekV3 = {
    "deepseek_v3",
    {"deepseek_v3"},
    {},
    kDesign<Traits{.is_v3 = true}>,
    {
     {"tiny-deepseek-v3",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":4,
"intermediate_size":256,"moe_intermediate_size":64,"n_routed_experts":8,"n_shared_experts":1,
"num_experts_per_tok":3,"n_group":4,"topk_group":2,"routed_scaling_factor":2.5,
"first_k_dense_replace":1,"kv_lora_rank":64,"qk_nope_head_dim":32,"qk_rope_head_dim":32,
"v_head_dim":32,"vocab_size":517,"max_position_embeddings":2048,"rope_theta":10000,
"rms_norm_eps":1e-6})"},
    }};

extern const Architecture kDeepseekV32;
constexpr Architecture kDeepseekV32 = {
    "deepseek_v32",
    {"deepseek_v32", "deepseek32"},
    {},
    kDesign<Traits{.is_v3 = true, .has_indexer = true}>,
    {},
};

extern const Architecture kMistral4;
constexpr Architecture kMistral4 = {
    "mistral4",
    {"mistral4"},
    {"Mistral4ForCausalLM", "Mistral3ForConditionalGeneration"},
    kDesign<Traits{.is_mistral = true}>,
    {
     {"tiny-mistral4",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"intermediate_size":256,"moe_intermediate_size":64,"n_routed_experts":8,"n_shared_experts":1,
"num_experts_per_tok":3,"q_lora_rank":96,"kv_lora_rank":64,"qk_nope_head_dim":32,
"qk_rope_head_dim":32,"v_head_dim":32,"vocab_size":517,"max_position_embeddings":2048,
"rope_parameters":{"type":"yarn","rope_theta":10000,"factor":16,"mscale":1.0,"mscale_all_dim":1.0,
"original_max_position_embeddings":128,"llama_4_scaling_beta":0.1}})"},
    }};

}  // namespace quire
