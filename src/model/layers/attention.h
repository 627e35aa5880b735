// AttentionLayer: project to queries, keys and values, rotate, store KV, attend, project back. With
// fewer key heads than query heads it is grouped (GQA), with one multi-query (MQA). Biases (Qwen2)
// and head norms (Qwen3) are present or empty: the code is one.
#pragma once

#include <vector>

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct AttentionLayer {
  Weight q;  // [heads * head_dim, d_model]
  Weight k;  // [kv_heads * head_dim, d_model]
  Weight v;  // [kv_heads * head_dim, d_model]
  Weight o;  // [d_model, heads * head_dim]
  std::vector<float> q_bias, k_bias, v_bias;  // [rows of the matrix] or empty
  std::vector<float> q_norm, k_norm;          // [head_dim] or empty
};

// `prefix`: "layers.3.", in front of q, k, v, o and what of q_bias ... k_norm the rules have.
Result<AttentionLayer> load_attention(WeightLoader& loader, const std::string& prefix);

// Adds the layer's output to w.residual; reads its normalized input from w.normed and leaves that
// of the MLP there.
void run_attention(const AttentionLayer& layer, const AttentionShape& shape, RopeSpec rope,
                   Backend& backend, const BatchView& batch, KvStore& kv, int index,
                   const NormSpec& mlp_norm, Workspace& w);

}  // namespace quire
