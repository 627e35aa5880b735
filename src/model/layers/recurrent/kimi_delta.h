// KimiDeltaLayer: Kimi's delta attention (Moonshot AI, "Kimi Linear", 2025): the gated delta rule
// in which each row of a head's state decays in its own way, as a small network of the input says;
// queries, keys and values go through a short convolution, and what is read is normed and let
// through by a gate. What a sequence leaves behind is the inputs of the convolution and the states:
// one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct KimiDeltaShape {
  int heads = 0, head_dim = 0;
  int width = 0;  // of the convolution

  int values() const { return heads * head_dim; }
  int channels() const { return 3 * values(); }  // of the convolution
  int scan_begin() const;    // floats of a layer's state before those of the heads
  int state_floats() const;  // of a layer
};

struct KimiDeltaLayer {
  Norm norm;               // of the residual stream
  Weight q, k, v;          // [values, d_model]
  Weight decay_in, decay;  // [head_dim, d_model], [values, head_dim]
  Weight gate_in, gate;    // the same
  Weight beta;             // [heads, d_model]
  Convolution convolution;
  Recurrence recurrence;
  Norm out_norm;   // of each head
  Weight out;      // [d_model, values]
  Vector out_bias;  // empty
  Branch branch;   // how the output joins the residual stream
};

struct KimiDeltaWorkspace {
  Buffer x, convolved;            // [tokens, channels]
  Buffer decay_in, gate_in;       // [tokens, head_dim]
  Buffer decay, gate;             // [tokens, values]
  Buffer beta;                    // [tokens, heads]
  Buffer scanned, normed, gated;  // [tokens, values]; gated is read by out

  static KimiDeltaWorkspace make(Backend& backend, const ModelOptions& options,
                                 const KimiDeltaShape& shape);
};

// The values of a layer of this shape whose state is at `cache`. REQUIRES: all of it is positive.
void set_shape(KimiDeltaLayer& layer, const KimiDeltaShape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "kda_norm" (of the input), "kda_q", "kda_k", "kda_v",
// "kda_q_conv", "kda_k_conv", "kda_v_conv" ([width, values] each), "kda_decay_in", "kda_decay",
// "kda_decay_bias", "kda_rates" ([heads]), "kda_beta", "kda_gate_in", "kda_gate", "kda_out_norm"
// and "kda_out" behind the prefix "layers.3.".
Status load_kimi_delta(WeightLoader& loader, const std::string& prefix, Backend& backend,
                       KimiDeltaLayer& layer);

// Adds the layer's output to w.residual.
void run_kimi_delta(const KimiDeltaLayer& layer, Program& program, const Workspace& w,
                    const KimiDeltaWorkspace& k);

}  // namespace quire
