// AttentionLayer: softmax attention with what belongs to it: the norm before it, queries, keys and
// values, head norms and rotation, the cache, the way back and what is done to the sum. With fewer
// key heads than query heads it is grouped (GQA), with one multi-query (MQA). What an architecture
// does not have is empty: the code is one.
#pragma once

#include <string>
#include <vector>

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct AttentionLayer {
  Norm norm;          // of the residual stream; none: w.normed holds the input
  Weight q;           // [heads * k_dim, d_model]
  Weight k;           // [kv_heads * k_dim, d_model]; empty: another layer's cache is read
  Weight v;           // [kv_heads * v_dim, d_model]
  Weight gate;        // [heads * v_dim, d_model]; the output times its sigmoid; empty: none
  Weight o;           // [d_model, heads * v_dim]
  Vector q_bias, k_bias, v_bias, o_bias;  // [rows of the matrix] or empty
  Rope q_rope, k_rope;  // with norms of the heads; neither angles nor norm: none
  Norm v_norm;          // of each head, without a weight of a file; none: as it is
  Norm q_norm, k_norm;  // of whole rows, or of heads that have weights of their own; none: as it is
  bool turns_before_norms = false;  // q_rope and k_rope before q_norm and k_norm
  Norm out_norm;        // of all heads together, before the way back; none: as they are
  float clip = 0;       // q, k and v stay in [-clip, clip]; 0: no bound
  Weight place_keys, place_queries;  // [heads, places, k_dim] for Attend::places, or empty
  Attend attend;
  Branch branch;      // how the output joins the residual stream
};

// Of heads of one size, causal, scaled by 1/sqrt(head_dim).
// REQUIRES: all positive; kv_heads divides heads.
Attend plain_attention(int heads, int kv_heads, int head_dim, CacheSlot cache);

// Slopes of linear biases (ALiBi; Press et al., "Train short, test long", 2022): [heads] powers of
// 2^(-bias_max / heads); those beyond a power of two lie between the others.
// REQUIRES: heads > 0.
std::vector<float> alibi_slopes(int heads, double bias_max = 8);

// Loads into a layer whose values (kinds and eps of norms, angles, attention) are set: the weights
// "q" "k" "v" "o" behind the prefix "layers.3." (no "k" and "v" of a layer that reads another's
// cache), and what of "attn_norm", "attn_post_norm", "attn_out_norm" (each with "_bias"), "q_bias"
// ... "o_bias", "q_norm", "k_norm", "attn_sinks" and "attn_gate" the rules have. "q_norm" and
// "k_norm" are the rotation's, or layer.q_norm and k_norm where these have a kind.
// REQUIRES: the rules' shapes are those of layer.attend.
Status load_attention(WeightLoader& loader, const std::string& prefix, AttentionLayer& layer);

// Adds the layer's output to w.residual.
void run_attention(const AttentionLayer& layer, Program& program, const Workspace& w);

}  // namespace quire
