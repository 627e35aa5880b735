#include "planted_backend.h"

namespace quire::testing {
namespace {

class PlantedBackend : public Backend {
 public:
  explicit PlantedBackend(std::unique_ptr<Backend> real) : real_(std::move(real)) {}

  std::string description() const override { return real_->description() + ", planted"; }
  std::string_view isa() const override { return real_->isa(); }
  int threads() const override { return real_->threads(); }
  Turns& turns() override { return real_->turns(); }
  Result<Weight> adopt(const TensorView& matrix, WeightScheme scheme) override {
    return real_->adopt(matrix, scheme);
  }
  Status pack(const Weight& weight) override { return real_->pack(weight); }
  void finish_packing() override { real_->finish_packing(); }
  std::unique_ptr<Activations> activations(int tokens,
                                           std::span<const Weight* const> consumers) override {
    return real_->activations(tokens, consumers);
  }
  Result<std::unique_ptr<KvStore>> kv_store(const KvShape& shape) override {
    return real_->kv_store(shape);
  }
  void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) override {
    real_->copy_blocks(kv, moves);
  }
  void gather(const Weight& table, std::span<const std::int32_t> ids, float* out) override {
    real_->gather(table, ids, out);
  }
  void rmsnorm(const float* x, const float* weight, float eps, int tokens,
               Activations& out) override {
    real_->rmsnorm(x, weight, eps, tokens, out);
  }
  void linear(const Activations& x, int tokens, std::span<const LinearOutput> outputs) override {
    real_->linear(x, tokens, outputs);
    // As if another order of summation were used from five tokens on: one unit in the last place.
    if (tokens < 5) return;
    for (const LinearOutput& output : outputs) {
      for (int t = 0; t < tokens; ++t) {
        float* row = output.out + t * output.stride;
        for (int r = 0; r < output.weight->rows; ++r) row[r] *= 1 + 0x1p-23f;
      }
    }
  }
  void rope_store(const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                  float* q, int q_stride, const float* k, const float* v, int kv_stride,
                  KvStore& kv, int layer) override {
    real_->rope_store(shape, rope, batch, q, q_stride, k, v, kv_stride, kv, layer);
  }
  void attention(const AttentionShape& shape, const BatchView& batch, const float* q, int q_stride,
                 const KvStore& kv, int layer, Activations& out) override {
    real_->attention(shape, batch, q, q_stride, kv, layer, out);
  }
  void linear_silu(const Activations& x, int tokens, const LinearOutput& gate,
                   const LinearOutput& up, Activations& out) override {
    real_->linear_silu(x, tokens, gate, up, out);
  }
  void select_rmsnorm(const float* x, std::span<const std::int32_t> indices, int columns,
                      const float* weight, float eps, Activations& out) override {
    real_->select_rmsnorm(x, indices, columns, weight, eps, out);
  }
  double logsumexp(std::span<const float> logits) const override {
    return real_->logsumexp(logits);
  }
  void top_candidates(std::span<const float> logits, std::span<Candidate> out) const override {
    real_->top_candidates(logits, out);
  }
  float max_value(std::span<const float> logits) const override {
    return real_->max_value(logits);
  }
  std::uint32_t philox_words(std::uint64_t seed, std::uint64_t position, std::uint64_t stream,
                             std::span<std::uint32_t> words) const override {
    return real_->philox_words(seed, position, stream, words);
  }
  void parallel(int count, const std::function<void(int)>& body) override {
    real_->parallel(count, body);
  }

 private:
  std::unique_ptr<Backend> real_;
};

}  // namespace

std::unique_ptr<Backend> plant_batch_dependence(Result<std::unique_ptr<Backend>> backend) {
  return std::make_unique<PlantedBackend>(std::move(backend).value());
}

}  // namespace quire::testing
