// CpuBackend: the ops of backend.h over one KernelTable and one thread pool. It splits work into
// ranges, never sums across a split: which thread computes what, and how many there are, cannot be
// seen in a result. Ops use every worker; a small op runs on the caller alone.
// Parts: cpu_backend.cc (memory, norms), memory/cpu_packing.cc, cpu_linear.cc, cpu_attention.cc,
// cpu_kv.cc, cpu_sampling.cc.
// One driving thread at a time; see backend.h.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/attention_plan.h"
#include "backend/backend.h"
#include "backend/cpu_memory.h"
#include "backend/memory/huge_arena.h"
#include "backend/memory/packed_cache.h"
#include "base/cpu/thread_pool.h"
#include "kernels/kernel_table.h"

namespace quire {

struct CpuDevice {
  explicit CpuDevice(int threads) : pool(threads) {}

  ThreadPool pool;  // used by whoever holds the turn
  Turns turns;
};

class CpuBackend final : public Backend {
 public:
  // kernels must outlive the backend (tables are constants; tests plant their own).
  // Of the options, what a device and a table stand for is not asked.
  CpuBackend(const KernelTable& kernels, std::shared_ptr<CpuDevice> device,
             const CpuBackendOptions& options);
  CpuBackend(const KernelTable& kernels, int threads);  // on a device of its own

  std::string description() const override;
  Status health() const override {
    return packed_cache_ == nullptr ? ok_status() : packed_cache_->health();
  }
  std::string_view isa() const override { return kernels_.name; }
  int threads() const override { return pool_.threads(); }
  Turns& turns() override { return device_->turns; }

  Result<Weight> adopt(const TensorView& matrix,
                       WeightScheme scheme = WeightScheme::kAsStored) override;
  Status pack(const Weight& weight) override;
  void finish_packing() override;
  PackedCache* packed_cache() { return packed_cache_.get(); }  // for tests; null: none
  std::size_t mapped_weights() const { return mapped_.size(); }  // served from its file, for tests
  std::unique_ptr<Activations> activations(int tokens,
                                           std::span<const Weight* const> consumers) override;
  Result<std::unique_ptr<KvStore>> kv_store(const KvShape& shape) override;
  void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) override;

  void gather(const Weight& table, std::span<const std::int32_t> ids, float* out) override;
  void rmsnorm(const float* x, const float* weight, float eps, int tokens,
               Activations& out) override;
  void linear(const Activations& x, int tokens, std::span<const LinearOutput> outputs) override;
  void linear_rmsnorm(const Activations& x, int tokens, const LinearOutput& output,
                      const float* weight, float eps, Activations& out) override;
  void rope_store(const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                  float* q, int q_stride, const float* k, const float* v, int kv_stride,
                  KvStore& kv, int layer) override;
  void attention(const AttentionShape& shape, const BatchView& batch, const float* q, int q_stride,
                 const KvStore& kv, int layer, Activations& out) override;
  void attend(const Activations& x, const std::array<LinearOutput, 3>& qkv,
              const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
              KvStore& kv, int layer, Activations& out) override;
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
  // Tiles [begin, end) of one output of a `linear` call.
  struct LinearItem {
    int output, begin, end;
  };
  // The input of a `linear` call as int8 with the scale that a checkpoint states.
  struct StaticInput {
    float scale = 0;
    CpuActivations::Form form;
  };
  struct RopeCall {
    const AttentionShape& shape;
    const RopeSpec& rope;
    const BatchView& batch;
    CpuKvStore& kv;
    int layer;
  };
  struct AttentionCall {
    const AttentionShape& shape;
    const BatchView& batch;
    const float* q;
    int q_stride;
    const CpuKvStore& kv;
    int layer;
    CpuActivations& out;

    int group() const { return shape.heads / shape.kv_heads; }
    int position(int token) const { return batch.positions[static_cast<std::size_t>(token)]; }
  };

  void pack_rows(const CpuPacked& packed, int first, int rows, std::byte* tile) const;
  void promote_weight();
  void norm_row(const float* x, const float* weight, float eps, int token, CpuActivations& out,
                float* room) const;
  void norm_rows(const float* x, const std::int32_t* indices, int count, int columns,
                 const float* weight, float eps, CpuActivations& out);
  float* scratch(int worker, std::size_t floats);
  void grow_scratch(std::size_t floats);  // per worker, before a dispatch

  void plan_linear(int tokens, std::span<const LinearOutput> outputs, int tiles_multiple);
  void find_inputs(const CpuActivations& x, int tokens, std::span<const LinearOutput> outputs);
  const CpuActivations::Form& input_of(const CpuActivations& x, int tokens,
                                       const CpuPacked& packed);
  void expect_next(MatmulTask& task, std::span<const LinearOutput> outputs, std::size_t item) const;
  void run_gated(const LinearItem& item, int token, int count,
                 std::span<const LinearOutput> outputs, std::size_t next_item, float* room,
                 CpuActivations& out);

  void run_linear(const LinearItem& item, int tokens, std::span<const LinearOutput> outputs,
                  std::size_t next_item, float* room);
  void attend_fused(const Activations& x, const std::array<LinearOutput, 3>& qkv,
                    const RopeCall& rope, const AttentionCall& attention);

  void rotate(const RopeCall& call, int token, const float* norm, float* head) const;
  void store_head(const RopeCall& call, int token, int head, bool is_key, const float* values,
                  float* scratch) const;
  void store_rotated(const RopeCall& call, int token, int head, const float* key,
                     float* scratch) const;
  void store_projected(const RopeCall& call, const LinearItem& item, const LinearOutput& output,
                       float* scratch) const;
  void plan_attention(const AttentionCall& call);
  void run_attention(const AttentionCall& call, const AttentionItem& item, float* floats);
  void finish_attention(const AttentionCall& call, const AttentionItem& item, float* scratch);
  void fold_splits(const AttentionCall& call, int token, int kv_head, float* scratch);
  float* attended_head(const AttentionCall& call, int token, int kv_head);

  const KernelTable& kernels_;
  std::shared_ptr<CpuDevice> device_;
  ThreadPool& pool_;  // the device's
  HugeArena arena_;
  bool has_huge_pages_;
  std::unique_ptr<PackedCache> packed_cache_;  // null: none
  std::vector<Weight> mapped_;                 // that are not in huge pages yet
  std::vector<AlignedBuffer<float>> scratch_;  // per worker
  std::vector<LinearItem> linear_items_;
  std::vector<const CpuActivations::Form*> linear_inputs_;  // per output of a `linear` call
  std::deque<StaticInput> static_inputs_;                   // of the same call, then reused
  std::size_t static_inputs_used_ = 0;
  AttentionPlan plan_;
  AlignedBuffer<float> partials_;      // states of split items, at AttentionItem::state
  std::vector<std::int32_t> pending_;  // [tokens, kv_heads + 1]: splits of each head, then heads
  AlignedBuffer<float> attended_;  // [tokens, heads * head_dim]
};

}  // namespace quire
