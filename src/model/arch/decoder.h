// Decoder: the layers that families of decoders are made of, attention and a feed-forward block
// around one residual stream, with everything in which the families differ as a value: which norms
// there are and where, how positions come in (rotations, learned rows, linear biases), which layers
// have a window, what is scaled, capped, clipped or biased, which layers have experts, and what
// files call the tensors. An architecture of this kind is a function that fills a DecoderConfig
// (llama.cc, gemma.cc, opt.cc, ...) and a row of the registry; the forward pass (decoder.cc), the
// tensors and the facts (decoder_tensors.cc) are here.
// Invariants: windows and turns have an entry for each layer, has_experts as well or is empty.
// Plain values and pure functions, and a model that the thread of the device drives. Called by the
// files of model/arch alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/caches.h"
#include "model/layers/mlp.h"
#include "model/layers/moe.h"
#include "model/layers/rope.h"
#include "model/layers/stem.h"

namespace quire {

// How queries and keys are normed.
enum class QueryNorms {
  kNone,
  kEach,   // each head, all by one weight
  kOwn,    // each head by a weight of its own
  kWhole,  // all heads together
  kBare,   // each head without a weight, in layers that turn
};

// What files call the tensors: without ".weight" and ".bias" where nothing else is said, and those
// of a layer behind `layer` or GGUF's "blk.{}.". What is a Stored may be a part of a larger matrix.
struct DecoderNames {
  std::string table = "model.embed_tokens", final_norm = "model.norm", head = "lm_head";
  std::string positions, embedding_norm;
  std::string table_in, table_out;   // of a narrower table
  std::string layer = "model.layers.{}.";
  std::string prefix;                // in front of all but the head; some files are without it
  std::vector<std::string> implied;  // whole names or patterns of what the configuration implies

  std::string attn_norm = "input_layernorm", gguf_attn_norm = "attn_norm";
  std::string ffn_norm = "post_attention_layernorm", gguf_ffn_norm = "ffn_norm";
  std::string attn_post_norm = "post_attention_layernorm";
  std::string ffn_post_norm = "post_feedforward_layernorm";
  Stored q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj";
  Stored gguf_q = "attn_q", gguf_k = "attn_k", gguf_v = "attn_v";
  Stored o = "self_attn.o_proj";
  std::string q_norm = "self_attn.q_norm", k_norm = "self_attn.k_norm";  // {e}: the head's own

  Stored mlp_gate = "mlp.gate_proj", mlp_up = "mlp.up_proj", mlp_down = "mlp.down_proj";
  Stored gguf_gate = "ffn_gate", gguf_up = "ffn_up";
  std::string experts = "mlp.experts.", gate = "gate_proj", up = "up_proj", down = "down_proj";
  // Whole.
  std::string router = "mlp.gate.weight", correction = "mlp.gate.e_score_correction_bias";
  std::string other_router = "mlp.gate.weight";  // where a file has none of that name
  std::string shared = "mlp.shared_experts.", shared_scale = "mlp.shared_expert_gate.weight";
};

struct DecoderConfig {
  int layers = 0, d_model = 0, ffn = 0, vocab = 0, context_max = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;
  bool is_woven_in_gguf = false;  // as in DecoderDefaults
  int table_width = 0;  // of an embedding that products lead out of and back; 0: d_model

  Norm::Kind norm = Norm::Kind::kRms;
  float eps = 1e-5f;
  bool has_norm_weights = true;
  bool has_norm_biases = false;
  bool is_norm_offset = false;    // Hugging Face's files hold a norm's distance from 1
  bool has_norms_before = true;   // of what a block reads
  bool has_norms_after = false;   // of what it adds
  bool has_inner_norms = false;   // of what each block's last matrix reads
  bool has_norms_of_sums = false;  // of the residual stream behind each block, and before none
  bool is_parallel = false;       // both blocks read what the first norm gave
  bool has_two_norms = false;     // of parallel blocks: each reads the stream through its own
  bool has_embedding_norm = false;
  QueryNorms head_norms = QueryNorms::kNone;
  bool has_head_norm_biases = false;
  bool turns_before_norms = false;  // of the heads

  RopeConfig rope;
  RopeConfig window_rope;   // of layers with a window; the same unless a reader sets it
  std::vector<int> windows;  // [layers] positions that a position sees; 0: all before it
  std::vector<bool> turns;   // [layers] by position
  bool has_chunks = false;   // a window begins at the last multiple of itself
  ScoreGrowth growth;        // of layers that do not turn, or of those that do
  bool grows_turned = false;
  std::optional<int> position_offset;  // learned positions: rows of the table before the first
  std::vector<float> slopes;           // [heads] linear biases of the scores; or empty
  float score_scale = 0;     // 0: 1 / sqrt(head_dim)
  bool has_scale_by_layer = false;  // scores divided by the layer's number, from 1 on
  float score_cap = 0;       // score = cap * tanh(score / cap); 0: none
  float clip = 0;            // queries, keys and values stay in [-clip, clip]; 0: no bound
  bool has_qkv_bias = false, has_o_bias = false, has_mlp_bias = false, has_head_bias = false;
  bool has_sinks = false;    // a logit of each head beside the scores

