#include "model/layers/attention.h"

#include <array>

namespace quire {
namespace {

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

Result<AttentionLayer> load_attention(WeightLoader& loader, const std::string& prefix) {
  AttentionLayer a;
  QUIRE_ASSIGN_OR_RETURN(a.q, loader.matrix(prefix + "q"));
  QUIRE_ASSIGN_OR_RETURN(a.k, loader.matrix(prefix + "k"));
  QUIRE_ASSIGN_OR_RETURN(a.v, loader.matrix(prefix + "v"));
  QUIRE_ASSIGN_OR_RETURN(a.o, loader.matrix(prefix + "o"));
  QUIRE_ASSIGN_OR_RETURN(a.q_bias, loader.optional_vector(prefix + "q_bias"));
  QUIRE_ASSIGN_OR_RETURN(a.k_bias, loader.optional_vector(prefix + "k_bias"));
  QUIRE_ASSIGN_OR_RETURN(a.v_bias, loader.optional_vector(prefix + "v_bias"));
  QUIRE_ASSIGN_OR_RETURN(a.q_norm, loader.optional_vector(prefix + "q_norm"));
  QUIRE_ASSIGN_OR_RETURN(a.k_norm, loader.optional_vector(prefix + "k_norm"));
  return a;
}

void run_attention(const AttentionLayer& layer, const AttentionShape& shape, RopeSpec rope,
                   Backend& backend, const BatchView& batch, KvStore& kv, int index,
                   const NormSpec& mlp_norm, Workspace& w) {
  const int stride = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
  float* q = w.qkv.data();
  float* k = q + shape.heads * shape.head_dim;
  float* v = k + shape.kv_heads * shape.head_dim;
  const std::array<LinearOutput, 3> projections = {{
      {&layer.q, q, stride, or_null(layer.q_bias)},
      {&layer.k, k, stride, or_null(layer.k_bias)},
      {&layer.v, v, stride, or_null(layer.v_bias)},
  }};
  rope.q_norm = or_null(layer.q_norm);
  rope.k_norm = or_null(layer.k_norm);
  backend.attend(*w.normed, projections, shape, rope, batch, kv, index, *w.attended);

  const LinearOutput back = {&layer.o, w.residual.data(), layer.o.rows, nullptr, true};
  backend.linear_rmsnorm(*w.attended, batch.tokens(), back, mlp_norm.weight, mlp_norm.eps,
                         *w.normed);
}

}  // namespace quire
