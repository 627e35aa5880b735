// A light model's face, which is its config: names, datatypes and whole shapes; and what a request
// asks that it has not.
// Pure; any thread. Used by light_call and server_state.
#pragma once

#include <memory>
#include <optional>

#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/inference/model_face.h"

namespace quire {

TensorType type_of(const ModelTensor& declared);

ModelFace face_of_light(const std::shared_ptr<const LightModel>& model);

// As check_face(); and every input that is not optional is there.
std::optional<ApiError> check_light_face(const ModelFace& face, const InferRequest& request);

}  // namespace quire
