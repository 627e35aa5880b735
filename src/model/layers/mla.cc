#include "model/layers/mla.h"

#include "base/check.h"

namespace quire {

MlaWorkspace MlaWorkspace::make(Backend& backend, const ModelOptions& options,
                                const MlaShape& shape) {
  const auto of_tokens = [&](int columns) {
    return columns > 0 ? backend.buffer(Rows::kTokens, options.tokens_max, columns) : Buffer();
  };
  MlaWorkspace m;
  m.q_low = of_tokens(shape.q_rank);
  m.q_normed = of_tokens(shape.q_rank);
  m.latent = of_tokens(shape.kv_rank);
  m.normed = of_tokens(shape.kv_rank);
  m.k_rope = of_tokens(shape.rope);
  m.q_latent = of_tokens(shape.heads * shape.kv_rank);
  m.attended = of_tokens(shape.heads * shape.kv_rank);
  m.values = of_tokens(shape.heads * shape.value);
  return m;
}

Status load_mla(WeightLoader& loader, const std::string& prefix, MlaLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_norm", layer.norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "q_norm", layer.q_norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "kv_norm", layer.latent_norm));
  if (loader.has(prefix + "q_low")) {
    QUIRE_ASSIGN_OR_RETURN(layer.q_low, loader.matrix(prefix + "q_low"));
  }
  QUIRE_ASSIGN_OR_RETURN(layer.q, loader.matrix(prefix + "q"));
  QUIRE_ASSIGN_OR_RETURN(layer.latent, loader.matrix(prefix + "kv_latent"));
  QUIRE_ASSIGN_OR_RETURN(layer.k_rope, loader.matrix(prefix + "k_rope"));
  QUIRE_ASSIGN_OR_RETURN(layer.k_up, loader.matrix(prefix + "k_up"));
  QUIRE_ASSIGN_OR_RETURN(layer.v_up, loader.matrix(prefix + "v_up"));
  QUIRE_ASSIGN_OR_RETURN(layer.o, loader.matrix(prefix + "o"));
  const Attend& attend = layer.attend;
  QUIRE_CHECK(layer.k_up.experts == attend.heads && layer.k_up.rows == attend.v_dim &&
                  layer.v_up.experts == attend.heads && layer.v_up.columns == attend.v_dim &&
                  layer.latent.rows == attend.v_dim &&
                  layer.latent.rows + layer.k_rope.rows == attend.k_dim,
              "{}: a latent of {} and {} of rope are not {} and {} of {} heads", prefix,
              layer.latent.rows, layer.k_rope.rows, attend.k_dim, attend.v_dim, attend.heads);
  QUIRE_CHECK(layer.o.columns == attend.heads * layer.v_up.rows, "{}: o reads {} of {} x {} values",
              prefix, layer.o.columns, attend.heads, layer.v_up.rows);
  return ok_status();
}

void run_mla(const MlaLayer& layer, Program& p, const Workspace& w, const MlaWorkspace& m) {
  p.norm(w.residual, layer.norm, w.normed);
  if (layer.q_low) {
    p.linear(w.normed, {{&layer.q_low, &m.q_low}, {&layer.latent, &m.latent},
                        {&layer.k_rope, &m.k_rope}});
    p.norm(m.q_low, layer.q_norm, m.q_normed);
    p.linear(m.q_normed, {{&layer.q, &w.q}});
  } else {
    p.linear(w.normed,
             {{&layer.q, &w.q}, {&layer.latent, &m.latent}, {&layer.k_rope, &m.k_rope}});
  }
  p.norm(m.latent, layer.latent_norm, m.normed);
  if (layer.q_turn) p.rotate(w.q, layer.attend.heads, layer.q_turn);
  if (layer.q_grow) p.rotate(w.q, layer.attend.heads, layer.q_grow);
  if (layer.k_turn) p.rotate(m.k_rope, 1, layer.k_turn);
  p.add(HeadLinearOp{&w.q, {&layer.k_up, &m.q_latent, 0, layer.k_up.rows}});
  p.add(StoreOp{&m.normed, &m.k_rope, nullptr, layer.attend.cache});
  p.add(AttendOp{&m.q_latent, &layer.attend, &m.attended, &w.q});
  p.add(HeadLinearOp{&m.attended, {&layer.v_up, &m.values, 0, layer.v_up.rows}});
  p.linear(m.values, {{&layer.o, &w.residual, nullptr, true}});
}

}  // namespace quire
