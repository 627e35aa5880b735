// MoeLayer: a feed-forward block of experts (Shazeer et al., 2017), of which a router chooses a few
// for each token: the norm before it, the router, the experts, and beside them experts that every
// token goes through, whose sum may have a gate of its own. What an architecture does not have is
// empty. Results are summed in the order of the router's choice, so that no answer depends on a
// token's company.
// Plain weights and functions over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include <optional>

#include "model/layers/workspace.h"
#include "model/weights.h"

namespace quire {

struct MoeLayer {
  Norm norm;                // of the residual stream; none: w.normed holds the input
  Weight router_weight;     // [experts, d_model]
  Router router;
  Weight gate, up;          // [experts, ffn, d_model]; no gate: down(f(up(x))), shared ones too
  Weight down;              // [experts, d_model, ffn]
  Vector router_bias;       // [experts] or empty
  Vector gate_bias, up_bias, down_bias;  // [experts * rows of the matrix] or empty
  Weight shared_gate, shared_up;  // [shared ffn, d_model]; empty: none are shared
  Weight shared_down;       // [d_model, shared ffn]
  Weight shared_scale;      // [1, d_model]; its sigmoid weighs what is shared; empty: 1
  Activation activation = Activation::kSilu;
  std::optional<ClampedGate> clamped;  // instead of it; of experts that are not shared
  float scale = 1;          // on all of the output
  bool weighs_inputs = false;  // the router's weights are on what experts read, not on the output
};

// Columns of the buffers, the same for all layers of a model.
struct MoeShape {
  int d_model = 0;
  int experts = 0, used = 0;  // in all, and of a token
  int ffn = 0;                // of an expert
  int shared_ffn = 0;         // 0: none are shared
  bool has_shared_scale = false;
};

struct MoeWorkspace {
  Buffer logits;                  // [tokens, experts]
  Buffer routing;                 // [tokens, used]
  Buffer gate, up, gated;         // [routed, ffn]
  Buffer out;                     // [routed, d_model]
  Buffer shared_gate, shared_up;  // [tokens, shared ffn]
  Buffer shared_gated;            // [tokens, shared ffn], read by shared_down
  Buffer shared_out;              // [tokens, d_model]
  Buffer shared_scale;            // [tokens, 1]

  static MoeWorkspace make(Backend& backend, const ModelOptions& options, const MoeShape& shape);
};

// Loads into a layer whose values are set: "router", "experts_up" and "experts_down" behind the
// prefix "layers.3.", and what of "experts_gate", "ffn_norm", "router_correction",
// "router_bias", "experts_gate_bias", "experts_up_bias", "experts_down_bias",
// "shared_gate", "shared_up", "shared_down" and "shared_scale" the rules have.
// REQUIRES: their shapes fit each other and layer.router.
Status load_moe(WeightLoader& loader, const std::string& prefix, MoeLayer& layer);

// What is behind the router: the chosen experts' products, and their sum into `out`, which is
// added to, or written anew. x: [tokens, d_model]
void run_experts(const MoeLayer& layer, Program& program, const Buffer& x, const MoeWorkspace& m,
                 const Buffer& out, bool is_new);

// Adds the block's output to w.residual.
void run_moe(const MoeLayer& layer, Program& program, const Workspace& w, const MoeWorkspace& m);

}  // namespace quire
