#include "serve/dialects/kserve/light/light_face.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace quire {
namespace {

void add_faces(const std::vector<ModelTensor>& tensors,
               const std::vector<std::vector<std::int64_t>>& shapes,
               std::vector<TensorFace>& faces) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorType type = type_of(tensors[i]);
    faces.push_back({.name = tensors[i].name, .type = type, .dim = -1, .also = type,
                     .is_optional = tensors[i].is_optional, .whole = shapes[i]});
  }
}

}  // namespace

// The config was read by a table of the same names.
TensorType type_of(const ModelTensor& declared) {
  for (const TensorTypeInfo& info : tensor_types()) {
    if (info.config_name == declared.data_type) return info.type;
  }
  return TensorType::kBytes;
}

ModelFace face_of_light(const std::shared_ptr<const LightModel>& model) {
  ModelFace face{.name = model->name,
                 .versions = {std::to_string(model->version)},
                 .platform = std::string(model->platform()),
                 .backend = model->config.backend,
                 .batch_max = model->config.batch_max,
                 .instances = model->config.backend.empty() ? 0u : 1u,  // no backend: an ensemble
                 .holder = model};
  add_faces(model->config.inputs, model->input_shapes, face.inputs);
  add_faces(model->config.outputs, model->output_shapes, face.outputs);
  return face;
}

std::optional<ApiError> check_light_face(const ModelFace& face, const InferRequest& request) {
  if (request.inputs.size() > kTensorsMax || request.outputs.size() > kTensorsMax) {
    return invalid_value("inputs", fmt::format("at most {} inputs and {} outputs are taken",
                                               kTensorsMax, kTensorsMax));
  }
  if (auto fault = check_face(face, request)) return fault;
  std::vector<std::string> got, missing;
  for (const NamedTensor& input : request.inputs) got.push_back("'" + input.name + "'");
  for (const TensorFace& input : face.inputs) {
    const bool is_there = std::any_of(request.inputs.begin(), request.inputs.end(),
                                      [&](const NamedTensor& it) { return it.name == input.name; });
    if (!is_there && !input.is_optional) missing.push_back(fmt::format("'{}'", input.name));
  }
  if (missing.empty()) return std::nullopt;
  return invalid_value("inputs", fmt::format(
      "expected {} inputs but got {} inputs for model '{}'. Got input(s) [{}], but missing "
      "required input(s) [{}]. Please provide all required input(s).", face.inputs.size(),
      request.inputs.size(), face.name, fmt::join(got, ", "), fmt::join(missing, ", ")));
}

}  // namespace quire
