// CpuBackend: the ops of program.h over one KernelTable and one thread pool. It splits work into
// ranges, never sums across a split: which thread computes what, and how many there are, cannot be
// seen in a result. Ops use every worker; a small op runs on the caller alone. Parts:
// cpu_backend.cc (memory), memory/cpu_packing.cc, cpu_run.cc (programs, and which neighbours run as
// one) and ops/: cpu_rows.cc (norms, activations and other work row by row), cpu_linear.cc,
// cpu_experts.cc, cpu_kv.cc, cpu_attention.cc, cpu_scan.cc and cpu_channels.cc (recurrent layers),
// cpu_draw.cc. One driving thread at a time; see backend.h.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_memory.h"
#include "backend/cpu/far_angles.h"
#include "backend/cpu/ops/attention_plan.h"
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

// One matrix of a `linear` call, its places found: rows [row, row + rows) of an input in the form
// that the weight reads, and where their products go.
struct LinearOutput {
  const Weight* weight = nullptr;
  int expert = 0;           // which of the weight's matrices
  int row = 0, rows = 0;    // of the input
  float* out = nullptr;     // [rows, stride]
  int out_row = 0;          // which row of its buffer that is
  int stride = 0;           // floats from one row to the next
  const float* bias = nullptr;  // [weight->rows] or null
  bool accumulate = false;
  const CpuBuffer::Form* x = nullptr;
  std::size_t x_offset = 0;  // bytes into each row of the form
};

struct AttentionScratch;

