// PlainDecoder: what most decoders are, softmax attention and an MLP in every layer, with the
// differences as values: the kind of norm and where it stands, rotary or learned positions or
// linear biases, windows, biases, a gate, norms of the heads, a narrower table. An architecture
// that is made of these reads its file to a PlainConfig, says in PlainNames what Hugging Face calls
// its tensors, and has a row; GGUF calls them alike everywhere.
// Plain values, pure functions, and a model that the thread of the device drives. Used by the files
// of model/arch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/layers/attention.h"
#include "model/layers/mlp.h"
#include "model/layers/rope_config.h"
#include "model/layers/stem.h"

namespace quire {

struct PlainConfig {
  enum class Blocks {
    kOneByOne,   // attention, then the MLP, each behind its norm
    kBeside,     // both read one norm of the residual stream
    kNormAfter,  // one by one, and what each leaves is normed
  };
  enum class HeadNorms { kNone, kShared, kEach };  // of queries and keys: one for all heads, or own

  int layers = 0, d_model = 0, ffn = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;
  int vocab = 0, context_max = 0;
  int table_width = 0;  // of an embedding that products lead out of and back; 0: d_model
  Blocks blocks = Blocks::kOneByOne;
  Norm::Kind norm = Norm::Kind::kLayer;
  float eps = 1e-5f;
  Activation activation = Activation::kGeluTanh;
  float score_scale = 0;  // 0: 1 / sqrt(head_dim)
  float logit_scale = 1;
  std::optional<RopeConfig> rope;
  std::optional<int> position_offset;  // learned positions: rows of the table before the first
  std::vector<float> slopes;           // [heads] linear biases
  std::vector<int> windows;            // [layers] positions that a position sees; 0: all before it
  bool has_gate = false;
  bool has_norm_bias = true;
  bool has_qkv_bias = false, has_o_bias = false, has_mlp_bias = false;
  bool has_tied_head = false, has_head_bias = false;
  HeadNorms head_norms = HeadNorms::kNone;
  bool has_head_norm_bias = false;
  bool is_gguf = false;
  bool is_gguf_fused = false;  // queries, keys and values are one matrix there

  std::size_t q() const { return size(heads) * size(head_dim); }
  std::size_t kv() const { return size(kv_heads) * size(head_dim); }
  int width_of_table() const { return table_width > 0 ? table_width : d_model; }
  static std::size_t size(int value) { return static_cast<std::size_t>(value); }
};

// What Hugging Face calls the tensors, without ".weight" and ".bias"; of a layer behind `layer`.
struct PlainNames {
  std::string table, positions, final_norm, head;
  std::string layer;  // "model.layers.{}."
  std::string attn_norm, ffn_norm;
  Stored q, k, v;     // a part of one matrix, or of their own
  std::string o;
  Stored gate, up;
  std::string down;
  std::string q_norm, k_norm;          // {e}: the head, where each has its own
  std::string table_in, table_out;     // of a narrower table
  std::string prefix;                  // in front of all but the head; some files are without it
  std::vector<std::string> implied;    // tensors that the configuration implies
};

// Queries, keys and values as rows of one matrix, one behind the other.
void set_fused(PlainNames& names, const PlainConfig& c, const std::string& name);
// The same woven head by head: [heads, 3, head_dim].
void set_woven(PlainNames& names, const PlainConfig& c, const std::string& name);

// What config.json calls the sizes; GGUF has one name for each. Null: the file never says it.
struct PlainKeys {
  const char* layers = "num_hidden_layers";
  const char* d_model = "hidden_size";
  const char* ffn = "intermediate_size";
  const char* heads = "num_attention_heads";
  const char* kv_heads = "num_key_value_heads";  // absent: as many as there are heads
  const char* context = "max_position_embeddings";
  Key eps = {"layer_norm_eps", "attention.layer_norm_epsilon"};
  double eps_default = 1e-5;
  const char* activation = "hidden_act";
  const char* activation_default = "gelu_new";
  int context_default = 0;  // 0: the file must say it
};

// The sizes, the norm's eps, the activation, and whether heads divide what they have to.
PlainConfig read_plain(const ConfigFields& fields, int vocab, const PlainKeys& keys);

// Refuses a file of GGUF, for which nobody has said how its tensors lie.
void refuse_gguf(const ConfigFields& fields, std::string_view architecture);

// Whether the head is the embedding: what config.json says or the file's tensors show.
bool read_tied(const ConfigFields& fields, bool fallback);

TensorRules plain_tensors(const PlainConfig& c, const PlainNames& names);
ModelFacts plain_facts(const PlainConfig& c);

class PlainDecoder : public Model {
 public:
  PlainDecoder(const PlainConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config), options_(options), backend_(backend) {}

  Status load(WeightLoader& loader);

  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  const Buffer& logits() const override { return w_.logits; }
  void forward(const BatchView& batch, KvStore& kv) override;

 private:
  struct Layer {
    AttentionLayer attention;
    MlpLayer mlp;
    Norm attention_after, mlp_after;  // of what each leaves; none: as it is
  };

  Status load_layer(WeightLoader& loader, int index, const AttentionLayer& like);
  Status load_norms_after(WeightLoader& loader, int index, Layer& layer);
  void make_workspace();
  Norm norm() const { return {config_.norm, {}, {}, config_.eps}; }

  PlainConfig config_;
  ModelOptions options_;
  Backend& backend_;
  Stem stem_;
  Weight positions_;  // [rows, d_model]
  std::vector<Layer> layers_;
  Workspace w_;
  Program program_;
  std::size_t weight_bytes_ = 0;
};

}  // namespace quire
