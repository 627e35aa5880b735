#include "model/layers/attention.h"

#include <array>

#include <fmt/format.h>

namespace quire {
namespace {

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

Result<AttentionLayer> load_attention(WeightLoader& loader, const ModelConfig& config, int layer) {
  const auto name = [layer](const char* part) { return fmt::format("layers.{}.{}", layer, part); };
  const int q_rows = config.heads * config.head_dim;
  const int kv_rows = config.kv_heads * config.head_dim;
  AttentionLayer a;
  QUIRE_ASSIGN_OR_RETURN(a.q, loader.matrix(name("q"), q_rows, config.d_model));
  QUIRE_ASSIGN_OR_RETURN(a.k, loader.matrix(name("k"), kv_rows, config.d_model));
  QUIRE_ASSIGN_OR_RETURN(a.v, loader.matrix(name("v"), kv_rows, config.d_model));
  QUIRE_ASSIGN_OR_RETURN(a.o, loader.matrix(name("o"), config.d_model, q_rows));
  if (config.qkv_bias) {
    QUIRE_ASSIGN_OR_RETURN(a.q_bias, loader.vector(name("q_bias"), q_rows));
    QUIRE_ASSIGN_OR_RETURN(a.k_bias, loader.vector(name("k_bias"), kv_rows));
    QUIRE_ASSIGN_OR_RETURN(a.v_bias, loader.vector(name("v_bias"), kv_rows));
  }
  if (config.qk_norm) {
    QUIRE_ASSIGN_OR_RETURN(a.q_norm, loader.vector(name("q_norm"), config.head_dim));
    QUIRE_ASSIGN_OR_RETURN(a.k_norm, loader.vector(name("k_norm"), config.head_dim));
  }
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
