// TimedBackend: a Backend that forwards every op to the real one and keeps books: calls, seconds,
// and what the op had to read and compute, by name of op and, for products, by the weights they
// read ("q+k+v", "down"). The model above knows nothing of it. Two clock reads an op.
// What counts as read: the weights in their smallest form (file or packed), the KV of the positions
// that are seen, and for the ops that have neither, the floats that go in and out. These may come
// from a cache; then the op is faster than memory, and its share of the roofline exceeds 1.
// One thread, as every Backend; used by quire bench --ops.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/nanos.h"
#include "kernels/kernel_table.h"

namespace quire {

// What the calls of one op took together.
struct OpTotals {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0;
  double bytes = 0;
  std::array<double, kActivationForms> operations{};  // attention counts as bf16
};

class TimedBackend final : public Backend {
 public:
  explicit TimedBackend(std::unique_ptr<Backend> real) : real_(std::move(real)) {}

  // In the order in which the ops were first seen; ops without a call are left out.
  std::vector<OpTotals> totals() const;
  void clear();

  std::string description() const override { return real_->description(); }
  Status health() const override { return real_->health(); }
  std::string_view isa() const override { return real_->isa(); }
  int threads() const override { return real_->threads(); }
  Turns& turns() override { return real_->turns(); }

  // Products are named by the last part of their weights' names: "q" for "layers.3.q".
  Result<Weight> adopt(const TensorView& matrix, WeightScheme scheme) override;
  Status pack(const Weight& weight) override { return real_->pack(weight); }
  void finish_packing() override { real_->finish_packing(); }
  std::unique_ptr<Activations> activations(int tokens,
                                           std::span<const Weight* const> consumers) override;
  Result<std::unique_ptr<KvStore>> kv_store(const KvShape& shape) override;
  void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) override;

  void gather(const Weight& table, std::span<const std::int32_t> ids, float* out) override;
  void rmsnorm(const float* x, const float* weight, float eps, int tokens,
               Activations& out) override;
  void linear(const Activations& x, int tokens, std::span<const LinearOutput> outputs) override;
  void rope_store(const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                  float* q, int q_stride, const float* k, const float* v, int kv_stride,
                  KvStore& kv, int layer) override;
  void attention(const AttentionShape& shape, const BatchView& batch, const float* q, int q_stride,
                 const KvStore& kv, int layer, Activations& out) override;
  void linear_silu(const Activations& x, int tokens, const LinearOutput& gate,
                   const LinearOutput& up, Activations& out) override;
  void select_rmsnorm(const float* x, std::span<const std::int32_t> indices, int columns,
                      const float* weight, float eps, Activations& out) override;

  double logsumexp(std::span<const float> logits) const override;
  void top_candidates(std::span<const float> logits, std::span<Candidate> out) const override;
  float max_value(std::span<const float> logits) const override;
  std::uint32_t philox_words(std::uint64_t seed, std::uint64_t position, std::uint64_t stream,
                             std::span<std::uint32_t> words) const override;
  void parallel(int count, const std::function<void(int)>& body) override;

 private:
  // What is known of a weight from adopt().
  struct Known {
    std::string part;  // of the model: "q", "down", "head"
    double bytes = 0;
    ActivationForm form = ActivationForm::kF32;
    std::size_t line = 0;  // of totals_, for products that name this weight first; 0: none yet
  };

  OpTotals& line_of(std::string_view op);
  OpTotals& line_of(std::span<const LinearOutput> outputs);
  double count_products(OpTotals& line, int tokens, std::span<const LinearOutput> outputs) const;
  template <typename Body>
  void time(OpTotals& line, double bytes, Body body);

  std::unique_ptr<Backend> real_;
  std::map<const Packed*, Known> known_;
  std::vector<OpTotals> totals_ = std::vector<OpTotals>(1);  // the first stands for "none yet"
};

}  // namespace quire
