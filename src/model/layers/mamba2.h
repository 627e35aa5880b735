// Mamba2Layer: a state space layer (Dao and Gu, "Transformers are SSMs", 2024): a gate, a short
// convolution over values, keys and queries, a recurrence of one decaying state per head, and the
// norm of what it gives, gated before it is normed or after. What a sequence leaves behind is the
// inputs of the convolution and the states: one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct Mamba2Shape {
  int heads = 0, head_dim = 0;
  int groups = 0;  // of heads that share keys (B) and queries (C)
  int state = 0;   // values of a key
  int width = 0;   // of the convolution

  int inner() const { return heads * head_dim; }
  int channels() const { return inner() + 2 * groups * state; }  // of the convolution
  int scan_begin() const;    // floats of a layer's state before those of the heads
  int state_floats() const;  // of a layer
};

struct Mamba2Layer {
  Norm norm;     // of the residual stream
  Weight gate;   // [inner, d_model]
  Weight x;      // [channels, d_model]: values, keys, queries
  Weight step;   // [heads, d_model]
  Vector gate_bias, x_bias, step_bias;  // [rows of the matrix] or empty
  float gate_scale = 1, step_scale = 1;  // of what they give
  Convolution convolution;
  Recurrence recurrence;
  Norm gated_norm;  // of each group; none: gated only
  bool gate_first = true;  // gated, then normed
  Weight out;       // [d_model, inner]
  Vector out_bias;  // [d_model] or empty
  Branch branch;    // how the output joins the residual stream
};

struct Mamba2Workspace {
  Buffer gate;              // [tokens, inner]
  Buffer x, convolved;      // [tokens, channels]
  Buffer step;              // [tokens, heads]
  Buffer scanned, normed;   // [tokens, inner]; normed is read by out

  static Mamba2Workspace make(Backend& backend, const ModelOptions& options,
                              const Mamba2Shape& shape);
};

// The values of a layer of this shape whose state is at `cache`.
// REQUIRES: all of the shape is positive, and groups divides heads.
void set_shape(Mamba2Layer& layer, const Mamba2Shape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "mamba_norm" (of the input), "mamba_gate", "mamba_x",
// "mamba_step", "mamba_conv", "mamba_rates", "mamba_step_bias", "mamba_skip", "mamba_gated_norm"
// and "mamba_out" behind the prefix "layers.3.", and what of "mamba_conv_bias", "mamba_gate_bias",
// "mamba_x_bias", "mamba_step_in_bias" and "mamba_out_bias" the rules have. Without
// "mamba_gated_norm" there is none.
Status load_mamba2(WeightLoader& loader, const std::string& prefix, Mamba2Layer& layer);

// Adds the layer's output to w.residual.
void run_mamba2(const Mamba2Layer& layer, Program& program, const Workspace& w,
                const Mamba2Workspace& m);

}  // namespace quire
