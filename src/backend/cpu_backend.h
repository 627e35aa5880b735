// CpuBackend: the ops of backend.h over one KernelTable and one thread pool. It splits work into
// ranges, never sums across a split: which thread computes what, and how many there are, cannot be
// seen in a result. Ops use every worker; a small op runs on the caller alone.
// Parts: cpu_backend.cc (memory, norms), cpu_linear.cc, cpu_attention.cc, cpu_sampling.cc.
// One driving thread; see backend.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu_memory.h"
#include "backend/huge_arena.h"
#include "base/cpu/thread_pool.h"
#include "kernels/kernel_table.h"

namespace quire {

class CpuBackend final : public Backend {
 public:
  // kernels must outlive the backend (tables are constants; tests plant their own).
  CpuBackend(const KernelTable& kernels, int threads);

  std::string description() const override;
  std::string_view isa() const override { return kernels_.name; }
  int threads() const override { return pool_.threads(); }

  Result<Weight> adopt(const TensorView& matrix, bool unpack_f32 = false) override;
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
  void silu_mul(const float* gate, const float* up, int stride, int tokens,
                Activations& out) override;
  void select_rmsnorm(const float* x, std::span<const std::int32_t> indices, int columns,
                      const float* weight, float eps, Activations& out) override;

  double logsumexp(std::span<const float> logits) const override;
  void top_candidates(std::span<const float> logits, std::span<Candidate> out) const override;
  void parallel(int count, const std::function<void(int)>& body) override;

 private:
  // Tiles [begin, end) of one output of a `linear` call.
  struct LinearItem {
    int output, begin, end;
  };
  // Query tokens [begin, begin + count) of a row, for one KV head. `split` < 0: all splits, folded
  // into the result; else that split alone, its states left in partials_ for the fold.
  struct AttentionItem {
    int row, begin, count, kv_head, split;
    std::size_t partial;  // floats into partials_
  };
  struct AttentionCall;

  const std::byte* tiles_of(const Weight& weight);  // packs on first use
  void norm_rows(const float* x, const std::int32_t* indices, int count, int columns,
                 const float* weight, float eps, CpuActivations& out);
  float* scratch(int worker, std::size_t floats);
  void grow_scratch(std::size_t floats);  // per worker, before a dispatch

  void plan_linear(int tokens, std::span<const LinearOutput> outputs);
  void run_linear(const CpuActivations& x, int tokens, const LinearOutput& output, int begin,
                  int end);

  void store_token(const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                   int token, float* q, const float* k, const float* v, CpuKvStore& kv, int layer,
                   float* scratch);
  void plan_attention(const AttentionShape& shape, const BatchView& batch);
  void run_attention(const AttentionCall& call, const AttentionItem& item, float* scratch);
  void finish_attention(const AttentionCall& call, int token, CpuActivations& out);

  const KernelTable& kernels_;
  ThreadPool pool_;
  HugeArena arena_;
  std::vector<AlignedBuffer<float>> scratch_;  // per worker
  std::vector<LinearItem> linear_items_;
  std::vector<AttentionItem> attention_items_;
  std::vector<std::size_t> partial_of_token_;  // first split's states of a token, or kNoPartial
  std::vector<float> partials_;
  AlignedBuffer<float> attended_;  // [tokens, heads * head_dim]
};

}  // namespace quire
