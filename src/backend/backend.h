// Backend: memory, weights and about a dozen ops on one device. It knows arrays, not requests, and
// picks nothing per call: the KernelTable (or the device) was chosen once, at construction.
// Ops are complete when they return (CPU) or ordered behind each other (a stream). One step at a
// time; called by model/ and runtime/ from the thread that drives the device.
//
// Batch invariance (docs/architecture.md): what an op writes for one token depends on that token's
// inputs alone, bit for bit: never on how many other tokens, rows or threads there are.
//
// Buffers are float32 unless said otherwise; shapes are [outer, inner], inner contiguous.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "backend/batch_view.h"
#include "base/cpu/turns.h"
#include "base/status.h"
#include "tensor/tensor.h"

namespace quire {

// A matrix [rows, columns] in the backend's own packed layout. Cheap to copy (shared, immutable).
// Packed is the backend's private type.
struct Packed {
  virtual ~Packed() = default;
};
struct Weight {
  int rows = 0;                // outputs
  int columns = 0;             // inputs (K)
  DType dtype = DType::kF32;   // of the file it came from
  DType packed_dtype = DType::kF32;  // of the layout, hence of the arithmetic
  std::size_t bytes = 0;       // read once per pass over the weight
  std::shared_ptr<const Packed> packed;

  explicit operator bool() const { return packed != nullptr; }
};

// How a matrix is held for products.
enum class WeightScheme : std::uint8_t {
  kAsStored,  // in the layout of its type
  kFloat32,   // unpacked (a test setting: slow and exact)
  kW8A8,      // F32, F16 and BF16 as int8 with a scale per row, to the nearest; I8 as stored
};

// The input of a product: [tokens, columns], held in every form that the weights that read it want
// (float32, bfloat16, int8 groups of 32 with scale and sum, int8 with one scale), made once by the
// op that wrote it.
struct Activations {
  virtual ~Activations() = default;
  int columns = 0;
};

// One product of a `linear` call: out[t, r] (+)= dot(weight[r], x[t]) + bias[r].
struct LinearOutput {
  const Weight* weight = nullptr;
  float* out = nullptr;             // [tokens, stride]
  int stride = 0;                   // floats from one token to the next
  const float* bias = nullptr;      // [weight->rows] or null
  bool accumulate = false;          // add to what out holds (the residual stream)
};

enum class RopePairing { kAdjacent, kHalfSplit };  // (2i, 2i+1) or (i, i + head_dim/2)

struct AttentionShape {
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  float scale = 0;   // on the scores, 1/sqrt(head_dim)
  int window = 0;    // a token sees the last `window` positions, itself included; 0: all
};

// What rope_store does to q and k before the KV is written.
struct RopeSpec {
  RopePairing pairing = RopePairing::kAdjacent;
  const float* cosines = nullptr;   // [positions, head_dim/2]
  const float* sines = nullptr;     // [positions, head_dim/2]
  const float* q_norm = nullptr;    // [head_dim] RMS norm of each query head first, or null
  const float* k_norm = nullptr;    // [head_dim] likewise for keys
  float norm_eps = 0;
};

// KV memory of this rank. Logically [layers, blocks, kv_heads, block_tokens, head_dim] for K and
// for V; the physical order is the backend's. Outside, a block is opaque bytes.
inline constexpr int kBlockTokens = 32;    // positions per KV block
inline constexpr int kSplitTokens = 256;   // positions per attention split, at absolute positions
struct KvShape {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int blocks = 0;            // block 0 included: padding, never read
  DType dtype = DType::kF16; // kF32, kF16, kBF16 or kI8: a scale per token and head, for K and V
};
// Bytes of K, or of V, of one head in one block. Codes of int8 fill whole groups of 16 dimensions;
// a float32 scale per token follows them.
constexpr std::size_t kv_head_bytes(DType dtype, int head_dim) {
  const auto dim = static_cast<std::size_t>(head_dim);
  if (dtype == DType::kI8) return kBlockTokens * ((dim + 15) / 16 * 16 + sizeof(float));
  return kBlockTokens * dim * dtype_info(dtype).block_bytes;
}
struct KvStore {
  virtual ~KvStore() = default;
  KvShape shape;
  std::size_t bytes_per_block = 0;  // over all layers, K and V
};

// One (token, value) pair of a logits row.
struct Candidate {
  std::int32_t token = 0;
  float logit = 0;
};

struct BlockMove {
  std::int32_t src = 0, dst = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string description() const = 0;  // kernels, threads, processor: for quire bench
  virtual std::string_view isa() const = 0;     // "avx512", ...
  virtual int threads() const = 0;
  // Of the device: who runs ops holds a turn where others may want the device as well. adopt and
  // kv_store need none; pack and activations take their own.
  virtual Turns& turns() = 0;
  // Not ok when weights have lost the file that they were mapped from: results are void. Any
  // thread.
  virtual Status health() const { return ok_status(); }

