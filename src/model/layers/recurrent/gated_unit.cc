#include "model/layers/recurrent/gated_unit.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace quire {

int GatedUnitShape::unit_begin() const { return ((width - 1) * channels + 15) / 16 * 16; }
int GatedUnitShape::state_floats() const { return unit_begin() + (channels + 15) / 16 * 16; }

GatedUnitWorkspace GatedUnitWorkspace::make(Backend& backend, const ModelOptions& options,
                                            const GatedUnitShape& shape) {
  const auto of_tokens = [&] {
    return backend.buffer(Rows::kTokens, options.tokens_max, shape.channels);
  };
  GatedUnitWorkspace g;
  g.gate = of_tokens();
  g.x = of_tokens();
  g.convolved = of_tokens();
  g.inputs = of_tokens();
  g.recurrent = of_tokens();
  g.scanned = of_tokens();
  g.gated = of_tokens();
  return g;
}

void set_shape(GatedUnitLayer& layer, const GatedUnitShape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.blocks > 0 && shape.channels > 0 && shape.channels % shape.blocks == 0 &&
                  shape.width > 1,
              "{} channels in {} blocks, a convolution of {}", shape.channels, shape.blocks,
              shape.width);
  layer.convolution.width = shape.width;
  layer.convolution.is_silu = false;
  layer.convolution.cache = cache;
  layer.unit.cache = cache;
  layer.unit.state_begin = shape.unit_begin();
}

Status load_gated_unit(WeightLoader& loader, const std::string& prefix, Backend& backend,
                       GatedUnitLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "unit_norm", layer.norm));
  QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "unit_gate"));
  QUIRE_ASSIGN_OR_RETURN(layer.x, loader.matrix(prefix + "unit_x"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate_bias, loader.optional_vector(prefix + "unit_gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.x_bias, loader.optional_vector(prefix + "unit_x_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.weight, loader.vector(prefix + "unit_conv"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.bias, loader.optional_vector(prefix + "unit_conv_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.input_gates, loader.matrix(prefix + "unit_inputs"));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrent_gates, loader.matrix(prefix + "unit_recurrent"));
  QUIRE_ASSIGN_OR_RETURN(layer.unit.input_bias, loader.vector(prefix + "unit_inputs_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.unit.gate_bias, loader.vector(prefix + "unit_recurrent_bias"));
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> rates, loader.values(prefix + "unit_rates"));
  for (float& rate : rates) {
    const double x = rate;
    rate = static_cast<float>(-8 * (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)))));
  }
  layer.unit.rates = backend.vector(rates);
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "unit_out"));
  QUIRE_ASSIGN_OR_RETURN(layer.out_bias, loader.optional_vector(prefix + "unit_out_bias"));
  return ok_status();
}

void run_gated_unit(const GatedUnitLayer& layer, Program& p, const Workspace& w,
                    const GatedUnitWorkspace& g) {
  p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{&layer.gate, &g.gate, &layer.gate_bias}, {&layer.x, &g.x, &layer.x_bias}});
  p.add(ConvolveOp{&g.x, &layer.convolution, &g.convolved});
  const int block = layer.input_gates.rows;
  p.add(HeadLinearOp{&g.convolved, {&layer.input_gates, &g.inputs, 0, block}});
  p.add(HeadLinearOp{&g.convolved, {&layer.recurrent_gates, &g.recurrent, 0, block}});
  p.add(GatedUnitOp{&g.convolved, &g.inputs, &g.recurrent, &layer.unit, &g.scanned});
  p.gate(layer.activation, g.gate, g.scanned, g.gated);
  add_branch(p, g.gated, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
