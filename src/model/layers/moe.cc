#include "model/layers/moe.h"

#include "base/check.h"

namespace quire {

MoeWorkspace MoeWorkspace::make(Backend& backend, const ModelOptions& options,
                                const MoeShape& shape) {
  const auto of_tokens = [&](int columns) {
    return columns > 0 ? backend.buffer(Rows::kTokens, options.tokens_max, columns) : Buffer();
  };
  const auto routed = [&](int columns) {
    return backend.buffer(Rows::kRouted, options.tokens_max, columns, shape.used);
  };
  MoeWorkspace m;
  m.logits = of_tokens(shape.experts);
  m.routing = of_tokens(shape.used);
  m.gate = routed(shape.ffn);
  m.up = routed(shape.ffn);
  m.gated = routed(shape.ffn);
  m.out = routed(shape.d_model);
  m.shared_gate = of_tokens(shape.shared_ffn);
  m.shared_up = of_tokens(shape.shared_ffn);
  m.shared_gated = of_tokens(shape.shared_ffn);
  m.shared_out = of_tokens(shape.shared_ffn > 0 ? shape.d_model : 0);
  m.shared_scale = of_tokens(shape.has_shared_scale ? 1 : 0);
  return m;
}

Status load_moe(WeightLoader& loader, const std::string& prefix, MoeLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_norm", layer.norm));
  QUIRE_ASSIGN_OR_RETURN(layer.router_weight, loader.matrix(prefix + "router"));
  QUIRE_ASSIGN_OR_RETURN(layer.router.correction,
                         loader.optional_vector(prefix + "router_correction"));
  if (loader.has(prefix + "experts_gate")) {
    QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "experts_gate"));
  }
  QUIRE_ASSIGN_OR_RETURN(layer.up, loader.matrix(prefix + "experts_up"));
  QUIRE_ASSIGN_OR_RETURN(layer.down, loader.matrix(prefix + "experts_down"));
  QUIRE_ASSIGN_OR_RETURN(layer.router_bias, loader.optional_vector(prefix + "router_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate_bias, loader.optional_vector(prefix + "experts_gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.up_bias, loader.optional_vector(prefix + "experts_up_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.down_bias, loader.optional_vector(prefix + "experts_down_bias"));
  const Router& router = layer.router;
  QUIRE_CHECK(router.used > 0 && router.used <= router.experts &&
                  layer.router_weight.rows == router.experts,
              "{}: a router of {} rows sends to {} of {} experts", prefix, layer.router_weight.rows,
              router.used, router.experts);
  const bool is_paired = !layer.gate || (layer.gate.experts == router.experts &&
                                         layer.gate.rows == layer.up.rows);
  QUIRE_CHECK(is_paired && layer.up.experts == router.experts &&
                  layer.down.experts == router.experts && layer.down.columns == layer.up.rows,
              "{}: {} experts of {} x {} for {}", prefix, layer.down.experts, layer.down.rows,
              layer.down.columns, router.experts);
  if (loader.has(prefix + "shared_gate")) {
    QUIRE_ASSIGN_OR_RETURN(layer.shared_gate, loader.matrix(prefix + "shared_gate"));
  }
  if (loader.has(prefix + "shared_up")) {
    QUIRE_ASSIGN_OR_RETURN(layer.shared_up, loader.matrix(prefix + "shared_up"));
    QUIRE_ASSIGN_OR_RETURN(layer.shared_down, loader.matrix(prefix + "shared_down"));
  }
  if (!loader.has(prefix + "shared_scale")) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(layer.shared_scale, loader.matrix(prefix + "shared_scale"));
  return ok_status();
}

namespace {

void run_shared(const MoeLayer& layer, Program& p, const Workspace& w, const MoeWorkspace& m) {
  if (layer.shared_gate) {
    p.linear(w.normed,
             {{&layer.shared_gate, &m.shared_gate}, {&layer.shared_up, &m.shared_up}});
    p.gate(layer.activation, m.shared_gate, m.shared_up, m.shared_gated);
  } else {
    p.linear(w.normed, {{&layer.shared_up, &m.shared_up}});
    p.activate(layer.activation, m.shared_up, m.shared_gated);
  }
  if (!layer.shared_scale && layer.scale == 1) {
    return p.linear(m.shared_gated, {{&layer.shared_down, &w.residual, nullptr, true}});
  }
  p.linear(m.shared_gated, {{&layer.shared_down, &m.shared_out}});
  if (!layer.shared_scale) return p.add_to(m.shared_out, w.residual, layer.scale);
  p.linear(w.normed, {{&layer.shared_scale, &m.shared_scale}});
  p.add(AddOp{&m.shared_out, &w.residual, &m.shared_scale, layer.scale});
}

}  // namespace

void run_experts(const MoeLayer& layer, Program& p, const Buffer& x, const MoeWorkspace& m,
                 const Buffer& out, bool is_new) {
  if (layer.gate) {
    p.linear(x, {{&layer.gate, &m.gate, &layer.gate_bias},
                 {&layer.up, &m.up, &layer.up_bias}}, &m.routing);
  } else {
    p.linear(x, {{&layer.up, &m.up, &layer.up_bias}}, &m.routing);
  }
  if (layer.weighs_inputs) {  // products are linear
    if (layer.gate) p.add(WeighOp{&m.gate, &m.routing});
    p.add(WeighOp{&m.up, &m.routing});
  }
  if (layer.gate) {
    p.add(GateOp{&m.gate, &m.up, &m.gated, layer.activation, nullptr,
                 layer.clamped ? &*layer.clamped : nullptr});
  } else {
    p.activate(layer.activation, m.up, m.gated);
  }
  p.linear(m.gated, {{&layer.down, &m.out, &layer.down_bias}}, &m.routing);
  p.add(CombineOp{&m.out, &m.routing, &out, layer.scale, is_new, !layer.weighs_inputs});
}

void run_moe(const MoeLayer& layer, Program& p, const Workspace& w, const MoeWorkspace& m) {
  if (layer.norm) p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{&layer.router_weight, &m.logits, &layer.router_bias}});
  p.add(RouteOp{&m.logits, &layer.router, &m.routing});
  run_experts(layer, p, w.normed, m, w.residual, false);
  if (layer.shared_up) run_shared(layer, p, w, m);
}

}  // namespace quire
