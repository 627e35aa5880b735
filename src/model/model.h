// Model: a forward pass over a batch. It is fed a BatchView and knows no request; it owns its
// weights and buffers, which are the backend's: no number of a step passes through it.
// Called by runtime/model_runner, one step at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/program.h"

namespace quire {

struct ModelOptions {
  int tokens_max = 512;        // per step
  int logits_rows_max = 64;    // per step
  int context_max = 0;         // positions; 0: the model's
  WeightScheme weights = WeightScheme::kAsStored;  // kW8A8: of the layers
  int pooled_rows_max = 64;      // per step
  std::optional<Pool> pool;      // what becomes of a text; nothing: as its files say
};

class Model {
 public:
  virtual ~Model() = default;

  virtual int vocab() const = 0;

  // Bytes of weights read by a decode step, for the roofline.
  virtual std::size_t weight_bytes() const = 0;

  // Computes KV for every token of the batch, its encoder's rows first, and what it wants of
  // logits() and pooled().
  virtual void forward(const BatchView& batch, KvStore& kv) = 0;
  virtual const Buffer& logits() const = 0;  // [batch.logits_rows(), vocab]; empty: it has none
  // [batch.pooled_rows, width]; null: it cannot pool.
  virtual const Buffer* pooled() const { return nullptr; }
};

// Looks a tensor up by its canonical name (model/tensor_rules.h).
using TensorFinder = std::function<Result<TensorView>(std::string_view name)>;

// Told how many of how many tensors are packed, for a progress line.
using LoadProgress = std::function<void(std::size_t done, std::size_t total)>;

}  // namespace quire
