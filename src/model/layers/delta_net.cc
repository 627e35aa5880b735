#include "model/layers/delta_net.h"

#include "base/check.h"

namespace quire {

int DeltaNetShape::scan_begin() const { return ((width - 1) * channels() + 15) / 16 * 16; }
int DeltaNetShape::state_floats() const {
  return scan_begin() + v_heads * scan_state_floats(k_dim, v_dim);
}

DeltaNetWorkspace DeltaNetWorkspace::make(Backend& backend, const ModelOptions& options,
                                          const DeltaNetShape& shape) {
  const auto of_tokens = [&](int columns) {
    return backend.buffer(Rows::kTokens, options.tokens_max, columns);
  };
  DeltaNetWorkspace d;
  d.x = of_tokens(shape.channels());
  d.convolved = of_tokens(shape.channels());
  d.gate = of_tokens(shape.values());
  d.scanned = of_tokens(shape.values());
  d.normed = of_tokens(shape.values());
  d.beta = of_tokens(shape.v_heads);
  d.step = of_tokens(shape.v_heads);
  return d;
}

void set_shape(DeltaNetLayer& layer, const DeltaNetShape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.k_heads > 0 && shape.v_heads > 0 && shape.v_heads % shape.k_heads == 0,
              "{} heads in {} groups", shape.v_heads, shape.k_heads);
  QUIRE_CHECK(shape.width > 1, "a convolution of {}", shape.width);
  layer.convolution.width = shape.width;
  layer.convolution.cache = cache;
  Recurrence& recurrence = layer.recurrence;
  recurrence.kind = Recurrence::Kind::kDelta;
  recurrence.k_heads = shape.k_heads;
  recurrence.k_dim = shape.k_dim;
  recurrence.v_heads = shape.v_heads;
  recurrence.v_dim = shape.v_dim;
  recurrence.is_tiled = shape.is_tiled;
  recurrence.cache = cache;
  recurrence.state_begin = shape.scan_begin();
  layer.gated_norm.heads = shape.v_heads;
}

Status load_delta_net(WeightLoader& loader, const std::string& prefix, DeltaNetLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "delta_norm", layer.norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "delta_gated_norm", layer.gated_norm));
  QUIRE_ASSIGN_OR_RETURN(layer.q, loader.matrix(prefix + "delta_q"));
  QUIRE_ASSIGN_OR_RETURN(layer.k, loader.matrix(prefix + "delta_k"));
  QUIRE_ASSIGN_OR_RETURN(layer.v, loader.matrix(prefix + "delta_v"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "delta_gate"));
  QUIRE_ASSIGN_OR_RETURN(layer.beta, loader.matrix(prefix + "delta_beta"));
  QUIRE_ASSIGN_OR_RETURN(layer.step, loader.matrix(prefix + "delta_step"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.weight, loader.vector(prefix + "delta_conv"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.rates, loader.vector(prefix + "delta_rates"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.dt_bias, loader.vector(prefix + "delta_step_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "delta_out"));
  return ok_status();
}

void run_delta_net(const DeltaNetLayer& layer, Program& p, const Workspace& w,
                   const DeltaNetWorkspace& d) {
  const int keys = layer.q.rows;
  p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{.weight = &layer.q, .out = &d.x},
                      {.weight = &layer.k, .out = &d.x, .column = keys},
                      {.weight = &layer.v, .out = &d.x, .column = 2 * keys},
                      {.weight = &layer.gate, .out = &d.gate},
                      {.weight = &layer.beta, .out = &d.beta},
                      {.weight = &layer.step, .out = &d.step}});
  p.add(ConvolveOp{&d.x, &layer.convolution, &d.convolved});
  p.add(ScanOp{&d.convolved, &d.step, &d.beta, &layer.recurrence, &d.scanned});
  p.add(GatedNormOp{&d.scanned, &d.gate, &layer.gated_norm, &d.normed, false});
  add_branch(p, d.normed, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
