// Decoders of experts: layers of rotary attention as in Llama, whose feed-forward block is a choice
// of experts. Mixtral (Jiang et al., "Mixtral of Experts", 2024) has them in every layer; Qwen3-MoE
// norms its heads, may keep plain blocks in some layers and may leave the weights of the chosen as
// they are. One code with other values in its config. The rows are kMixtral and kQwen3Moe.
// Pure functions, and a model that the thread of the device drives.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/config_checks.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {
namespace {

// In what the members of the family differ before a file says anything.
struct Traits {
  bool is_qwen = false;  // norms of the heads, plain blocks among the layers
};

struct MixtralConfig {
  int layers = 0, d_model = 0, vocab = 0, context_max = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;
  float rms_eps = 1e-5f;
  RopeConfig rope;
  int sliding_window = 0;  // 0: every position sees all before it
  int ffn = 0;             // of a plain block
  int experts = 0, used = 0, expert_ffn = 0;
  bool is_renormalised = true;  // the weights of the chosen sum to one
  std::vector<bool> is_plain;   // [layers] has no experts
  bool has_tied_head = false;
  bool has_head_norms = false;

  bool has_plain() const {
    return std::find(is_plain.begin(), is_plain.end(), true) != is_plain.end();
  }
};

struct Layer {
  AttentionLayer attention;
  MlpLayer mlp;  // of a plain layer
  MoeLayer moe;
  bool is_plain = false;
};

class Mixtral : public Model {
 public:
  Mixtral(const MixtralConfig& config, Backend& backend, const ModelOptions& options)
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
  MixtralConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

Status Mixtral::load(WeightLoader& loader) {
  const MixtralConfig& c = config_;
  const Norm rms = {Norm::Kind::kRms, {}, {}, c.rms_eps};
  stem_.final_norm = rms;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  const Rope rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  for (int i = 0; i < c.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    Layer& layer = layers_.emplace_back();
    layer.is_plain = c.is_plain[static_cast<std::size_t>(i)];
    AttentionLayer& attention = layer.attention;
    attention.norm = layer.mlp.norm = layer.moe.norm = rms;
    attention.q_rope = attention.k_rope = rope;
    attention.q_rope.norm = attention.k_rope.norm = rms;
    attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, {0, i});
    attention.attend.window = c.sliding_window;
    QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, attention));
    if (layer.is_plain) {
      QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
      continue;
    }
    layer.moe.router.experts = c.experts;
    layer.moe.router.used = c.used;
    layer.moe.router.is_renormalised = c.is_renormalised;
    QUIRE_RETURN_IF_ERROR(load_moe(loader, prefix, layer.moe));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .ffn = c.has_plain() ? c.ffn : 0, .vocab = c.vocab});
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.experts, .used = c.used,
                             .ffn = c.expert_ffn});
  return ok_status();
}

// --- what the files say ---

void read_attention(const ConfigFields& fields, MixtralConfig& c) {
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  c.kv_heads =
      fields.integer({"num_key_value_heads", "attention.head_count_kv"}, 1, kHeadsMax, c.heads);
  const Key head_dim = {"head_dim", "attention.key_length"};
  c.head_dim = fields.integer(head_dim, 2, kHeadDimMax, c.d_model / c.heads);
  if (!fields.has(head_dim)) {
    check_width(fields, {"num_attention_heads", "attention.head_count"}, c.heads, c.d_model);
  }
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  fields.refuse({"attention_bias", ""});
  c.rope = read_rope(fields, c.head_dim);
  if (c.rope.dims > 0) fields.refuse_unless({"partial_rotary_factor", "rope.dimension_count"}, -1);
  c.context_max = std::max(c.context_max, c.rope.context());
}

// A window for all layers or none.
void read_window(const ConfigFields& fields, const Traits& traits, MixtralConfig& c) {
  const Key window = {"sliding_window", "attention.sliding_window"};
  fields.mark(window);
  fields.mark({"max_window_layers", ""});  // means something with use_sliding_window only
  if (traits.is_qwen) {
    fields.refuse({"use_sliding_window", ""});
  } else {
    c.sliding_window = fields.integer(window, 0, kContextMax, 0);
  }
  const std::string_view wanted = c.sliding_window > 0 ? "sliding_attention" : "full_attention";
  for (const std::string& type : fields.strings({"layer_types", ""})) {
    if (type == wanted) continue;
    return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                             fields.name_of({"layer_types", ""}), type.substr(0, 64), wanted));
  }
}

