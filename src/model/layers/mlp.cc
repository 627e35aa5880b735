#include "model/layers/mlp.h"

#include <fmt/format.h>

namespace quire {

Result<MlpLayer> load_mlp(WeightLoader& loader, const std::string& prefix) {
  MlpLayer mlp;
  QUIRE_ASSIGN_OR_RETURN(mlp.gate, loader.matrix(prefix + "gate"));
  QUIRE_ASSIGN_OR_RETURN(mlp.up, loader.matrix(prefix + "up"));
  QUIRE_ASSIGN_OR_RETURN(mlp.down, loader.matrix(prefix + "down"));
  return mlp;
}

void run_mlp(const MlpLayer& layer, Backend& backend, int tokens, const NormSpec& next_norm,
             Workspace& w) {
  const int ffn = layer.gate.rows;
  const int stride = 2 * ffn;
  float* gate = w.gate_up.data();
  float* up = gate + ffn;
  backend.linear_silu(*w.normed, tokens, {&layer.gate, gate, stride}, {&layer.up, up, stride},
                      *w.gated);
  const LinearOutput back = {&layer.down, w.residual.data(), layer.down.rows, nullptr, true};
  if (next_norm.weight == nullptr) return backend.linear(*w.gated, tokens, {&back, 1});
  backend.linear_rmsnorm(*w.gated, tokens, back, next_norm.weight, next_norm.eps, *w.normed);
}

}  // namespace quire
