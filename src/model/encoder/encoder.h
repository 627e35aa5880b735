// Encoder: what reads a text, or a pair of texts, at once and makes one vector of it: softmax
// attention and an MLP in every layer, with the differences as values: norms behind the blocks,
// before them or on both sides; learned or rotary positions or biases by distance; windows; a gate;
// biases; weights that layers share; a table narrower than the model. A decoder that embeds or
// classifies a text is one, too, whose tokens see only what is before them. Nothing is remembered
// beyond a step: the layers take turns in the memory of one.
// An architecture reads its file to an EncoderConfig, says in EncoderNames what Hugging Face calls
// its tensors, and has a row; GGUF calls them alike everywhere.
// Plain values, pure functions, and a model that the thread of the device drives. Used by the files
// of model/arch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/encoder/disentangled.h"
#include "model/encoder/pooling.h"
#include "model/encoder/relative_bias.h"
#include "model/layers/attention.h"
#include "model/layers/mlp.h"
#include "model/layers/rope_config.h"

namespace quire {

struct EncoderConfig {
  enum class Norms {
    kAfter,   // of the sum behind each block: the residual stream is always normed
    kBefore,  // of what a block reads
    kAround,  // and of what it adds
  };

  int layers = 0, d_model = 0, ffn = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;
  int vocab = 0, context_max = 0;
  int table_width = 0;    // of an embedding that a product leads out of; 0: d_model
  int layers_stored = 0;  // that the layers share in equal runs; 0: each has its own
  Norms norms = Norms::kAfter;
  Norm::Kind norm = Norm::Kind::kLayer;
  float eps = 1e-12f;
  Activation activation = Activation::kGelu;
  bool is_causal = false;
  float score_scale = 0;        // 0: 1 / sqrt(head_dim)
  bool has_root_scale = false;  // the embedding times the root of the width
  int segments = 0;             // rows of the table of segments; 0: none
  int positions = 0;            // rows of the table of positions; 0: none
  int position_offset = 0;      // of them before the first
  std::optional<RopeConfig> rope, window_rope;  // window_rope: of layers with a window
  std::vector<int> windows;     // [layers] positions that are seen to each side; 0: all
  RelativeBuckets relative;     // of biases by distance; no buckets: none
  Disentangled disentangled;    // scores of contents and of places apart
  std::vector<float> slopes;    // [heads] scores less so much a distance to either side; or empty
  bool has_gate = false, has_head_norms = false;
  bool has_norm_bias = true, has_qkv_bias = true, has_o_bias = true, has_mlp_bias = true;
  bool has_down_bias = false;   // of the way back alone
  bool has_embed_norm = true, has_final_norm = false;
  bool has_first_norm = true;     // before the first block; false: the embedding's is enough
  bool is_norm_offset = false;    // config.json's files hold a norm's weight less one
  bool is_gguf_fused = false;       // queries, keys and values are one matrix there
  bool is_gguf_gate_fused = false;  // gate and up likewise
  PooledConfig pooled;

  int q() const { return heads * head_dim; }
  int kv() const { return kv_heads * head_dim; }
  int width_of_table() const { return table_width > 0 ? table_width : d_model; }
  int stored() const { return layers_stored > 0 ? layers_stored : layers; }
};

// What Hugging Face calls the tensors, without ".weight" and ".bias"; of a layer behind `layer`.
// An empty name: this spelling has none.
struct EncoderNames {
  std::vector<std::string> prefixes = {""};  // one of these is in front of all names
  Stored words, positions, segments, embed_norm, table_in, relative_bias, final_norm;
  Stored places, places_norm;  // a table of places, and its norm
  std::string layer;  // "encoder.layer.{}."
  Stored q, k, v, o;
  Stored attn_before, attn_after, ffn_before, ffn_after;  // norms
  Stored gate, up, down;
  Stored q_norm, k_norm;
  Stored place_k, place_q;     // products that make keys and queries of places
  bool has_old_norms = false;  // parts of a norm may be called gamma and beta
};

// Queries, keys and values as rows of one matrix, and gate and up likewise, one behind the other.
void set_fused_qkv(EncoderNames& names, const EncoderConfig& c, const std::string& name);
void set_fused_gate(EncoderNames& names, const EncoderConfig& c, const std::string& name);

// The rules of all tensors but what is ignored. `spellings`: the first is the library's own.
TensorRules encoder_tensors(const EncoderConfig& c, const std::vector<EncoderNames>& spellings);
ModelFacts encoder_facts(const EncoderConfig& c);

class Encoder : public Model {
 public:
  Encoder(const EncoderConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return no_logits_; }
  const Buffer* pooled() const override { return &head_.out(); }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  struct Layer {
    AttentionLayer attention;
    MlpLayer mlp;
    Norm attention_after, mlp_after;  // of the residual stream; none: as it is
  };

  Norm norm() const { return {config_.norm, {}, {}, config_.eps}; }
  Status load_tables(WeightLoader& loader);
  Status load_layer(WeightLoader& loader, int index, PlaceLoader* places);
  Status load_layers(WeightLoader& loader);
  void shape_attention(int index, AttentionLayer& attention) const;
  void make_workspaces();
  void embed(Program& p) const;

  EncoderConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Weight words_, positions_, segments_, table_in_;
  Norm embed_norm_, final_norm_;
  Rope rope_, window_rope_;
  Vector bias_of_table_in_;
  Vector bias_;  // by distance
  std::vector<Layer> layers_;  // as they are applied; shared weights are loaded once
  Workspace w_, unnormed_;     // unnormed: blocks read the residual stream itself
  Buffer narrow_;              // [tokens, table_width]
  PooledHead head_;
  Buffer no_logits_;
  Program program_;
  float embedding_scale_ = 1;
  std::vector<std::vector<float>> place_memory_;
  std::size_t weight_bytes_ = 0;
};

}  // namespace quire