void read_experts(const ConfigFields& fields, const Traits& traits, MixtralConfig& c) {
  const Key own = {"num_experts", "expert_count"}, shared = {"num_local_experts", "expert_count"};
  c.experts = fields.integer(fields.has(own) ? own : shared, 1, kExpertsMax);
  c.used = fields.integer({"num_experts_per_tok", "expert_used_count"}, 1, kExpertsMax);
  if (c.used > c.experts) {
    fields.fail(error(StatusCode::kCorrupt, "{} experts of a token, but there are {}", c.used,
                      c.experts));
    c.used = c.experts;
  }
  const Key ffn = {"intermediate_size", "feed_forward_length"};
  c.is_plain.assign(static_cast<std::size_t>(c.layers), false);
  if (!traits.is_qwen) {
    c.ffn = c.expert_ffn = fields.integer(ffn, 1, kFfnMax);
    return;
  }
  c.expert_ffn =
      fields.integer({"moe_intermediate_size", "expert_feed_forward_length"}, 1, kFfnMax);
  c.ffn = fields.integer(ffn, 0, kFfnMax, 0);
  // GGUF does not say it: what is written so always divides by the sum.
  c.is_renormalised = fields.boolean({"norm_topk_prob", ""}, fields.is_gguf());
  const int step = fields.integer({"decoder_sparse_step", ""}, 1, kLayersMax, 1);
  const std::vector<int> plain = fields.integers({"mlp_only_layers", ""}, 0, kLayersMax);
  for (int i = 0; i < c.layers; ++i) {
    const bool is_listed = std::find(plain.begin(), plain.end(), i) != plain.end();
    c.is_plain[static_cast<std::size_t>(i)] = is_listed || (i + 1) % step != 0;
  }
  if (c.has_plain() && c.ffn == 0) {
    fields.fail(error(StatusCode::kCorrupt, "{}: missing, but some layers have no experts",
                      fields.name_of(ffn)));
  }
}

template <Traits traits>
MixtralConfig read(const ConfigFields& fields, int vocab) {
  MixtralConfig c;
  c.vocab = vocab;
  c.layers = fields.integer({"num_hidden_layers", "block_count"}, 1, kLayersMax);
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax);
  c.rms_eps = static_cast<float>(fields.number(
      {"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, kRmsEpsMin, kRmsEpsMax,
      traits.is_qwen ? 1e-6 : 1e-5));
  read_attention(fields, c);
  // Mixtral's rows lie in GGUF as Llama's do.
  const bool is_woven = fields.is_gguf() && !traits.is_qwen;
  c.rope.pairing = is_woven ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  read_window(fields, traits, c);
  read_experts(fields, traits, c);
  fields.refuse_unless({"hidden_act", ""}, "silu");
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, fields.is_gguf() && !has_head);
  c.has_head_norms = traits.is_qwen;
  return c;
}

// --- tensors and facts ---

// Of one layer's experts; transformers 5 writes both halves of the way in as one tensor.
void add_experts(TensorRules& t, int layer, const MixtralConfig& c, bool is_qwen) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.expert_ffn);
  const auto experts = static_cast<std::size_t>(c.experts);
  const std::string block = is_qwen ? "mlp." : "block_sparse_moe.";
  const auto add = [&](const char* name, const char* gguf, const std::string& apart,
                       std::vector<Stored> others, std::vector<std::size_t> shape) {
    TensorRule rule = {std::string("layers.{}.experts_") + name,
                       std::string("blk.{}.ffn_") + gguf + "_exps.weight",
                       "model.layers.{}." + block + "experts.{e}." + apart + ".weight",
                       std::move(shape), Role::kExperts};
    rule.others = std::move(others);
    // GGUF of the first days has each expert apart.
    rule.others.emplace_back(std::string("blk.{}.ffn_") + gguf + ".{e}.weight");
    t.add_layer(layer, std::move(rule));
  };
  const Stored fused = "model.layers.{}.mlp.experts.gate_up_proj";
  add("gate", "gate", is_qwen ? "gate_proj" : "w1", {fused.rows(0, 2 * ffn)}, {experts, ffn, d});
  add("up", "up", is_qwen ? "up_proj" : "w3", {fused.rows(ffn, 2 * ffn)}, {experts, ffn, d});
  add("down", "down", is_qwen ? "down_proj" : "w2", {"model.layers.{}.mlp.experts.down_proj"},
      {experts, d, ffn});
  TensorRule router = {"layers.{}.router", "blk.{}.ffn_gate_inp.weight",
                       "model.layers.{}." + block + "gate.weight", {experts, d}, Role::kRouter};
  router.others = {"model.layers.{}.mlp.gate.weight"};
  t.add_layer(layer, std::move(router));
}

