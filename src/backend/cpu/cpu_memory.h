// The private types behind Weight, Buffer and KvStore on the CPU: packed tiles, floats with the
// forms in which products read them, and blocks of memory. Owned by whoever asked the backend for
// them; read by its ops on every worker, written on the driving thread or by one worker per row.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.h"
#include "base/aligned_buffer.h"
#include "kernels/kernel_table.h"
#include "tensor/weight_view.h"

namespace quire {

// A matrix, or several of one shape (experts). Tiles are made when the first product asks for them,
// so that a table which is only gathered from is never copied; the sources stay mapped and serve
// gather.
struct CpuPacked final : Packed {
  explicit CpuPacked(const WeightView& view) : source(view) {}

  WeightView source;
  DType dtype = DType::kF32;  // of the tiles: the source's, or what WeightScheme makes of it
  std::size_t bytes_per_tile = 0;
  int tiles = 0;  // of one expert
  bool has_rules = false;  // inputs of products are arranged or rounded before
  mutable std::once_flag once;
  mutable std::shared_ptr<const std::byte> data;  // [experts, tiles, bytes_per_tile]

  std::size_t expert_bytes() const { return static_cast<std::size_t>(tiles) * bytes_per_tile; }
  // Whether products quantize float32 activations with the scale that the weight states.
  bool has_static_input() const { return dtype == DType::kI8 && source.input_scale > 0; }
  // Whether a product's input is made of the floats for this weight, or for those like it.
  bool has_own_input() const { return has_static_input() || has_rules; }
  // The rule of a matrix's input. REQUIRES: such a matrix.
  const InputRule& rule(std::size_t expert) const { return source.matrices[expert].input; }
  ActivationForm input_form() const {
    return has_own_input() ? ActivationForm::kF32 : activation_form(dtype);
  }
};

// A row of one of a weight's matrices as float32, whatever the codes and scales are: the meaning of
// a WeightView.  out: [columns].  REQUIRES: such a matrix, such a row.
void read_row(const WeightView& weight, std::size_t expert, std::size_t row, float* out);

// Of a row in a form.
std::size_t activation_bytes(ActivationForm form, std::size_t columns);

// Which rows of a product over experts are whose: rows are sorted by expert.
struct CpuRouting {
  std::vector<std::int32_t> experts;   // [tokens, used] in order of rank
  std::vector<std::int32_t> place;     // [tokens, used] where that row lies
  std::vector<std::int32_t> token_of;  // [tokens * used] by place
  std::vector<std::int32_t> begin;     // [experts + 1] first place of each expert
  std::vector<std::int32_t> next;      // room
};

// Rows of floats, and the forms of them that products read. A form that nobody reads has a stride
// of 0 and no memory. Who writes whole rows by `put` makes every form; after any other write the
// forms are stale until `linear` makes them anew.
struct CpuBuffer final : BufferMemory {
  int columns = 0;
  int rows_max = 0;
  bool is_tight = false;   // rows of f32 follow each other without a gap
  bool is_fresh = false;   // the other forms hold what was written last
  CpuRouting routing;      // of a router's choice; its weights are the floats
  struct Form {
    AlignedBuffer<std::byte> data;  // [rows_max, stride]
    std::size_t stride = 0;         // bytes
    explicit operator bool() const { return stride != 0; }
    std::byte* row(int row) { return data.data() + static_cast<std::size_t>(row) * stride; }
    const std::byte* row(int row) const {
      return data.data() + static_cast<std::size_t>(row) * stride;
    }
    void resize(int rows, std::size_t row_bytes);  // what it held is lost
  };
  Form f32, bf16, int8, int8_token;

  float* floats(int row) { return reinterpret_cast<float*>(f32.row(row)); }
  const float* floats(int row) const { return reinterpret_cast<const float*>(f32.row(row)); }
  int stride() const { return static_cast<int>(f32.stride / sizeof(float)); }

  const Form& form(ActivationForm which) const;
  // Makes room in a form, unless it has some.
  void grow(ActivationForm which);
  // Writes count values of a row from column `begin` (a multiple of 32) in every form; the whole
  // row at once if int8_token is one of them.
  void put(const KernelTable& kernels, int row, int begin, int count, const float* values);
  // Every form but f32 of a row, from its floats.
  void refresh(const KernelTable& kernels, int row);

 private:
  void narrow(const KernelTable& kernels, int row, int begin, int count, const float* values);
};

inline CpuBuffer& cpu(const Buffer& buffer) { return static_cast<CpuBuffer&>(*buffer.memory); }

// One group. Order: [layers][blocks][kv_heads] of K [k_dim][32] and then V [32][v_dim]; of a state:
// [layers][blocks][state_floats].
struct CpuKvGroup {
  KvGroupShape shape;
  std::shared_ptr<std::byte> data;
  std::size_t k_bytes = 0;      // K of one head in one block
  std::size_t head_bytes = 0;   // K and V
  std::size_t block_bytes = 0;  // all heads of a block in one layer
  std::size_t layer_bytes = 0;

  std::byte* block(int layer, int block) const {
    return data.get() + static_cast<std::size_t>(layer) * layer_bytes +
           static_cast<std::size_t>(block) * block_bytes;
  }
  std::byte* k(int layer, int block_id, int head) const {
    return block(layer, block_id) + static_cast<std::size_t>(head) * head_bytes;
  }
  std::byte* v(int layer, int block_id, int head) const {
    return k(layer, block_id, head) + k_bytes;
  }
  float* state(int layer, int block_id) const {
    return reinterpret_cast<float*>(block(layer, block_id));
  }
};

struct CpuKvStore final : KvStore {
  std::vector<CpuKvGroup> memory;  // [groups]
};

}  // namespace quire
