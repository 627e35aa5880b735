#include "model/layers/workspace.h"

namespace quire {

Workspace Workspace::make(Backend& backend, const ModelOptions& options,
                          const WorkspaceShape& shape) {
  const auto of_tokens = [&](int columns) {
    return columns > 0 ? backend.buffer(Rows::kTokens, options.tokens_max, columns) : Buffer();
  };
  Workspace w;
  w.residual = of_tokens(shape.d_model);
  w.normed = of_tokens(shape.d_model);
  w.branch = of_tokens(shape.has_branch ? shape.d_model : 0);
  w.q = of_tokens(shape.q);
  w.k = of_tokens(shape.k);
  w.v = of_tokens(shape.v);
  w.attended = of_tokens(shape.attended);
  w.output_gate = of_tokens(shape.has_output_gate ? shape.attended : 0);
  w.gated_output = of_tokens(shape.has_output_gate ? shape.attended : 0);
  w.key_places = of_tokens(shape.key_places);
  w.query_places = of_tokens(shape.query_places);
  w.gate = of_tokens(shape.ffn);
  w.up = of_tokens(shape.ffn);
  w.gated = of_tokens(shape.ffn);
  if (shape.vocab == 0) return w;
  w.last = backend.buffer(Rows::kWanted, options.logits_rows_max, shape.d_model);
  w.logits = backend.buffer(Rows::kWanted, options.logits_rows_max, shape.vocab);
  return w;
}

Status load_norm(WeightLoader& loader, const std::string& name, Norm& norm) {
  if (!loader.has(name)) {
    norm = Norm();
    return ok_status();
  }
  QUIRE_CHECK(norm, "'{}' is loaded into a norm of no kind", name);
  QUIRE_ASSIGN_OR_RETURN(norm.weight, loader.vector(name));
  QUIRE_ASSIGN_OR_RETURN(norm.bias, loader.optional_vector(name + "_bias"));
  return ok_status();
}

void add_branch(Program& p, const Buffer& x, const Weight& weight, const Vector& bias,
                const Branch& branch, const Workspace& w) {
  if (branch.is_plain()) return p.linear(x, {{&weight, &w.residual, &bias, true}});
  p.linear(x, {{&weight, &w.branch, &bias}});
  if (branch.norm) {
    p.norm_add(w.branch, branch.norm, w.residual);
  } else {
    p.add_to(w.branch, w.residual, branch.scale);
  }
}

}  // namespace quire