  // --- memory ---
  // Takes a matrix of any DType. Its data and row scales must stay where they are.
  virtual Result<Weight> adopt(const TensorView& matrix,
                               WeightScheme scheme = WeightScheme::kAsStored) = 0;
  // Makes its packed form, on all threads, if that is not done. What a product reads is packed at
  // the latest when it is named as a consumer; a table that is only gathered from never is.
  virtual Status pack(const Weight& weight) = 0;
  // All weights of the model are packed: what a next start can use is kept, in the background.
  virtual void finish_packing() = 0;
  // Room for `tokens` rows in the forms that `consumers` read.
  virtual std::unique_ptr<Activations> activations(int tokens,
                                                   std::span<const Weight* const> consumers) = 0;
  virtual Result<std::unique_ptr<KvStore>> kv_store(const KvShape& shape) = 0;
  virtual void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) = 0;  // in order

  // --- a model's ops ---
  // out[i] = row ids[i] of the table, dequantized exactly as `linear` sees it. The first op of each
  // step.  out: [ids, columns]
  virtual void gather(const Weight& table, std::span<const std::int32_t> ids, float* out) = 0;
  // out[t] = x[t] / rms(x[t]) * weight.  x: [tokens, columns]
  virtual void rmsnorm(const float* x, const float* weight, float eps, int tokens,
                       Activations& out) = 0;
  // All outputs read the same x: one pass, one barrier.
  virtual void linear(const Activations& x, int tokens, std::span<const LinearOutput> outputs) = 0;
  // A product and then the norm of all of its output's rows, which are contiguous: what ends half a
  // layer (the residual stream) and begins the next.
  virtual void linear_rmsnorm(const Activations& x, int tokens, const LinearOutput& output,
                              const float* weight, float eps, Activations& out) {
    linear(x, tokens, {&output, 1});
    rmsnorm(output.out, weight, eps, tokens, out);
  }
  // q: [tokens, q_stride], k and v: [tokens, kv_stride]; norms and rotates q in place, k on the way
  // into the cache of `layer`, v as it is, at batch.slots.
  virtual void rope_store(const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                          float* q, int q_stride, const float* k, const float* v, int kv_stride,
                          KvStore& kv, int layer) = 0;
  // out: [tokens, heads * head_dim]
  virtual void attention(const AttentionShape& shape, const BatchView& batch, const float* q,
                         int q_stride, const KvStore& kv, int layer, Activations& out) = 0;
  // The three ops before, at once: q, k and v of x, their rotation and storage, attention. The
  // outputs are contiguous heads; all have the same stride.
  virtual void attend(const Activations& x, const std::array<LinearOutput, 3>& qkv,
                      const AttentionShape& shape, const RopeSpec& rope, const BatchView& batch,
                      KvStore& kv, int layer, Activations& out) {
    const auto& [q, k, v] = qkv;
    linear(x, batch.tokens(), qkv);
    rope_store(shape, rope, batch, q.out, q.stride, k.out, v.out, k.stride, kv, layer);
    attention(shape, batch, q.out, q.stride, kv, layer, out);
  }
  // out[t, i] = silu(gate[t, i]) * up[t, i] of two products of the same x, rows and stride; their
  // `out` is room for what lies between. One pass where the form of `out` allows it.
  virtual void linear_silu(const Activations& x, int tokens, const LinearOutput& gate,
                           const LinearOutput& up, Activations& out) = 0;
  // out[i] = rows[indices[i]] as activations (the last tokens, before the head)
  virtual void select_rmsnorm(const float* x, std::span<const std::int32_t> indices, int columns,
                              const float* weight, float eps, Activations& out) = 0;

  // --- a sampler's ops; they run on the calling thread, and are used inside `parallel` ---
  // log(sum(exp(logits))) in a fixed order; NaN or infinity when a logit is.
  virtual double logsumexp(std::span<const float> logits) const = 0;
  // The `count` largest, best first, ties to the smaller token id. out: [count]; count <= vocab.
  virtual void top_candidates(std::span<const float> logits, std::span<Candidate> out) const = 0;
  virtual float max_value(std::span<const float> logits) const = 0;  // NaN is passed over
  // words: [4, groups]: philox(seed, position, stream + g)[i] at [i, g], see base/philox.h. Returns
  // the largest. stream + groups does not pass a multiple of 2^32.
  virtual std::uint32_t philox_words(std::uint64_t seed, std::uint64_t position,
                                     std::uint64_t stream,
                                     std::span<std::uint32_t> words) const = 0;
  // Calls body(i) for i in [0, count) on the pool's threads.
  virtual void parallel(int count, const std::function<void(int)>& body) = 0;
};

// The compute threads of this process and the queue before them. Backends that share one take turns
// instead of crowding the cores. Its threads end with the last backend.
struct CpuDevice;
Result<std::shared_ptr<CpuDevice>> make_cpu_device(int threads);  // 0: every core

struct CpuBackendOptions {
  int threads = 0;      // 0: all cores of the affinity mask; not asked where a device is given
  std::shared_ptr<CpuDevice> device{};  // null: one of its own
  std::string isa;      // empty: QUIRE_FORCE_ISA, else the best that the machine has
  bool has_huge_pages = true;  // asked for, for weights and KV
  std::string packed_path{};   // file of the packed cache; empty: none
  std::uint64_t packed_stamp = 0;  // of the model's files
};
Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuBackendOptions& options);

}  // namespace quire
