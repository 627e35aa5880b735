// Backend: the memory of models and the running of their programs on one device. It knows arrays,
// not requests, and picks nothing per call: the KernelTable (or the device) was chosen once, at
// construction. A program is complete when `run` returns (CPU) or ordered behind others (a stream).
// One step at a time; called by model/ and runtime/ from the thread that drives the device.
//
// Batch invariance (docs/architecture.md): what an op writes for one token depends on that token's
// inputs alone, bit for bit: never on how many other tokens, rows or threads there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/batch_view.h"
#include "backend/buffer.h"
#include "backend/draw.h"
#include "backend/kv_groups.h"
#include "backend/program.h"
#include "base/cpu/turns.h"
#include "base/nanos.h"
#include "base/status.h"
#include "tensor/weight_view.h"

namespace quire {

// A matrix [rows, columns] in the backend's own packed layout, or `experts` of them that lie one
// behind the other. Cheap to copy (shared, immutable). Packed is the backend's private type.
struct Packed {
  virtual ~Packed() = default;
  std::string name;  // of the tensor it came from
};
struct Weight {
  int experts = 1;
  int rows = 0;                // outputs
  int columns = 0;             // inputs (K)
  DType dtype = DType::kF32;   // of the file it came from
  DType packed_dtype = DType::kF32;  // of the layout, hence of the arithmetic
  std::size_t bytes = 0;       // read once per pass over the weight
  std::size_t stored_bytes = 0;  // in the file
  std::shared_ptr<const Packed> packed;

  explicit operator bool() const { return packed != nullptr; }
};

// How a matrix is held for products.
enum class WeightScheme : std::uint8_t {
  kAsStored,  // in the layout of its type
  kFloat32,   // unpacked (a test setting: slow and exact)
  kAsAsked,   // the same, and inputs are rounded as the checkpoint asks (WeightView::Matrix::input)
  kW8A8,      // F32, F16 and BF16 as int8 with a scale per row, to the nearest; I8 as stored
};

// Told what a backend does, as it is done: neighbours that ran as one pass come as one span.
class RunWatch {
 public:
  virtual ~RunWatch() = default;
  virtual void ran(std::span<const Op> ops, const BatchView& batch, const KvStore& kv,
                   Nanos elapsed) = 0;
  virtual void copied(const KvStore& kv, std::span<const BlockMove> moves, Nanos elapsed) = 0;
  virtual void drew(const Buffer& logits, std::span<const DrawTask> tasks, Nanos elapsed) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string description() const = 0;  // kernels, threads, processor: for quire bench
  virtual std::string_view isa() const = 0;     // "avx512", ...
  virtual int threads() const = 0;
  // Calls work(i) for every i below `count` on the threads that the host has for such work.
  virtual void for_each_on_host(std::size_t count,
                                const std::function<void(std::size_t)>& work) {
    for (std::size_t i = 0; i < count; ++i) work(i);
  }
  // Of the device: who runs programs holds a turn where others may want the device as well. pack
  // takes its own; what else makes memory needs none.
  virtual Turns& turns() = 0;
  // Not ok when weights have lost the file that they were mapped from: results are void. Any
  // thread.
  virtual Status health() const { return ok_status(); }

  // --- memory ---
  // Takes a matrix of any DType, or several among which a product chooses by expert or by head.
  // REQUIRES: what the view points into stays where it is as long as the weight lives.
  virtual Result<Weight> adopt(const WeightView& view,
                               WeightScheme scheme = WeightScheme::kAsStored) = 0;
  // Makes its packed form, on all threads, if that is not done: before a product reads it. A table
  // that is only gathered from never needs it.
  virtual Status pack(const Weight& weight) = 0;
  // All weights of the model are packed: what a next start can use is kept, in the background.
  virtual void finish_packing() = 0;
  virtual Vector vector(std::span<const float> values) = 0;
  // Room for as many rows as a step may have. REQUIRES: all positive.
  virtual Buffer buffer(Rows rows, int rows_max, int columns, int per_token = 1) = 0;
  // Memory for every group. The bytes of a block that was never written are not read.
  virtual Result<std::unique_ptr<KvStore>> kv_store(std::span<const KvGroupShape> groups) = 0;
  virtual void copy_blocks(KvStore& kv, std::span<const BlockMove> moves) = 0;  // in order
  // The floats of a buffer after a run, rows one behind the other, on the host.
  // REQUIRES: buffer.rows is kWanted or kPooled.
  virtual const float* host_rows(const Buffer& buffer) = 0;

  // --- a model's ops ---
  virtual void run(const Program& program, const BatchView& batch, KvStore& kv) = 0;
  // Null: nobody watches.
  virtual void set_watch(RunWatch* watch) = 0;

  // --- drawing ---
  // What becomes of rows of logits: an answer for each task, in order. Rows that no task names are
  // not looked at.
  // REQUIRES: the rows were computed; every token that a task names is one of logits.columns.
  virtual std::vector<Drawn> draw(const Buffer& logits, std::span<const DrawTask> tasks) = 0;
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