inline constexpr int kCachedHeadMax = 1024;  // values of a head in the cache

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
  void for_each_on_host(std::size_t count,
                        const std::function<void(std::size_t)>& work) override {
    pool_.for_each(static_cast<int>(count),
                   [&](int item, int) { work(static_cast<std::size_t>(item)); });
  }
  Turns& turns() override { return device_->turns; }

  Result<Weight> adopt(const WeightView& view,
                       WeightScheme scheme = WeightScheme::kAsStored) override;
  Status pack(const Weight& weight) override;
  void finish_packing() override;
  PackedCache* packed_cache() { return packed_cache_.get(); }  // for tests; null: none
  std::size_t mapped_weights() const { return mapped_.size(); }  // served from its file, for tests
  Vector vector(std::span<const float> values) override;
  Buffer buffer(Rows rows, int rows_max, int columns, int per_token = 1) override;
  Result<std::unique_ptr<KvStore>> kv_store(std::span<const KvGroupShape> groups) override;
  void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) override;
  const float* host_rows(const Buffer& buffer) override;

  void run(const Program& program, const BatchView& batch, KvStore& kv) override;
  void set_watch(RunWatch* watch) override { watch_ = watch; }

  std::vector<Drawn> draw(const Buffer& logits, std::span<const DrawTask> tasks) override;

 private:
  static constexpr std::int64_t kAloneElements = 4096;  // a wake-up costs more than so many

  // A program's step: the batch and its memory, and all of its ops.
  struct Step {
    const BatchView& batch;
    CpuKvStore& kv;
    std::span<const Op> ops;

    int rows(const Buffer& buffer) const;
    // A KV group's index, which the batch and the memory have.
    std::size_t group(int index) const {
      QUIRE_CHECK(index >= 0 && static_cast<std::size_t>(index) < kv.memory.size() &&
                      static_cast<std::size_t>(index) < batch.groups.size(),
                  "group {} of {}, the batch has {}", index, kv.memory.size(),
                  batch.groups.size());
      return static_cast<std::size_t>(index);
    }
  };
  // Tiles [begin, end) of one output of a `linear` call.
  struct LinearItem {
    int output, begin, end;
  };
  // The input of a `linear` call as some of its weights want it: arranged, rounded, or as int8 with
  // the scale that a checkpoint states.
  struct OwnInput {
    ActivationForm of = ActivationForm::kF32;
    float scale = 0;
    InputRule rule;
    CpuBuffer::Form form;
  };
  // Queries and keys of a step on their way: rotated, and the keys and values stored.
  struct StoreCall {
    const BatchView& batch;
    const GroupView& view;
    const CpuKvGroup& kv;
    int layer;
    const RotateOp* rotate_q;  // null: not here
    const RotateOp* rotate_k;
    const StoreOp* store;
  };
  struct AttentionCall {
    const Attend& shape;
    const BatchView& batch;
    const GroupView& view;
    const CpuBuffer& q;
    const CpuKvGroup& kv;
    int layer;
    CpuBuffer& out;
    const CpuBuffer* q_rest = nullptr;  // the end of each head's part of it is behind q's

    const Rope* turn = nullptr;  // of queries that see sinks; null: they are not turned
    int turn_begin = 0;          // in a head whose parts are together
    bool has_pairs = false;      // a bias for each pair of tokens: pairs_

    int group() const { return shape.heads / shape.kv_heads; }
    int position(int token) const { return batch.positions[static_cast<std::size_t>(token)]; }
  };
  // What row-wise work needs: rows, their index in x where they are chosen, and room.
  struct NormCall {
    const CpuBuffer& x;
    const std::int32_t* indices;  // null: all rows in order
    const Norm& norm;
    CpuBuffer& out;
    bool accumulate;
  };

  // --- cpu_run.cc ---
  void make_forms(const Program& program);
  void reach_angles(const Program& program, const BatchView& batch);
  std::size_t run_some(std::span<const Op> ops, const Step& step);  // how many ran as one
  bool runs_as_linear_norm(std::span<const Op> ops, const Step& step);
  bool runs_as_gated(std::span<const Op> ops, const Step& step);
  std::size_t run_as_attention(std::span<const Op> ops, const Step& step);
  void run_op(const GatherOp& op, const Step& step);
  void run_op(const NormOp& op, const Step& step);
  void run_op(const LinearOp& op, const Step& step);
  void run_op(const HeadLinearOp& op, const Step& step);
  void run_op(const GateOp& op, const Step& step);
  void run_op(const RotateOp& op, const Step& step);
  void run_op(const StoreOp& op, const Step& step);
  void run_op(const AttendOp& op, const Step& step);
  void run_op(const RouteOp& op, const Step& step);
  void run_op(const WeighOp& op, const Step& step);
  void run_op(const CombineOp& op, const Step& step);
  void run_op(const AddOp& op, const Step& step);
  void run_op(const BlendOp& op, const Step& step);
  void run_op(const MatchOp& op, const Step& step);
  void run_op(const CutoffOp& op, const Step& step);
  void run_op(const CapOp& op, const Step& step);
  void run_op(const JoinOp& op, const Step& step);
  void run_op(const ConvolveOp& op, const Step& step);
  void run_op(const ScanOp& op, const Step& step);
  void run_op(const SelectiveOp& op, const Step& step);
  void run_op(const GatedUnitOp& op, const Step& step);
  void run_op(const GatedNormOp& op, const Step& step);
  void run_op(const PoolOp& op, const Step& step);

  // --- memory ---
  void pack_rows(const CpuPacked& packed, int matrix, int first, int rows,
                 std::byte* tile) const;
  void pack_stored_rows(const WeightView& source, std::size_t expert, std::size_t begin,
                        std::size_t count, std::byte* tile) const;
  void promote_weight();
  float* scratch(int worker, std::size_t floats);
  void grow_scratch(std::size_t floats);  // per worker, before a dispatch

  // --- cpu_rows.cc ---
  // body(row, worker) for all rows; on the caller alone where they are few.
  template <typename Body>
  void for_rows(int rows, int columns, const Body& body) {
    if (std::int64_t{rows} * columns <= kAloneElements) {
      for (int row = 0; row < rows; ++row) body(row, 0);
    } else {
      pool_.for_each(rows, body);
    }
  }
  void act_mul(Activation activation, const float* gate, const float* up, int count,
               float* out) const;
  void norm_row(const NormCall& call, int row, float* room) const;
  void norm_values(const Norm& norm, const float* x, int columns, float* out) const;
  void refresh(CpuBuffer& buffer, int rows);

  // --- cpu_linear.cc ---
  std::span<LinearOutput> find_outputs(const LinearOp& op, const Step& step);
  void find_inputs(CpuBuffer& x, int rows, std::span<LinearOutput> outputs);
  const CpuBuffer::Form& input_of(CpuBuffer& x, int rows, const CpuPacked& packed);
  OwnInput& next_own_input(int rows, const CpuPacked& packed);
  void write_own_input(const CpuPacked& packed, const InputRule& rule, const float* x, float* room,
                       std::byte* to) const;
  void plan_linear(std::span<const LinearOutput> outputs, int tiles_multiple);
  void expect_next(MatmulTask& task, std::span<const LinearOutput> outputs, std::size_t item) const;
  void run_linear(std::size_t item, std::span<const LinearOutput> outputs, float* room) const;
  void linear(std::span<const LinearOutput> outputs);
  void linear_norm(const LinearOutput& output, const NormCall& norm);
  void linear_gated(std::span<const LinearOutput> outputs, Activation activation, CpuBuffer& out);
  void run_gated(std::size_t item, int row, int count, std::span<const LinearOutput> outputs,
                 Activation activation, float* room, CpuBuffer& out) const;

  // --- cpu_experts.cc ---
  std::span<LinearOutput> find_expert_outputs(const LinearOp& op, const Step& step);
  const CpuBuffer::Form* expert_inputs(const LinearOp& op, int rows, bool is_by_token);
  const CpuBuffer::Form& own_expert_inputs(const LinearOp& op, const CpuPacked& packed);

  // --- cpu_scan.cc ---
  void scan_gates(const ScanOp& op, int token, float* decays, float* gains) const;

  // --- cpu_kv.cc, cpu_attention.cc ---
  void rotate(const RotateOp& op, const BatchView& batch, int token, float* head) const;
  void store_head(const StoreCall& call, int token, int head, bool is_key, const float* values,
                  float* room) const;
  void store_key(const StoreCall& call, int token, int head, const float* key, float* room) const;
  void store_token(const StoreCall& call, int token, float* room) const;
  void store_all(const StoreCall& call);
  void store_projected(const StoreCall& call, const LinearItem& item, const LinearOutput& output,
                       float* room) const;
  void attention(const AttentionCall& call);
  void attend_fused(std::span<const LinearOutput> qkv, const StoreCall& store,
                    const AttentionCall& attention);
  void plan_attention(const AttentionCall& call);
  AttentionTask attention_task(const AttentionCall& call, const AttentionItem& item,
                               const AttentionScratch& scratch) const;
  static const float* sinks_of(const AttentionCall& call, int kv_head);
  bool attend_sinks(const AttentionCall& call, const AttentionItem& item,
                    const AttentionScratch& scratch) const;
  void turn_back(const AttentionCall& call, int distance, float* queries) const;
  void pair_tokens(const AttendOp& op, const Step& step);
  void find_turn(const AttendOp& op, const Step& step, AttentionCall& call) const;
  void run_attention(const AttentionCall& call, const AttentionItem& item, float* floats);
  void finish_attention(const AttentionCall& call, const AttentionItem& item, float* scratch);
  void fold_splits(const AttentionCall& call, int index, int kv_head, float* scratch);
  float* attended_head(const AttentionCall& call, int token, int kv_head);

  const KernelTable& kernels_;
  std::shared_ptr<CpuDevice> device_;
  ThreadPool& pool_;  // the device's
  HugeArena arena_;
  bool has_huge_pages_;
  RunWatch* watch_ = nullptr;
  std::unique_ptr<PackedCache> packed_cache_;  // null: none
  std::vector<Weight> mapped_;                 // that are not in huge pages yet
  std::vector<AlignedBuffer<float>> scratch_;  // per worker
  std::vector<LinearOutput> linear_outputs_;   // of a `linear` op
  std::vector<LinearItem> linear_items_;
  std::deque<OwnInput> own_inputs_;            // of the same call, then reused
  std::size_t own_inputs_used_ = 0;
  CpuBuffer::Form expert_input_;       // rows of a product's input, sorted by their expert
  AlignedBuffer<float> scan_gates_;    // [tokens, heads or rows] decays, [tokens, heads] gains
  std::vector<std::vector<float*>> row_states_;  // per worker: where states go
  AttentionPlan plan_;
  FarAngles far_angles_;
  AlignedBuffer<float> pairs_;            // for each token [heads, tokens of its row] biases
  std::vector<std::size_t> pairs_begin_;  // [tokens] into pairs_
  AlignedBuffer<float> partials_;      // states of split items, at AttentionItem::state
  std::vector<std::int32_t> pending_;  // [tokens, kv_heads + 1]: splits of each head, then heads
  AlignedBuffer<float> attended_;      // [tokens, heads * v_dim]
};

}  // namespace quire
