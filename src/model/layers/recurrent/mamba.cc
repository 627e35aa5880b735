#include "model/layers/recurrent/mamba.h"

#include "base/check.h"

namespace quire {

int MambaShape::scan_begin() const { return ((width - 1) * channels + 15) / 16 * 16; }
int MambaShape::state_floats() const { return scan_begin() + (rows * channels + 15) / 16 * 16; }

MambaWorkspace MambaWorkspace::make(Backend& backend, const ModelOptions& options,
                                    const MambaShape& shape) {
  const auto of_tokens = [&](int columns) {
    return backend.buffer(Rows::kTokens, options.tokens_max, columns);
  };
  MambaWorkspace m;
  m.x = of_tokens(shape.channels);
  m.convolved = of_tokens(shape.channels);
  m.gate = of_tokens(shape.channels);
  m.gated = of_tokens(shape.channels);
  m.steps = of_tokens(shape.channels);
  m.scanned = of_tokens(shape.channels);
  m.low_steps = of_tokens(shape.rank);
  m.keys = of_tokens(shape.rows);
  m.queries = of_tokens(shape.rows);
  return m;
}

void set_shape(MambaLayer& layer, const MambaShape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.channels > 0 && shape.rows > 0 && shape.rank > 0 && shape.width > 1,
              "{} channels of {}, rank {}, a convolution of {}", shape.channels, shape.rows,
              shape.rank, shape.width);
  layer.convolution.width = shape.width;
  layer.convolution.cache = cache;
  layer.selective.rows = shape.rows;
  layer.selective.cache = cache;
  layer.selective.state_begin = shape.scan_begin();
}

namespace {

// With the weights of the rules, or with ones.
Status load_inner_norm(WeightLoader& loader, const std::string& name, int columns,
                       Backend& backend, Norm& norm) {
  if (!norm) return ok_status();
  if (loader.has(name)) return load_norm(loader, name, norm);
  norm.weight = backend.vector(std::vector<float>(static_cast<std::size_t>(columns), 1.0f));
  return ok_status();
}

// Files hold the decays channel by channel; a scan reads them row by row.
Status load_rates(WeightLoader& loader, const std::string& name, Backend& backend,
                  Selective& selective) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<float> values, loader.values(name));
  const auto rows = static_cast<std::size_t>(selective.rows), channels = values.size() / rows;
  std::vector<float> turned(values.size());
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t n = 0; n < rows; ++n) turned[n * channels + c] = values[c * rows + n];
  }
  selective.rates = backend.vector(turned);
  return ok_status();
}

}  // namespace

Status load_mamba(WeightLoader& loader, const std::string& prefix, Backend& backend,
                  MambaLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "mamba_norm", layer.norm));
  QUIRE_ASSIGN_OR_RETURN(layer.x, loader.matrix(prefix + "mamba_x"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "mamba_gate"));
  QUIRE_ASSIGN_OR_RETURN(layer.x_bias, loader.optional_vector(prefix + "mamba_x_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate_bias, loader.optional_vector(prefix + "mamba_gate_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.weight, loader.vector(prefix + "mamba_conv"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.bias,
                         loader.optional_vector(prefix + "mamba_conv_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.low_steps, loader.matrix(prefix + "mamba_low_steps"));
  QUIRE_ASSIGN_OR_RETURN(layer.keys, loader.matrix(prefix + "mamba_keys"));
  QUIRE_ASSIGN_OR_RETURN(layer.queries, loader.matrix(prefix + "mamba_queries"));
  const int rank = layer.low_steps.rows, rows = layer.keys.rows;
  QUIRE_RETURN_IF_ERROR(
      load_inner_norm(loader, prefix + "mamba_step_norm", rank, backend, layer.step_norm));
  QUIRE_RETURN_IF_ERROR(
      load_inner_norm(loader, prefix + "mamba_key_norm", rows, backend, layer.key_norm));
  QUIRE_RETURN_IF_ERROR(
      load_inner_norm(loader, prefix + "mamba_query_norm", rows, backend, layer.query_norm));
  QUIRE_ASSIGN_OR_RETURN(layer.steps, loader.matrix(prefix + "mamba_steps"));
  QUIRE_ASSIGN_OR_RETURN(layer.selective.bias, loader.vector(prefix + "mamba_step_bias"));
  QUIRE_RETURN_IF_ERROR(load_rates(loader, prefix + "mamba_rates", backend, layer.selective));
  QUIRE_ASSIGN_OR_RETURN(layer.selective.skip, loader.vector(prefix + "mamba_skip"));
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "mamba_out"));
  QUIRE_ASSIGN_OR_RETURN(layer.out_bias, loader.optional_vector(prefix + "mamba_out_bias"));
  return ok_status();
}

void run_mamba(const MambaLayer& layer, Program& p, const Workspace& w, const MambaWorkspace& m) {
  p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{&layer.x, &m.x, &layer.x_bias}, {&layer.gate, &m.gate, &layer.gate_bias}});
  p.add(ConvolveOp{&m.x, &layer.convolution, &m.convolved});
  p.linear(m.convolved, {{&layer.low_steps, &m.low_steps},
                         {&layer.keys, &m.keys},
                         {&layer.queries, &m.queries}});
  if (layer.step_norm) p.norm(m.low_steps, layer.step_norm, m.low_steps);
  if (layer.key_norm) p.norm(m.keys, layer.key_norm, m.keys);
  if (layer.query_norm) p.norm(m.queries, layer.query_norm, m.queries);
  p.linear(m.low_steps, {{&layer.steps, &m.steps}});
  p.add(SelectiveOp{&m.convolved, &m.steps, &m.keys, &m.queries, &layer.selective, &m.scanned});
  p.gate(Activation::kSilu, m.gate, m.scanned, m.gated);
  add_branch(p, m.gated, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
