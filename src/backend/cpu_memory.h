// The private types behind Weight, Activations and KvStore on the CPU: packed tiles, the forms of a
// product's input, and KV blocks. Owned by whoever asked the backend for them; read by its ops on
// every worker, written on the driving thread or by one worker per token.
#pragma once

#include <memory>
#include <mutex>

#include "backend/backend.h"
#include "base/aligned_buffer.h"
#include "kernels/kernel_table.h"
#include "tensor/tensor.h"

namespace quire {

// A matrix. Tiles are made when the first product asks for them, so that a table which is only
// gathered from is never copied; `source` stays mapped and serves gather.
struct CpuPacked final : Packed {
  TensorView source;
  DType dtype = DType::kF32;  // of the tiles: the source's, or what WeightScheme makes of it
  std::size_t bytes_per_tile = 0;
  int tiles = 0;
  mutable std::once_flag once;
  mutable std::shared_ptr<const std::byte> data;  // [tiles, bytes_per_tile]

  // Whether products quantize float32 activations with the scale that the weight states.
  bool has_static_input() const { return dtype == DType::kI8 && source.input_scale > 0; }
  ActivationForm input_form() const {
    return has_static_input() ? ActivationForm::kF32 : activation_form(dtype);
  }
};

// A row of a matrix as float32.  out: [columns]
void read_row(const TensorView& matrix, std::size_t row, float* out);

// The input of products. A form that no consumer reads has a stride of 0 and no memory.
struct CpuActivations final : Activations {
  int tokens_max = 0;
  struct Form {
    AlignedBuffer<std::byte> data;  // [tokens_max, stride]
    std::size_t stride = 0;         // bytes
    explicit operator bool() const { return stride != 0; }
    std::byte* row(int token) { return data.data() + static_cast<std::size_t>(token) * stride; }
    const std::byte* row(int token) const {
      return data.data() + static_cast<std::size_t>(token) * stride;
    }
    void resize(int tokens, std::size_t row_bytes);  // what it held is lost
  };
  Form f32, bf16, int8, int8_token;

  const Form& form(ActivationForm which) const;
  // Makes room in a form, unless it has some.
  void grow(ActivationForm which);
  // Writes count values of a token from column `begin` (a multiple of 32) in every form; the whole
  // token at once if int8_token is one of them.
  void put(const KernelTable& kernels, int token, int begin, int count, const float* values);
};

// Order: [layers][blocks][kv_heads] of K [head_dim][32] and then V [32][head_dim].
struct CpuKvStore final : KvStore {
  std::shared_ptr<std::byte> data;
  std::size_t half_bytes = 0;   // K of one head in one block; V likewise
  std::size_t block_bytes = 0;  // all heads of a block in one layer
  std::size_t layer_bytes = 0;

  std::byte* k(int layer, int block, int head) const {
    return data.get() + static_cast<std::size_t>(layer) * layer_bytes +
           static_cast<std::size_t>(block) * block_bytes +
           static_cast<std::size_t>(head) * 2 * half_bytes;
  }
  std::byte* v(int layer, int block, int head) const { return k(layer, block, head) + half_bytes; }
};

}  // namespace quire
