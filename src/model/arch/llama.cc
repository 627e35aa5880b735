#include "model/arch/llama.h"

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "model/layers/attention.h"
#include "model/layers/mlp.h"
#include "model/layers/rope.h"

namespace quire {
namespace {

struct Layer {
  std::vector<float> attention_norm;  // [d_model]
  AttentionLayer attention;
  std::vector<float> mlp_norm;        // [d_model]
  MlpLayer mlp;
};

class Llama : public Model {
 public:
  Llama(const ModelConfig& config, Backend& backend, const ModelOptions& options)
      : config_(config),
        options_(options),
        backend_(backend),
        rope_table_(make_rope_table(config.rope, config.head_dim, options.context_max)) {}

  Status load(WeightLoader& loader);

  KvShape kv_shape() const override {
    return {config_.layers, config_.kv_heads, config_.head_dim, 0, DType::kF16};
  }
  int vocab() const override { return config_.vocab; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  void forward(const BatchView& batch, KvStore& kv, float* logits) override;

 private:
  void size_workspace();

  ModelConfig config_;
  ModelOptions options_;
  Backend& backend_;
  RopeTable rope_table_;
  Weight embedding_;                // [vocab, d_model]
  std::vector<Layer> layers_;
  std::vector<float> final_norm_;   // [d_model]
  Weight head_;                     // [vocab, d_model]; the embedding itself when tied
  std::size_t weight_bytes_ = 0;
  Workspace w_;
};

Status Llama::load(WeightLoader& loader) {
  const int d = config_.d_model;
  QUIRE_ASSIGN_OR_RETURN(embedding_, config_.tied_head ? loader.matrix("embed", config_.vocab, d)
                                                       : loader.table("embed", config_.vocab, d));
  for (int i = 0; i < config_.layers; ++i) {
    Layer layer;
    QUIRE_ASSIGN_OR_RETURN(layer.attention_norm,
                           loader.vector(fmt::format("layers.{}.attn_norm", i), d));
    QUIRE_ASSIGN_OR_RETURN(layer.attention, load_attention(loader, config_, i));
    QUIRE_ASSIGN_OR_RETURN(layer.mlp_norm, loader.vector(fmt::format("layers.{}.ffn_norm", i), d));
    QUIRE_ASSIGN_OR_RETURN(layer.mlp, load_mlp(loader, config_, i));
    layers_.push_back(std::move(layer));
  }
  QUIRE_ASSIGN_OR_RETURN(final_norm_, loader.vector("final_norm", d));
  if (config_.tied_head) {
    head_ = embedding_;
    weight_bytes_ = loader.bytes();
  } else {
    QUIRE_ASSIGN_OR_RETURN(head_, loader.matrix("head", config_.vocab, d));
    weight_bytes_ = loader.bytes() - embedding_.bytes;  // a step gathers a few rows of it only
  }
  size_workspace();
  return ok_status();
}

void Llama::size_workspace() {
  const std::size_t tokens = options_.tokens_max;
  const int q_width = config_.heads * config_.head_dim;
  const int kv_width = config_.kv_heads * config_.head_dim;
  w_.residual = AlignedBuffer<float>(tokens * config_.d_model);
  w_.qkv = AlignedBuffer<float>(tokens * (q_width + 2 * kv_width));
  w_.gate_up = AlignedBuffer<float>(tokens * 2 * config_.ffn);
  std::vector<const Weight*> normed, attended, gated;
  for (const Layer& layer : layers_) {
    normed.insert(normed.end(), {&layer.attention.q, &layer.attention.k, &layer.attention.v,
                                 &layer.mlp.gate, &layer.mlp.up});
    attended.push_back(&layer.attention.o);
    gated.push_back(&layer.mlp.down);
  }
  const Weight* head = &head_;
  w_.normed = backend_.activations(options_.tokens_max, normed);
  w_.attended = backend_.activations(options_.tokens_max, attended);
  w_.gated = backend_.activations(options_.tokens_max, gated);
  w_.last = backend_.activations(options_.logits_rows_max, {&head, 1});
}

void Llama::forward(const BatchView& batch, KvStore& kv, float* logits) {
  const int tokens = batch.tokens();
  const AttentionShape shape = {config_.heads, config_.kv_heads, config_.head_dim,
                                1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
                                config_.sliding_window};
  RopeSpec rope;
  rope.pairing = config_.rope.pairing == RopePairs::kAdjacent ? RopePairing::kAdjacent
                                                              : RopePairing::kHalfSplit;
  rope.cosines = rope_table_.cosines.data();
  rope.sines = rope_table_.sines.data();
  rope.norm_eps = config_.rms_eps;

  const auto norm = [this](const std::vector<float>& weight) {
    return NormSpec{weight.data(), config_.rms_eps};
  };
  backend_.gather(embedding_, batch.token_ids, w_.residual.data());
  backend_.rmsnorm(w_.residual.data(), layers_[0].attention_norm.data(), config_.rms_eps, tokens,
                   *w_.normed);
  for (int i = 0; i < config_.layers; ++i) {
    const Layer& layer = layers_[i];
    run_attention(layer.attention, shape, rope, backend_, batch, kv, i, norm(layer.mlp_norm), w_);
    const bool is_last = i + 1 == config_.layers;
    run_mlp(layer.mlp, backend_, tokens,
            is_last ? NormSpec{} : norm(layers_[i + 1].attention_norm), w_);
  }
  if (batch.logits_rows() == 0) return;
  backend_.select_rmsnorm(w_.residual.data(), batch.logits_tokens, config_.d_model,
                          final_norm_.data(), config_.rms_eps, *w_.last);
  const LinearOutput head = {&head_, logits, config_.vocab};
  backend_.linear(*w_.last, batch.logits_rows(), {&head, 1});
}

}  // namespace

Result<std::unique_ptr<Model>> make_llama(const ModelConfig& config, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress) {
  ModelOptions resolved = options;
  if (resolved.context_max == 0) resolved.context_max = config.context_max;
  auto model = std::make_unique<Llama>(config, backend, resolved);
  const std::size_t matrices = 1 + 7 * std::size_t(config.layers) + (config.tied_head ? 0 : 1);
  WeightLoader loader(find, backend, options.weights, matrices, progress);
  QUIRE_RETURN_IF_ERROR(model->load(loader));
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace quire