TensorRules tensors(const MixtralConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto vocab = static_cast<std::size_t>(c.vocab);
  const auto head = static_cast<std::size_t>(c.head_dim);
  const std::size_t q = static_cast<std::size_t>(c.heads) * head;
  const std::size_t kv = static_cast<std::size_t>(c.kv_heads) * head;
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
    if (c.has_head_norms) {
      add("q_norm", "attn_q_norm.weight", "self_attn.q_norm.weight", {head}, Role::kNorm);
      add("k_norm", "attn_k_norm.weight", "self_attn.k_norm.weight", {head}, Role::kNorm);
    }
    add("ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", {d}, Role::kNorm);
    if (!c.is_plain[static_cast<std::size_t>(i)]) {
      add_experts(t, i, c, c.has_head_norms);
      continue;
    }
    add("gate", "ffn_gate.weight", "mlp.gate_proj.weight", {ffn, d});
    add("up", "ffn_up.weight", "mlp.up_proj.weight", {ffn, d});
    add("down", "ffn_down.weight", "mlp.down_proj.weight", {d, ffn});
  }
  t.ignore("rope_freqs.weight");      // read with the rotation
  t.ignore("*.rotary_emb.inv_freq");  // implied by the configuration
  return t;
}

ModelFacts facts(const MixtralConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.experts = c.experts;
  f.experts_active = c.used;
  GroupFacts group = plain_group(c.layers, c.heads, c.kv_heads, c.head_dim);
  if (c.sliding_window > 0) group.name = "window";
  group.window = c.sliding_window;
  f.groups = {std::move(group)};
  f.notes = {{"width", fmt::format("{}, feed-forward {}", c.d_model, c.ffn)},
             {"heads", fmt::format("{} of {}, key-value {}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_head_norms ? ", with norms" : "")},
             {"experts", fmt::format("{} of {} each, {} used", c.experts, c.expert_ffn, c.used)},
             {"rope", rope_text(c.rope)}};
  if (c.sliding_window > 0) f.notes.emplace_back("window", std::to_string(c.sliding_window));
  return f;
}

// --- the rows ---

template <Traits traits>
constexpr auto kDesign = design_of<read<traits>, tensors, facts, Mixtral>;

// GGUF calls it a Llama with experts.
bool has_experts(const ConfigFields& fields) {
  return fields.is_gguf() && fields.has("expert_count");
}

}  // namespace

extern const Architecture kMixtral;
constexpr Architecture kMixtral = {
    "mixtral",
    {"mixtral", "llama"},
    {},
    kDesign<Traits{}>,
    {
     {"tiny-mixtral",
      R"({"hidden_size":256,"num_hidden_layers":2,"num_attention_heads":8,
"num_key_value_heads":2,"head_dim":32,"intermediate_size":96,"vocab_size":517,
"max_position_embeddings":2048,"num_local_experts":6,"num_experts_per_tok":2,
"rope_theta":10000,"rms_norm_eps":1e-5})"},
    },
    has_experts};

// A model of 1.0 G active parameters, 8 of 64 experts: the proportions of Qwen3-30B-A3B.
extern const Architecture kQwen3Moe;
constexpr Architecture kQwen3Moe = {
    "qwen3_moe",
    {"qwen3_moe", "qwen3moe"},
    {},
    kDesign<Traits{.is_qwen = true}>,
    {
     {"qwen3-moe-a1b",
      R"({"hidden_size":1536,"num_hidden_layers":24,"num_attention_heads":24,
"num_key_value_heads":4,"head_dim":128,"intermediate_size":6144,"moe_intermediate_size":576,
"num_experts":64,"num_experts_per_tok":8,"norm_topk_prob":true,"vocab_size":151936,
"max_position_embeddings":32768,"tie_word_embeddings":true,"rope_theta":1000000,
"rms_norm_eps":1e-6})"},
     {"tiny-qwen3-moe",
      R"({"hidden_size":256,"num_hidden_layers":3,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":64,"intermediate_size":512,"moe_intermediate_size":96,
"num_experts":10,"num_experts_per_tok":3,"norm_topk_prob":true,"mlp_only_layers":[1],
"vocab_size":517,"max_position_embeddings":2048,"tie_word_embeddings":true,
"rope_theta":1000000,"rms_norm_eps":1e-6})"},
    }};

}  // namespace quire
