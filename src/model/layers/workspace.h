// Workspace: every activation buffer of a step, named, sized once for the largest step. The
// residual stream and the projections are float32; what feeds a product is an Activations of the
// backend. Owned by a model; one step at a time.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "base/aligned_buffer.h"

namespace quire {

// The norm before a block.
struct NormSpec {
  const float* weight = nullptr;  // [d_model]; null: none follows
  float eps = 0;
};

struct Workspace {
  AlignedBuffer<float> residual;  // [tokens, d_model]
  AlignedBuffer<float> qkv;       // [tokens, (heads + 2 kv_heads) * head_dim]
  AlignedBuffer<float> gate_up;   // [tokens, 2 * ffn]
  std::unique_ptr<Activations> normed;    // [tokens, d_model], read by q k v and by gate up
  std::unique_ptr<Activations> attended;  // [tokens, heads * head_dim], read by o
  std::unique_ptr<Activations> gated;     // [tokens, ffn], read by down
  std::unique_ptr<Activations> last;      // [logits_rows, d_model], read by the head
};

}  // namespace quire
