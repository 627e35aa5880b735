// Decoder: the layers that most families are made of, attention and a feed-forward block around one
// residual stream, with everything in which the families differ as a value: which norms there are
// and where, which layers turn their heads or have a window, what is scaled, clipped or biased, and
// which layers have experts. An architecture of this kind is a function that fills a DecoderConfig
// (olmo.cc, granite.cc, ...) and a row of the registry; the forward pass, the tensors and the facts
// are here.
// Invariants: windows and turns have an entry for each layer, has_experts as well or is empty.
// Plain values and pure functions, and a model that the thread of the device drives. Called by the
// files of model/arch alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope_config.h"
#include "model/layers/stem.h"

namespace quire {

// How queries and keys are normed.
enum class QueryNorms {
  kNone,
  kEach,   // each head, all by one weight
  kOwn,    // each head by a weight of its own
  kWhole,  // all heads together
};

// What files call the parts of a layer, behind "model.layers.{}." and "blk.{}.".
struct DecoderNames {
  std::string attn_norm = "input_layernorm", gguf_attn_norm = "attn_norm";
  std::string ffn_norm = "post_attention_layernorm", gguf_ffn_norm = "ffn_norm";
  std::string attn_post_norm = "post_attention_layernorm";
  std::string ffn_post_norm = "post_feedforward_layernorm";
  std::string q_norm = "self_attn.q_norm", k_norm = "self_attn.k_norm";
  std::string o = "self_attn.o_proj";
  std::string experts = "mlp.experts.", gate = "gate_proj", up = "up_proj", down = "down_proj";
  std::string router = "mlp.gate.weight", correction = "mlp.gate.e_score_correction_bias";
  std::string shared = "mlp.shared_experts.";
};

struct DecoderConfig {
  int layers = 0, d_model = 0, ffn = 0, vocab = 0, context_max = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;

  Norm::Kind norm = Norm::Kind::kRms;
  float eps = 1e-5f;
  bool has_norm_weights = true;
  bool has_norm_biases = false;
  bool is_norm_offset = false;    // Hugging Face's files hold a norm's distance from 1
  bool has_norms_before = true;   // of what a block reads
  bool has_norms_after = false;   // of what it adds
  bool is_parallel = false;       // both blocks read what the first norm gave
  QueryNorms head_norms = QueryNorms::kNone;
  bool turns_before_norms = false;  // of the heads

  RopeConfig rope;
  RopeConfig window_rope;   // of layers with a window; the same unless a reader sets it
  std::vector<int> windows;  // [layers] positions that a position sees; 0: all before it
  std::vector<bool> turns;   // [layers] by position
  float score_scale = 0;     // 0: 1 / sqrt(head_dim)
  float clip = 0;            // queries, keys and values stay in [-clip, clip]; 0: no bound
  bool has_qkv_bias = false, has_o_bias = false, has_mlp_bias = false;
  bool has_sinks = false;    // a logit of each head beside the scores

  bool is_gated = true;
  Activation activation = Activation::kSilu;
  bool has_xielu = false;  // instead of the activation, each layer with numbers of its own
  float embedding_scale = 1, residual_scale = 1, logit_scale = 1;
  bool has_tied_head = false;
  int draft_layers = 0;  // behind the others in the file, for drafts: left out

  Router router;                  // experts 0: no layer has any
  bool has_correction = false;
  bool has_expert_biases = false;  // of the router as well
  std::optional<ClampedGate> clamped;  // of experts, instead of SwiGLU
  int expert_ffn = 0, shared_ffn = 0;
  std::vector<bool> has_experts;  // [layers] or empty

  DecoderNames names;
  // Where a kind of file holds a tensor in another way: changes the rules; may be null.
  void (*rename)(const DecoderConfig& config, TensorRules& rules) = nullptr;

  bool is_plain(int layer) const {
    return has_experts.empty() || !has_experts[static_cast<std::size_t>(layer)];
  }
};

// What a file means where it says nothing, and what only some families say.
struct DecoderDefaults {
  const char* eps_name = "rms_norm_eps";  // in config.json
  double eps = 1e-5;
  Norm::Kind norm = Norm::Kind::kRms;
  const char* activation = "silu";
  RopeDefaults rope;
  bool is_woven_in_gguf = false;  // rows of q and k lie for adjacent rotary pairs
  bool is_interleaved = false;    // pairs are adjacent in every kind of file
  bool has_qkv_bias = false;
  bool has_activation = true;     // else the reader itself asks for it
  bool has_own_rope = false;      // the reader itself asks for the rotation
};

// What all of them say; the caller asks for the rest. Every layer turns and sees all.
DecoderConfig read_decoder(const ConfigFields& fields, int vocab,
                           const DecoderDefaults& defaults = {});
// Windows by layer_types, or by `pattern`: every so many layers see all; 0: all do. GGUF has a list
// of booleans, or says nothing.
void read_layer_windows(const ConfigFields& fields, int pattern, DecoderConfig& c);
// rope_parameters with an object for each kind of layer, or the one rotation of all.
void read_layer_ropes(const ConfigFields& fields, const RopeDefaults& defaults, DecoderConfig& c);
// Experts, their choice by `experts_name` of config.json, in all layers.
void read_layer_experts(const ConfigFields& fields, const char* experts_name,
                        const char* ffn_name, DecoderConfig& c);
void check_groups(const ConfigFields& fields, const Router& router);
// A multiplier of Granite's kind: 1 where the file has none.
float read_scale(const ConfigFields& fields, Key key, double fallback = 1);

// REQUIRES: there is one of that canonical name.
TensorRule& rule_of(TensorRules& rules, const std::string& canonical);
std::string layer_name(int layer, const char* name);   // "layers.3.q"
std::string hf_layer_name(int layer, const char* name);  // "model.layers.3.mlp.up_proj.weight"

TensorRules decoder_tensors(const DecoderConfig& c);
ModelFacts decoder_facts(const DecoderConfig& c);

class Decoder : public Model {
 public:
  Decoder(const DecoderConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  struct Layer {
    AttentionLayer attention;
    MlpLayer mlp;  // of a plain layer
    MoeLayer moe;
    bool is_plain = true;
  };

  Status load_stem(WeightLoader& loader);
  Status load_xielu(WeightLoader& loader, const std::string& prefix, MlpLayer& mlp);
  Status load_layer(WeightLoader& loader, int i, const Rope& rope, CacheSlot slot);
  void make_workspaces();

  DecoderConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Norm bare_;  // of what reads the residual stream as it is
  Workspace w_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

template <auto read>
constexpr auto kDecoderDesign = design_of<read, decoder_tensors, decoder_facts, Decoder>;

}  // namespace quire
