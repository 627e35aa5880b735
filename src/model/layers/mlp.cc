#include "model/layers/mlp.h"

#include "base/check.h"

namespace quire {

Status load_mlp(WeightLoader& loader, const std::string& prefix, MlpLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_norm", layer.norm));
  if (loader.has(prefix + "gate")) {
    QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "gate"));
  }
  QUIRE_ASSIGN_OR_RETURN(layer.up, loader.matrix(prefix + "up"));
  QUIRE_ASSIGN_OR_RETURN(layer.down, loader.matrix(prefix + "down"));
  QUIRE_CHECK(layer.down.columns == layer.up.rows && layer.down.rows == layer.up.columns &&
                  (!layer.gate || layer.gate.rows == layer.up.rows),
              "{}: up is {} x {}, down {} x {}, gate has {} rows", prefix, layer.up.rows,
              layer.up.columns, layer.down.rows, layer.down.columns, layer.gate.rows);
  QUIRE_ASSIGN_OR_RETURN(layer.gate_bias, loader.optional_vector(prefix + "gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.up_bias, loader.optional_vector(prefix + "up_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.down_bias, loader.optional_vector(prefix + "down_bias"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_inner_norm", layer.inner_norm));
  return load_norm(loader, prefix + "ffn_post_norm", layer.branch.norm);
}

void run_mlp(const MlpLayer& layer, Program& p, const Workspace& w) {
  if (layer.norm) p.norm(w.residual, layer.norm, w.normed);
  if (layer.gate) {
    p.linear(w.normed, {{&layer.gate, &w.gate, &layer.gate_bias},
                        {&layer.up, &w.up, &layer.up_bias}});
    if (layer.gate_scale != 1) p.add(CapOp{&w.gate, layer.gate_scale, 0});
    p.gate(layer.activation, w.gate, w.up, w.gated);
  } else {
    p.linear(w.normed, {{&layer.up, &w.up, &layer.up_bias}});
    p.add(GateOp{&w.up, nullptr, &w.gated, layer.activation,
                 layer.xielu ? &*layer.xielu : nullptr});
  }
  if (layer.inner_norm) p.norm(w.gated, layer.inner_norm, w.gated);
  add_branch(p, w.gated, layer.down, layer.down_bias, layer.branch, w);
}

}  // namespace quire
