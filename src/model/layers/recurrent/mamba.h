// MambaLayer: Mamba's first selective state space (Gu and Dao, "Mamba", 2023): a short convolution,
// after which each channel says how fast its state decays and what of it is kept and read, a scan,
// and a gate. Falcon-Mamba and Jamba norm the three of them, by weights or without. What a sequence
// leaves behind is the inputs of the convolution and the states: one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct MambaShape {
  int channels = 0;
  int rows = 0;   // of a channel's state
  int rank = 0;   // of the steps
  int width = 0;  // of the convolution

  int scan_begin() const;    // floats of a layer's state before those of the channels
  int state_floats() const;  // of a layer
};

struct MambaLayer {
  Norm norm;     // of the residual stream
  Weight x;      // [channels, d_model]
  Weight gate;   // [channels, d_model]
  Vector x_bias, gate_bias;  // [channels] or empty
  Convolution convolution;
  Weight low_steps;          // [rank, channels]
  Weight keys, queries;      // [rows, channels]: B, C
  Norm step_norm, key_norm, query_norm;  // of what these give; none: as it is
  Weight steps;     // [channels, rank]
  Selective selective;
  Weight out;       // [d_model, channels]
  Vector out_bias;  // [d_model] or empty
  Branch branch;    // how the output joins the residual stream
};

struct MambaWorkspace {
  Buffer x, convolved;     // [tokens, channels]
  Buffer gate, gated;      // [tokens, channels]; gated is read by out
  Buffer steps, scanned;   // [tokens, channels]
  Buffer low_steps;        // [tokens, rank]
  Buffer keys, queries;    // [tokens, rows]

  static MambaWorkspace make(Backend& backend, const ModelOptions& options,
                             const MambaShape& shape);
};

// The values of a layer of this shape whose state is at `cache`. REQUIRES: all of it is positive.
void set_shape(MambaLayer& layer, const MambaShape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "mamba_norm" (of the input), "mamba_x", "mamba_gate",
// "mamba_conv", "mamba_low_steps", "mamba_keys", "mamba_queries", "mamba_steps",
// "mamba_step_bias", "mamba_rates" ([channels, rows]), "mamba_skip" and "mamba_out" behind the
// prefix "layers.3.", and what of "mamba_step_norm", "mamba_key_norm", "mamba_query_norm",
// "mamba_conv_bias", "mamba_x_bias", "mamba_gate_bias" and "mamba_out_bias" the rules have. A norm
// that has a kind and no weights there is one without.
Status load_mamba(WeightLoader& loader, const std::string& prefix, Backend& backend,
                  MambaLayer& layer);

// Adds the layer's output to w.residual.
void run_mamba(const MambaLayer& layer, Program& program, const Workspace& w,
               const MambaWorkspace& m);

}  // namespace quire
