// DeltaNetLayer: linear attention by the gated delta rule (Yang, Kautz and Hatamizadeh, "Gated
// delta networks", 2024): queries, keys and values through a short convolution, a recurrence of one
// decaying state per value head, and the norm of what it gives, gated afterwards. What a sequence
// leaves behind is the inputs of the convolution and the states: one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct DeltaNetShape {
  int k_heads = 0, k_dim = 0;  // of queries and keys; k_heads divides v_heads
  int v_heads = 0, v_dim = 0;
  int width = 0;               // of the convolution
  bool is_tiled = false;       // value head h goes with key head h % k_heads: see Recurrence

  int keys() const { return k_heads * k_dim; }
  int values() const { return v_heads * v_dim; }
  int channels() const { return 2 * keys() + values(); }  // of the convolution
  int scan_begin() const;    // floats of a layer's state before those of the heads
  int state_floats() const;  // of a layer
};

struct DeltaNetLayer {
  Norm norm;             // of the residual stream
  Weight q, k;           // [keys, d_model]
  Weight v, gate;        // [values, d_model]
  Weight beta, step;     // [v_heads, d_model]: how much is written, how much is kept
  Convolution convolution;
  Recurrence recurrence;
  Norm gated_norm;       // of each value head
  Weight out;            // [d_model, values]
  Vector out_bias;       // [d_model] or empty
  Branch branch;         // how the output joins the residual stream
};

struct DeltaNetWorkspace {
  Buffer x, convolved;             // [tokens, channels]: q, k, v
  Buffer gate, scanned, normed;    // [tokens, values]; normed is read by out
  Buffer beta, step;               // [tokens, v_heads]

  static DeltaNetWorkspace make(Backend& backend, const ModelOptions& options,
                                const DeltaNetShape& shape);
};

// The values of a layer of this shape whose state is at `cache`.
// REQUIRES: all of the shape is positive, and k_heads divides v_heads.
void set_shape(DeltaNetLayer& layer, const DeltaNetShape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "delta_norm" (of the input), "delta_q", "delta_k",
// "delta_v", "delta_gate", "delta_beta", "delta_step", "delta_conv", "delta_rates",
// "delta_step_bias", "delta_gated_norm" and "delta_out" behind the prefix "layers.3.".
Status load_delta_net(WeightLoader& loader, const std::string& prefix, DeltaNetLayer& layer);

// Adds the layer's output to w.residual.
void run_delta_net(const DeltaNetLayer& layer, Program& program, const Workspace& w,
                   const DeltaNetWorkspace& d);

}  // namespace quire
