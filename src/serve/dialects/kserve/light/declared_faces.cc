#include "serve/dialects/kserve/light/declared_faces.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "serve/dialects/kserve/inference/model_face.h"

namespace quire {
namespace {

const TensorFace* face_called(const std::vector<TensorFace>& faces, std::string_view name) {
  const auto found = std::find_if(faces.begin(), faces.end(),
                                  [&](const TensorFace& face) { return face.name == name; });
  return found == faces.end() ? nullptr : &*found;
}

// Of what has the model's own width (logits). Other shapes are held against what is declared when
// they come (declared_tensors).
bool may_have(const TensorFace& face, const std::vector<std::int64_t>& dims) {
  return face.last == 0 || dims.empty() || dims.back() < 0 || dims.back() == face.last;
}

Status check_tensor(std::string_view field, const std::vector<TensorFace>& faces,
                    std::string_view name, std::string_view type,
                    const std::vector<std::int64_t>& dims) {
  const TensorFace* face = face_called(faces, name);
  if (face == nullptr) {
    return error(StatusCode::kInvalidArgument, "'{}.name': the model has no '{}'", field,
                 name.substr(0, 128));
  }
  const std::string_view known = tensor_type_info(face->type).config_name;
  const std::string_view also = tensor_type_info(face->also).config_name;
  if (type != known && type != also) {
    return error(StatusCode::kInvalidArgument, "'{}.data_type' of '{}' is {}{}{}, not {}", field,
                 name, known, also == known ? "" : " or ", also == known ? "" : also, type);
  }
  if (may_have(*face, dims)) return ok_status();
  return error(StatusCode::kInvalidArgument, "'{}.dims' of '{}' end with {}, not {}", field, name,
               face->last, dims.back());
}

}  // namespace

Status check_declared_faces(const ModelConfig& config, const ModelInfo& info) {
  const ModelFace face = face_of(info, config.name);
  for (const ModelTensor& it : config.inputs) {
    QUIRE_RETURN_IF_ERROR(check_tensor("input", face.inputs, it.name, it.data_type, it.dims));
  }
  for (const ModelTensor& it : config.outputs) {
    QUIRE_RETURN_IF_ERROR(check_tensor("output", face.outputs, it.name, it.data_type, it.dims));
  }
  const Json* warmups = config.json.find("model_warmup");
  if (warmups == nullptr) return ok_status();
  for (const Json& warmup : warmups->items()) {
    for (const auto& [name, input] : warmup.find("inputs")->members()) {
      const std::string& type = input.find("data_type")->as_string();
      QUIRE_RETURN_IF_ERROR(check_tensor("model_warmup.inputs", face.inputs, name, type, {}));
    }
  }
  return ok_status();
}

}  // namespace quire
