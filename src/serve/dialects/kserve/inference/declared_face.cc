#include "serve/dialects/kserve/inference/declared_face.h"

#include <utility>

#include "serve/house.h"

namespace quire {
namespace {

// Whether it says how large a batch may be. Shapes that are written without a word of it are whole.
bool says_batch(const ModelConfig& config) {
  return config.says_batch || !config.inputs.empty() || !config.outputs.empty();
}

// Of "story", and of "story:1", as a version is called elsewhere.
Result<ModelConfig> config_of_name(const ModelRepository& repository, std::string_view name) {
  return repository.config(repository.has(name) ? name : name.substr(0, name.rfind(':')));
}

void keep(const std::vector<ModelTensor>& declared, std::vector<TensorFace>& faces) {
  std::vector<TensorFace> kept;
  for (const ModelTensor& tensor : declared) {
    for (const TensorFace& face : faces) {
      if (face.name == tensor.name) kept.push_back(face);
    }
  }
  if (!kept.empty()) faces = std::move(kept);
}

}  // namespace

ModelFace declared_face(const House* house, const ModelInfo& info, std::string name) {
  ModelFace face = face_of(info, std::move(name));
  if (house == nullptr || house->repository == nullptr) return face;
  const Result<ModelConfig> config = config_of_name(*house->repository, face.name);
  if (!config.is_ok()) return face;
  face.is_decoupled = config->is_decoupled;
  if (says_batch(*config)) face.batch_max = config->batch_max;
  return face;
}

void keep_declared(const House& house, ModelFace& face) {
  if (house.repository == nullptr) return;
  const Result<ModelConfig> config = config_of_name(*house.repository, face.name);
  if (!config.is_ok()) return;
  keep(config->inputs, face.inputs);
  keep(config->outputs, face.outputs);
}

}  // namespace quire
