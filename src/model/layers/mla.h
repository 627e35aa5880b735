// MlaLayer: multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024). Of a position the cache
// holds one latent for all heads and one rotated key beside it; V is the latent. Keys and values of
// the heads are never made: a head's query goes through its matrix of keys to the latent's space,
// attends there, and what it attended goes through its matrix of values:
//   q' = U_k' q,  score = q' * latent + q_rope * k_rope,  out = U_v sum(weight * latent)
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

// Values of a head, and of the latents.
struct MlaShape {
  int heads = 0;
  int nope = 0, rope = 0;  // of a query: without and with a position
  int value = 0;
  int kv_rank = 0;
  int q_rank = 0;  // 0: queries are made in one step
};

struct MlaLayer {
  Norm norm;     // of the residual stream
  Weight q_low;  // [q_rank, d_model]; empty: q reads the input itself
  Norm q_norm;
  Weight q;        // [heads * (nope + rope), q_rank or d_model]
  Weight latent;   // [kv_rank, d_model]
  Weight k_rope;   // [rope, d_model]
  Norm latent_norm;
  Weight k_up;     // [heads, kv_rank, nope], of the keys, transposed
  Weight v_up;     // [heads, value, kv_rank]
  Weight o;        // [d_model, heads * value]
  Rope q_turn;     // of the end of each head; none: no position turns it
  Rope q_grow;     // of its beginning, which grows with the position; none: as it is
  Rope k_turn;     // of k_rope, as q_turn
  Attend attend;   // kv_heads 1, k_dim kv_rank + rope, v_dim kv_rank
};

struct MlaWorkspace {
  Buffer q_low, q_normed;      // [tokens, q_rank]
  Buffer latent, normed;       // [tokens, kv_rank]
  Buffer k_rope;               // [tokens, rope]
  Buffer q_latent, attended;   // [tokens, heads * kv_rank]
  Buffer values;               // [tokens, heads * value], read by o

  static MlaWorkspace make(Backend& backend, const ModelOptions& options, const MlaShape& shape);
};

// Loads into a layer whose values are set: "q", "kv_latent", "k_rope", "k_up", "v_up" and "o"
// behind the prefix "layers.3.", the norms "attn_norm" and "kv_norm", and what of "q_low" and
// "q_norm" the rules have.
// REQUIRES: the rules' shapes are those of layer.attend.
Status load_mla(WeightLoader& loader, const std::string& prefix, MlaLayer& layer);

// Adds the layer's output to w.residual.
void run_mla(const MlaLayer& layer, Program& program, const Workspace& w, const MlaWorkspace& m);

}  // namespace quire
