// HybridDecoder: decoders whose layers are data: each has a mixer (attention, a Mamba of either
// kind, a short convolution, a gated recurrent unit, attention beside Mamba-2, or none) and a
// feed-forward block (an MLP, experts, or none), around one residual stream. An architecture of
// this kind is a function that fills a HybridConfig and a row of the registry (falcon_h1.cc,
// lfm2.cc, jamba.cc, ...): forward pass, tensors and facts are here.
// What a sequence leaves behind is keys and values in one KV group and states in another; a model
// has recurrent mixers of one kind, so that all states are equally large.
// Plain values and pure functions, and a model that the thread of the device drives. Called by the
// files of model/arch alone.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/mamba2.h"
#include "model/layers/mla.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/recurrent/gated_unit.h"
#include "model/layers/recurrent/kimi_delta.h"
#include "model/layers/recurrent/mamba.h"
#include "model/layers/recurrent/short_conv.h"
#include "model/layers/rope_config.h"
#include "model/layers/stem.h"

namespace quire {

enum class Mixer : std::uint8_t { kNone, kMamba2, kMamba, kShortConv, kGatedUnit, kKimiDelta };
enum class FeedForward : std::uint8_t { kNone, kMlp, kExperts };

// With attention beside a mixer both read what one norm gave.
struct HybridLayer {
  bool has_attention = false;
  Mixer mixer = Mixer::kNone;
  FeedForward feed = FeedForward::kNone;
};

// What files call the parts of a layer, behind its number.
struct HybridNames {
  std::string stem = "model.", other_stem;  // in config.json's files; the other one is looked for
  std::string embed = "embed_tokens.weight", final_norm = "norm.weight";
  std::string gguf_final_norm = "output_norm.weight";
  std::string mixer_norm = "input_layernorm.weight";
  std::string ffn_norm = "post_attention_layernorm.weight", gguf_ffn_norm = "ffn_norm.weight";
  std::string mixer = "mamba.", attention = "self_attn.", o = "o_proj";
  std::string q_norm = "self_attn.q_layernorm.weight", k_norm = "self_attn.k_layernorm.weight";
  std::string mlp = "mlp.", gate = "gate_proj", up = "up_proj", down = "down_proj";
  std::string router = "router.weight", correction = "gate.e_score_correction_bias";
  std::string experts = "experts.", shared = "shared_experts.";
  std::string expert_gate, expert_up, expert_down;  // empty: as in an MLP
};

// Factors that files state apart from the weights (Falcon-H1).
struct HybridScales {
  float attention_in = 1, key = 1, attention_out = 1;
  float mixer_in = 1, mixer_out = 1;
  std::array<float, 5> projections = {1, 1, 1, 1, 1};  // gate, x, keys, queries, steps
  float mlp_gate = 1, mlp_down = 1;
};

struct HybridConfig {
  int d_model = 0, vocab = 0, context_max = 0;
  std::vector<HybridLayer> layers;
  int draft_layers = 0;  // behind the others in a file of GGUF: left out

  Norm::Kind norm = Norm::Kind::kRms;
  float eps = 1e-5f;
  bool is_norm_offset = false;  // Hugging Face's files hold a norm's distance from 1
  float embedding_scale = 1, residual_scale = 1, logit_scale = 1, logit_cap = 0;
  bool has_tied_head = false;

  int heads = 0, kv_heads = 0, head_dim = 0;
  int window = 0;        // positions that a position sees; 0: all before it
  float score_scale = 0;  // 0: 1 / sqrt(head_dim)
  bool has_rope = false;
  RopeConfig rope;
  bool has_head_norms = false, has_qkv_bias = false, has_o_bias = false;
  MlaShape mla;  // heads 0: plain attention

  Mamba2Shape mamba2;
  bool has_gated_norm = true, gate_first = true;  // gated, then normed
  float step_min = 0, step_max = std::numeric_limits<float>::infinity();
  MambaShape mamba;
  Norm::Kind inner_norm = Norm::Kind::kNone;  // of steps, keys and queries
  bool has_inner_norm_weights = true;
  float inner_eps = 1e-6f;
  ShortConvShape conv;
  GatedUnitShape unit;
  KimiDeltaShape delta;
  bool has_conv_bias = true, has_in_bias = false, has_out_bias = false;  // of the mixer

  int ffn = 0;
  bool is_gated = true, has_mlp_bias = false;
  Activation activation = Activation::kSilu;
  Router router;  // experts 0: no layer has any
  bool has_correction = false;
  int expert_ffn = 0, shared_ffn = 0;
  HybridScales scales;

