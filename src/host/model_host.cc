#include "host/model_host.h"

#include <algorithm>
#include <utility>

namespace quire {

ModelHost::~ModelHost() { listen(nullptr); }

Status ModelHost::add(HostedModel model, const MakeEngine& make_engine) {
  if (model.names.empty()) {
    return error(StatusCode::kInvalidArgument, "a model needs a name to be served under");
  }
  for (const std::string& name : model.names) {
    if (name.empty() || find(name) != nullptr) {
      return error(StatusCode::kInvalidArgument, "the model name '{}' is empty or taken", name);
    }
  }
  model.engine = make_engine([this](StepEvents step) { deliver(std::move(step)); });
  QUIRE_CHECK(model.engine != nullptr, "model '{}' has no engine", model.names.front());
  models_.push_back(std::make_unique<HostedModel>(std::move(model)));
  return ok_status();
}

void ModelHost::listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void ModelHost::deliver(StepEvents step) {
  const std::lock_guard lock(mutex_);
  if (listener_) listener_(std::move(step));
}

const HostedModel* ModelHost::find(std::string_view name) const {
  for (const auto& model : models_) {
    if (std::find(model->names.begin(), model->names.end(), name) != model->names.end()) {
      return model.get();
    }
  }
  return nullptr;
}

void ModelHost::drain() {
  for (const auto& model : models_) model->engine->drain();
}

bool ModelHost::is_idle() const {
  return std::all_of(models_.begin(), models_.end(),
                     [](const auto& model) { return model->engine->is_idle(); });
}

}  // namespace quire
