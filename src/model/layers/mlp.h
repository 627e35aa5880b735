// MlpLayer: the gated feed-forward block, down(silu(gate(x)) * up(x)) (Shazeer, "GLU variants
// improve transformer", 2020). Plain weights and one function over them. Called by the
// architectures; the thread that drives the device.
#pragma once

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct MlpLayer {
  Weight gate;  // [ffn, d_model]
  Weight up;    // [ffn, d_model]
  Weight down;  // [d_model, ffn]
};

// `prefix`: "layers.3.", in front of gate, up and down.
Result<MlpLayer> load_mlp(WeightLoader& loader, const std::string& prefix);

// Adds the block's output to w.residual; reads its normalized input from w.normed and leaves that
// of the next layer there, if there is one.
void run_mlp(const MlpLayer& layer, Backend& backend, int tokens, const NormSpec& next_norm,
             Workspace& w);

}  // namespace quire
