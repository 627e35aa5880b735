// ShortConvLayer: what LFM2 (Liquid AI, 2025) has in place of most attention: a short convolution
// over each channel of a product of two projections, times a third. What a sequence leaves behind
// is the inputs of the convolution: one state of a KV group.
// Plain weights and one function over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct ShortConvShape {
  int channels = 0;
  int width = 0;  // of the convolution

  int state_floats() const;  // of a layer
};

struct ShortConvLayer {
  Norm norm;                      // of the residual stream
  Weight before, after, x;        // [channels, d_model]: the gates, and what is convolved
  Vector before_bias, after_bias, x_bias;  // [channels] or empty
  Convolution convolution;
  Weight out;       // [d_model, channels]
  Vector out_bias;  // [d_model] or empty
  Branch branch;    // how the output joins the residual stream
};

struct ShortConvWorkspace {
  Buffer before, after, x;          // [tokens, channels]
  Buffer product, convolved, gated;  // [tokens, channels]; gated is read by out

  static ShortConvWorkspace make(Backend& backend, const ModelOptions& options,
                                 const ShortConvShape& shape);
};

// The values of a layer of this shape whose state is at `cache`. REQUIRES: all of it is positive.
void set_shape(ShortConvLayer& layer, const ShortConvShape& shape, CacheSlot cache);

// Loads into a layer whose values are set: "conv_norm" (of the input), "conv_before", "conv_after",
// "conv_x", "conv" and "conv_out" behind the prefix "layers.3.", and what of "conv_bias",
// "conv_before_bias", "conv_after_bias", "conv_x_bias" and "conv_out_bias" the rules have.
Status load_short_conv(WeightLoader& loader, const std::string& prefix, ShortConvLayer& layer);

// Adds the layer's output to w.residual.
void run_short_conv(const ShortConvLayer& layer, Program& program, const Workspace& w,
                    const ShortConvWorkspace& s);

}  // namespace quire
