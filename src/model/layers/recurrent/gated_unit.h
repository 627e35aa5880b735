// GatedUnitLayer: the recurrent block of Griffin (De et al., 2024): a short convolution, two gates
// of it that see a block of channels each, the real-gated linear recurrent unit, and what a second
// projection lets through. What a sequence leaves behind is the inputs of the convolution and a
// number of each channel: one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct GatedUnitShape {
  int channels = 0;
  int blocks = 0;  // of channels that a gate sees
  int width = 0;   // of the convolution

  int unit_begin() const;    // floats of a layer's state before those of the unit
  int state_floats() const;  // of a layer
};

struct GatedUnitLayer {
  Norm norm;         // of the residual stream
  Weight gate, x;    // [channels, d_model]
  Vector gate_bias, x_bias;  // [channels] or empty
  Activation activation = Activation::kGeluTanh;  // of the gate
  Convolution convolution;
  Weight input_gates, recurrent_gates;  // [blocks, channels / blocks, channels / blocks]
  GatedUnit unit;
  Weight out;        // [d_model, channels]
  Vector out_bias;   // [d_model] or empty
  Branch branch;     // how the output joins the residual stream
};

struct GatedUnitWorkspace {
  Buffer gate, x, convolved;  // [tokens, channels]
  Buffer inputs, recurrent;   // [tokens, channels]
  Buffer scanned, gated;      // [tokens, channels]; gated is read by out

  static GatedUnitWorkspace make(Backend& backend, const ModelOptions& options,
                                 const GatedUnitShape& shape);
};

// The values of a layer of this shape whose state is at `cache`.
// REQUIRES: all of it is positive, and blocks divides channels.
void set_shape(GatedUnitLayer& layer, const GatedUnitShape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "unit_norm" (of the input), "unit_gate", "unit_x",
// "unit_conv", "unit_inputs", "unit_recurrent", their "_bias", "unit_rates" (the parameter whose
// softplus times -8 is the rate) and "unit_out" behind the prefix "layers.3.", and what of
// "unit_gate_bias", "unit_x_bias", "unit_conv_bias" and "unit_out_bias" the rules have.
Status load_gated_unit(WeightLoader& loader, const std::string& prefix, Backend& backend,
                       GatedUnitLayer& layer);

// Adds the layer's output to w.residual.
void run_gated_unit(const GatedUnitLayer& layer, Program& program, const Workspace& w,
                    const GatedUnitWorkspace& g);

}  // namespace quire