  bool is_gated = true;
  Activation activation = Activation::kSilu;
  bool has_xielu = false;  // instead of the activation, each layer with numbers of its own
  std::vector<Xielu> xielu;  // [layers] as a file holds them; empty: it has tensors of them
  float embedding_scale = 1, residual_scale = 1, logit_scale = 1;
  bool is_embedding_scale_rounded = false;  // to the type of the table
  float logit_cap = 0;  // as of the scores
  bool has_tied_head = false;
  int draft_layers = 0;  // behind the others in the file, for drafts: left out

  Router router;                  // experts 0: no layer has any
  bool has_correction = false;
  bool has_expert_biases = false;  // of the router as well
  bool weighs_inputs = false;      // of experts, not their outputs
  bool has_shared_scale = false;   // a gate of all that is shared
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

// What config.json calls the sizes; GGUF has one name for each. Empty: the file never says it.
struct DecoderKeys {
  const char* layers = "num_hidden_layers";
  const char* d_model = "hidden_size";
  const char* ffn = "intermediate_size";
  const char* heads = "num_attention_heads";
  const char* kv_heads = "num_key_value_heads";
  const char* head_dim = "head_dim";
  const char* context = "max_position_embeddings";
};

// The sizes of files that say nothing; 0: they must, but for kv_heads, which are as many as heads,
// and head_dim, their share of the width.
struct DecoderSizes {
  int layers = 0, d_model = 0, heads = 0, kv_heads = 0, head_dim = 0, context = 0;
  int ffn = 0, ffn_widths = 0;  // the second: as so many times the width of the model
};

// What a file means where it says nothing, and what only some families say.
struct DecoderDefaults {
  DecoderKeys keys;
  DecoderSizes sizes;
  bool may_lack_ffn = false;  // only experts have a width: 0
  const char* eps_name = "rms_norm_eps";  // in config.json
  double eps = 1e-5;
  Norm::Kind norm = Norm::Kind::kRms;
  const char* activation_name = "hidden_act";
  const char* activation = "silu";
  RopeDefaults rope;
  bool is_woven_in_gguf = false;  // rows of q and k lie for adjacent rotary pairs
  bool is_interleaved = false;    // pairs are adjacent in every kind of file
  bool has_qkv_bias = false;
  std::optional<bool> is_tied;    // nothing: a file without a head is
  bool has_rope = true;           // else no layer turns
  bool has_activation = true;     // else the reader itself asks for it
  bool has_own_rope = false;      // the reader itself asks for the rotation
  bool has_own_biases = false;    // the reader itself knows which there are
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

// Names of queries, keys and values that are one matrix of Hugging Face's: one behind the other, or
// woven: each key head behind its queries. And one behind the other in GGUF.
void fuse_heads(const std::string& name, DecoderConfig& c);
void weave_heads(const std::string& name, DecoderConfig& c);
void fuse_gguf_heads(DecoderConfig& c);
// Gate and up one behind the other in one matrix, in GGUF as well.
void fuse_gate(const std::string& name, DecoderConfig& c);

// REQUIRES: there is one of that canonical name.
TensorRule& rule_of(TensorRules& rules, const std::string& canonical);
std::string layer_name(int layer, const char* name);   // "layers.3.q"
std::string hf_layer_name(int layer, const char* name);  // "model.layers.3.mlp.up_proj.weight"

Caches decoder_caches(const DecoderConfig& c);
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
    Norm beside;  // of the stream that the block reads beside attention; none: it reads the same
    Norm sum_after_attention, sum_after_block;  // of the stream; none: as it is
  };

  Norm norm() const { return {config_.norm, {}, {}, config_.eps}; }
  Status load_stem(WeightLoader& loader);
  AttentionLayer attention_of(int i, CacheSlot slot) const;  // its values
  Status load_own_head_norms(WeightLoader& loader, const std::string& prefix,
                             AttentionLayer& attention);
  Status load_sum_norms(WeightLoader& loader, const std::string& prefix, int i, Layer& layer);
  Status load_xielu(WeightLoader& loader, const std::string& prefix, int i, MlpLayer& mlp);
  Status load_block(WeightLoader& loader, const std::string& prefix, int i, Layer& layer);
  Status load_layer(WeightLoader& loader, int i, CacheSlot slot);
  void make_ropes();
  void make_workspaces();

  DecoderConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Weight positions_;  // [rows, d_model] or empty
  Rope rope_, window_rope_;
  Rope q_rope_, q_window_rope_;  // of queries
  Rope q_bare_;  // of queries in layers that do not turn; none: they stay
  Vector ones_;  // weights of norms that have none
  Vector slopes_;
  std::vector<Layer> layers_;
  Norm bare_;  // of what reads the residual stream as it is
  Workspace w_;
  Workspace beside_;  // the same buffers but `normed`, of blocks that read the stream on their own
  MoeWorkspace moe_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

template <auto read>
constexpr auto kDecoderDesign = design_of<read, decoder_tensors, decoder_facts, Decoder>;

}  // namespace quire
