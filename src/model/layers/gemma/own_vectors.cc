#include "model/layers/gemma/own_vectors.h"

#include <cmath>

#include <fmt/format.h>

namespace quire {

Status OwnVectors::load(WeightLoader& loader, const OwnShape& shape, Activation activation,
                        float eps, Backend& backend, const ModelOptions& options) {
  shape_ = shape;
  activation_ = activation;
  norm_ = {Norm::Kind::kRms, {}, {}, eps, shape.layers};
  QUIRE_ASSIGN_OR_RETURN(table_, loader.table("own_table"));
  QUIRE_ASSIGN_OR_RETURN(projection_, loader.matrix("own_projection"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, "own_norm", norm_));
  for (int i = 0; i < shape.layers; ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    OwnLayer& layer = layers_.emplace_back();
    layer.norm = {Norm::Kind::kRms, {}, {}, eps};
    QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "own_gate"));
    QUIRE_ASSIGN_OR_RETURN(layer.up, loader.matrix(prefix + "own_up"));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "own_norm", layer.norm));
  }
  const auto of_tokens = [&](int columns) {
    return backend.buffer(Rows::kTokens, options.tokens_max, columns);
  };
  own_ = of_tokens(shape.layers * shape.width);
  gate_ = of_tokens(shape.width);
  gated_ = of_tokens(shape.width);
  return ok_status();
}

void OwnVectors::begin(Program& p, const Buffer& embedded) const {
  const float of_table = std::sqrt(static_cast<float>(shape_.width));
  p.linear(embedded, {{&projection_, &own_}});
  p.add(CapOp{&own_, 1 / std::sqrt(static_cast<float>(shape_.d_model))});
  p.norm(own_, norm_, own_);
  GatherOp rows = {&table_, &own_, GatherOp::Index::kToken, 0, of_table, true};
  rows.takes_first_beyond = true;
  p.add(rows);
  p.add(CapOp{&own_, 1 / std::sqrt(2.0f)});
}

void OwnVectors::run_layer(Program& p, int layer, const Buffer& x, const Buffer& room,
                           const std::vector<const Buffer*>& outs) const {
  const OwnLayer& own = layers_[static_cast<std::size_t>(layer)];
  p.linear(x, {{&own.gate, &gate_}});
  p.add(GateOp{&gate_, &own_, &gated_, activation_, nullptr, nullptr, layer * shape_.width});
  p.linear(gated_, {{&own.up, &room}});
  for (const Buffer* out : outs) p.norm_add(room, own.norm, *out);
}

void add_own_vectors(const OwnShape& shape, TensorRules& rules) {
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  const std::size_t d = size(shape.d_model), width = size(shape.width);
  const std::size_t all = width * size(shape.layers);
  rules.add({"own_table", "per_layer_token_embd.weight", "model.embed_tokens_per_layer.weight",
             {size(shape.vocab), all}, Role::kTable});
  rules.add({"own_projection", "per_layer_model_proj.weight",
             "model.per_layer_model_projection.weight", {all, d}});
  rules.add({"own_norm", "per_layer_proj_norm.weight", "model.per_layer_projection_norm.weight",
             {width}, Role::kNorm});
  for (int i = 0; i < shape.layers; ++i) {
    const auto add = [&](const char* name, const char* gguf, const char* hf,
                         std::vector<std::size_t> shape_of, Role role = Role::kMatrix) {
      rules.add_layer(i, {std::string("layers.{}.") + name, std::string("blk.{}.") + gguf,
                          std::string("model.layers.{}.") + hf, std::move(shape_of), role});
    };
    add("own_gate", "inp_gate.weight", "per_layer_input_gate.weight", {width, d});
    add("own_up", "proj.weight", "per_layer_projection.weight", {d, width});
    add("own_norm", "post_norm.weight", "post_per_layer_input_norm.weight", {d}, Role::kNorm);
  }
}

}  // namespace quire
