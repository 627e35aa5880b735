#include "model/layers/mamba2.h"

#include "base/check.h"

namespace quire {

int Mamba2Shape::scan_begin() const { return ((width - 1) * channels() + 15) / 16 * 16; }
int Mamba2Shape::state_floats() const {
  return scan_begin() + heads * scan_state_floats(state, head_dim);
}

Mamba2Workspace Mamba2Workspace::make(Backend& backend, const ModelOptions& options,
                                      const Mamba2Shape& shape) {
  const auto of_tokens = [&](int columns) {
    return columns > 0 ? backend.buffer(Rows::kTokens, options.tokens_max, columns) : Buffer();
  };
  Mamba2Workspace m;
  m.gate = of_tokens(shape.inner());
  m.x = of_tokens(shape.channels());
  m.convolved = of_tokens(shape.channels());
  m.step = of_tokens(shape.heads);
  m.scanned = of_tokens(shape.inner());
  m.normed = of_tokens(shape.inner());
  return m;
}

void set_shape(Mamba2Layer& layer, const Mamba2Shape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.groups > 0 && shape.heads > 0 && shape.heads % shape.groups == 0,
              "{} heads in {} groups", shape.heads, shape.groups);
  QUIRE_CHECK(shape.width > 1, "a convolution of {}", shape.width);
  layer.convolution.width = shape.width;
  layer.convolution.cache = cache;
  Recurrence& recurrence = layer.recurrence;
  recurrence.kind = Recurrence::Kind::kSsd;
  recurrence.k_heads = shape.groups;
  recurrence.k_dim = shape.state;
  recurrence.v_heads = shape.heads;
  recurrence.v_dim = shape.head_dim;
  recurrence.cache = cache;
  recurrence.state_begin = shape.scan_begin();
  layer.gated_norm.heads = shape.groups;
}

Status load_mamba2(WeightLoader& loader, const std::string& prefix, Mamba2Layer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "mamba_norm", layer.norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "mamba_gated_norm", layer.gated_norm));
  QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "mamba_gate"));
  QUIRE_ASSIGN_OR_RETURN(layer.x, loader.matrix(prefix + "mamba_x"));
  QUIRE_ASSIGN_OR_RETURN(layer.step, loader.matrix(prefix + "mamba_step"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.weight, loader.vector(prefix + "mamba_conv"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.bias,
                         loader.optional_vector(prefix + "mamba_conv_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.rates, loader.vector(prefix + "mamba_rates"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.dt_bias, loader.vector(prefix + "mamba_step_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.skip, loader.vector(prefix + "mamba_skip"));
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "mamba_out"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate_bias, loader.optional_vector(prefix + "mamba_gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.x_bias, loader.optional_vector(prefix + "mamba_x_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.step_bias, loader.optional_vector(prefix + "mamba_step_in_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.out_bias, loader.optional_vector(prefix + "mamba_out_bias"));
  return ok_status();
}

void run_mamba2(const Mamba2Layer& layer, Program& p, const Workspace& w,
                const Mamba2Workspace& m) {
  if (layer.norm) p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{&layer.gate, &m.gate, &layer.gate_bias},
                      {&layer.x, &m.x, &layer.x_bias},
                      {&layer.step, &m.step, &layer.step_bias}});
  if (layer.gate_scale != 1) p.add(CapOp{&m.gate, layer.gate_scale, 0});
  if (layer.step_scale != 1) p.add(CapOp{&m.step, layer.step_scale, 0});
  p.add(ConvolveOp{&m.x, &layer.convolution, &m.convolved});
  p.add(ScanOp{&m.convolved, &m.step, nullptr, &layer.recurrence, &m.scanned});
  if (layer.gated_norm) {
    p.add(GatedNormOp{&m.scanned, &m.gate, &layer.gated_norm, &m.normed, layer.gate_first});
  } else {
    p.gate(Activation::kSilu, m.gate, m.scanned, m.normed);
  }
  add_branch(p, m.normed, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