  HybridNames names;
  // Where a kind of file holds a tensor in another way: changes the rules; may be null.
  void (*rename)(const HybridConfig& config, TensorRules& rules) = nullptr;

  int layers_with(Mixer mixer) const;
  int attention_layers() const;
  int layers_of(FeedForward feed) const;
  Mixer mixer() const;  // of those that have one
};

// --- what files say ---

struct HybridDefaults {
  const char* eps_name = "rms_norm_eps";
  double eps = 1e-5;
  bool is_tied = false;
  int layers = 0, context = 0;  // of files that say none; 0: they must
};
// Sizes, the norm, the head. The caller asks for the rest.
HybridConfig read_hybrid(const ConfigFields& fields, int vocab, const HybridDefaults& defaults);
// Heads of queries and keys. Returns which layers have attention as GGUF says it, by their key
// heads; empty: another kind of file, which says it in its own way.
std::vector<bool> read_hybrid_heads(const ConfigFields& fields, HybridConfig& c);
// Which layers are of a word of a list; others must be among `known`, whose word is another one.
std::vector<bool> read_layer_words(const ConfigFields& fields, const char* key, int layers,
                                   std::initializer_list<std::string_view> words,
                                   std::initializer_list<std::string_view> known);

// Keys of config.json for a Mamba-2; those of GGUF are the same everywhere.
struct Mamba2Keys {
  const char* heads = "mamba_n_heads";
  const char* head_dim = "mamba_d_head";
  const char* groups = "mamba_n_groups";
  const char* state = "mamba_d_state";
  const char* width = "mamba_d_conv";
  const char* expand = "mamba_expand";
  const char* inner = "";  // channels, where a file may say them instead
  const char* conv_bias = "mamba_conv_bias";
  const char* in_bias = "mamba_proj_bias";
  const char* out_bias = "mamba_proj_bias";
  const char* chunk = "mamba_chunk_size";
  bool is_free = false;  // heads times their size need not be what `expand` says
};
void read_mamba2(const ConfigFields& fields, const Mamba2Keys& keys, HybridConfig& c);
// The bounds of steps, as two numbers.
void read_step_limit(const ConfigFields& fields, HybridConfig& c);

struct MambaKeys {
  const char* state = "state_size";
  const char* width = "conv_kernel";
  const char* expand = "expand";
  const char* inner = "";  // channels, where a file may say them instead
  const char* rank = "time_step_rank";
  const char* conv_bias = "use_conv_bias";
  const char* bias = "use_bias";
};
void read_mamba(const ConfigFields& fields, const MambaKeys& keys, HybridConfig& c);

TensorRules hybrid_tensors(const HybridConfig& c);
ModelFacts hybrid_facts(const HybridConfig& c);

class HybridDecoder : public Model {
 public:
  HybridDecoder(const HybridConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  struct Layer {
    HybridLayer kind;
    AttentionLayer attention;
    MlaLayer latent;  // instead of it
    Mamba2Layer mamba2;
    MambaLayer mamba;
    ShortConvLayer conv;
    GatedUnitLayer unit;
    KimiDeltaLayer delta;
    MlpLayer mlp;
    MoeLayer moe;
  };

  Status load_mixer(WeightLoader& loader, const std::string& prefix, CacheSlot cache,
                    Layer& layer);
  Status scale_convolution(WeightLoader& loader, const std::string& prefix, Layer& layer);
  Status load_attention_of(WeightLoader& loader, const std::string& prefix, const Rope& rope,
                           CacheSlot cache, Layer& layer);
  Status load_feed(WeightLoader& loader, const std::string& prefix, Layer& layer);
  Status load_latent(WeightLoader& loader, const std::string& prefix, CacheSlot cache,
                     Layer& layer);
  void make_workspaces();
  void run_mixer(const Layer& layer);
  Norm norm() const { return {config_.norm, {}, {}, config_.eps}; }

  HybridConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  std::vector<Layer> layers_;
  Workspace w_;
  Mamba2Workspace mamba2_;
  MambaWorkspace mamba_;
  ShortConvWorkspace conv_;
  GatedUnitWorkspace unit_;
  KimiDeltaWorkspace delta_;
  MlaWorkspace mla_;
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

template <auto read>
constexpr auto kHybridDesign = design_of<read, hybrid_tensors, hybrid_facts, HybridDecoder>;

}  // namespace quire
