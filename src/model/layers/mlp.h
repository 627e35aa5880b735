// MlpLayer: the feed-forward block with the norm before it: down(f(gate(x)) * up(x)) (Shazeer, "GLU
// variants improve transformer", 2020), or without a gate down(f(up(x))). Plain weights and one
// function over them. Called by the architectures; the thread that drives the device.
#pragma once

#include <optional>

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct MlpLayer {
  Norm norm;    // of the residual stream; none: w.normed holds the input
  Weight gate;  // [ffn, d_model]; empty: plain
  Weight up;    // [ffn, d_model]
  Weight down;  // [d_model, ffn]
  Vector gate_bias, up_bias, down_bias;  // [rows of the matrix] or empty
  Activation activation = Activation::kSilu;
  float gate_scale = 1;  // of what the activation reads, where there is a gate
  std::optional<Xielu> xielu;  // instead of it, where there is no gate
  Norm inner_norm;  // of what `down` reads; none: as it is
  Branch branch;  // how the output joins the residual stream
};

// Loads into a layer whose values are set: "up" and "down" behind the prefix "layers.3.", and what
// of "gate", "ffn_norm", "ffn_inner_norm", "ffn_post_norm" (each with "_bias"), "gate_bias" ...
// "down_bias" the rules have. REQUIRES: their shapes fit each other.
Status load_mlp(WeightLoader& loader, const std::string& prefix, MlpLayer& layer);

// Adds the block's output to w.residual.
void run_mlp(const MlpLayer& layer, Program& program, const Workspace& w);

}  // namespace quire
