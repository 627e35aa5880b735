#include "serve/dialects/kserve/inference/model_face.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {
namespace {

constexpr TensorType kBool = TensorType::kBool, kInt32 = TensorType::kInt32,
                     kFp32 = TensorType::kFp32, kBytes = TensorType::kBytes,
                     kUint64 = TensorType::kUint64;

constexpr TensorFace kTextInput = {"text_input", kBytes, 1};

// Of Triton's vLLM backend, of TensorRT-LLM's, and names that both would have.
constexpr TensorFace kGenerationInputs[] = {
    {"stream", kBool, 1},
    {"sampling_parameters", kBytes, 1},
    {"exclude_input_in_output", kBool, 1},
    {"return_finish_reason", kBool, 1},
    {"return_cumulative_logprob", kBool, 1},
    {"return_logprobs", kBool, 1},
    {"return_num_input_tokens", kBool, 1},
    {"return_num_output_tokens", kBool, 1},
    {"max_tokens", kInt32, 1},
    {"min_tokens", kInt32, 1},
    {"min_length", kInt32, 1},
    {"temperature", kFp32, 1},
    {"top_k", kInt32, 1},
    {"top_p", kFp32, 1},
    {"min_p", kFp32, 1},
    {"repetition_penalty", kFp32, 1},
    {"presence_penalty", kFp32, 1},
    {"frequency_penalty", kFp32, 1},
    {"seed", kUint64, 1},
    {"random_seed", kUint64, 1},
    {"stop", kBytes, -1},
    {"stop_words", kBytes, -1},
    {"bad_words", kBytes, -1},
    {"end_id", kInt32, 1},
    {"pad_id", kInt32, 1},
    {"beam_width", kInt32, 1},
    {"num_return_sequences", kInt32, 1},
    {"length_penalty", kFp32, 1},
    {"return_log_probs", kBool, 1},
    {"guided_decoding_guide_type", kBytes, 1},
    {"guided_decoding_guide", kBytes, 1},
};

constexpr TensorFace kTextOutputs[] = {
    {"text_output", kBytes, 1},
    {"finish_reason", kBytes, 1},
    {"cumulative_logprob", kFp32, 1},
    {"logprobs", kBytes, 1},
    {"num_input_tokens", TensorType::kUint32, 1},
    {"num_output_tokens", TensorType::kUint32, 1},
};

Json tensor_json(const TensorFace& face, bool has_batch) {
  Json shape = Json::array();
  for (const std::int64_t dim : shape_of(face, has_batch)) shape.push(dim);
  return Json::object({{"name", face.name}, {"datatype", tensor_type_info(face.type).name},
                       {"shape", std::move(shape)}});
}

Json tensor_config(const TensorFace& face, bool has_batch, bool is_input) {
  Json dims = Json::array();
  const std::vector<std::int64_t> shape = shape_of(face, has_batch);
  for (std::size_t i = has_batch ? 1 : 0; i < shape.size(); ++i) dims.push(shape[i]);
  Json json = Json::object({{"name", face.name},
                            {"data_type", tensor_type_info(face.type).config_name}});
  if (is_input) json.set("format", "FORMAT_NONE");
  json.set("dims", std::move(dims));
  if (is_input) json.set("optional", face.is_optional);
  return json;
}

const TensorFace* find_face(const std::vector<TensorFace>& faces, std::string_view name) {
  const auto found = std::find_if(faces.begin(), faces.end(),
                                  [&](const TensorFace& face) { return face.name == name; });
  return found == faces.end() ? nullptr : &*found;
}

// With the batch's dimension, or without it where it is one.
bool fits(const TensorFace& face, std::int64_t batch_max, const std::vector<std::int64_t>& shape) {
  if (!face.whole.empty()) {
    const auto agree = [](std::int64_t asked, std::int64_t got) {
      return asked < 0 || asked == got;
    };
    return std::equal(face.whole.begin(), face.whole.end(), shape.begin(), shape.end(), agree);
  }
  const bool has_any = face.dim < 0, has_batch = batch_max > 0;
  if (shape.size() == 1) return has_any || (has_batch ? shape[0] >= 1 : shape[0] == face.dim);
  return shape.size() == 2 && (has_batch ? shape[0] >= 1 : shape[0] == 1) &&
         (has_any ? shape[1] >= 0 : shape[1] == face.dim);
}

std::string expected_shape(const TensorFace& face, bool has_batch) {
  return shape_text(shape_of(face, has_batch));
}

ApiError wrong_batch(const ModelFace& face, const std::string& input, std::int64_t size) {
  return invalid_value(input, fmt::format("inference request batch-size must be from 1 to {} for "
                                          "'{}', not {}", face.batch_max, face.name, size));
}

// A wrong batch of a model whose shapes begin with one.
std::optional<ApiError> check_batch(const ModelFace& face, const InferRequest& request) {
  for (const NamedTensor& input : request.inputs) {
    const std::int64_t size = input.shape.front(), first = request.inputs.front().shape.front();
    if (size < 1 || size > face.batch_max) return wrong_batch(face, input.name, size);
    if (size == first) continue;
    return invalid_value(input.name, fmt::format("input '{}' batch size does not match other "
                                                 "inputs for '{}'", input.name, face.name));
  }
  return std::nullopt;
}

// The same of a model with an engine, where a shape may come without a batch's dimension: of one
// value a row it is the batch then, of any number it is one row.
std::optional<ApiError> check_rows(const ModelFace& face, const InferRequest& request) {
  for (const NamedTensor& input : request.inputs) {
    const bool is_row = input.shape.size() == 1 && find_face(face.inputs, input.name)->dim < 0;
    const std::int64_t size = is_row ? 1 : input.shape.front();
    if (size > face.batch_max) return wrong_batch(face, input.name, size);
  }
  return std::nullopt;
}

std::string shown_name(std::string_view name) {
  return name.size() <= kTensorNameMax ? std::string(name) : "(a very long name)";
}

}  // namespace

std::vector<std::int64_t> shape_of(const TensorFace& face, bool has_batch) {
  if (!face.whole.empty()) return {face.whole.begin(), face.whole.end()};
  std::vector<std::int64_t> shape;
  if (has_batch) shape.push_back(-1);
  shape.push_back(face.dim);
  if (face.last != 0) shape.push_back(face.last);
  return shape;
}

ModelFace face_of(const ModelInfo& info, std::string name) {
  ModelFace face{.name = std::move(name)};
  face.instances = info.instances;
  face.inputs.push_back(kTextInput);
  if (!info.generates) {
    face.platform = "quire_vectors";
    const std::int64_t width = info.pooled.labels > 0 ? info.pooled.labels : info.pooled.width;
    face.outputs.push_back({"embedding", kFp32, width});
    return face;
  }
  face.platform = "quire_text";
  face.inputs.insert(face.inputs.end(), std::begin(kGenerationInputs), std::end(kGenerationInputs));
  face.outputs.assign(std::begin(kTextOutputs), std::end(kTextOutputs));
  if (info.has_encoder) return face;
  face.inputs.push_back({"input_ids", kInt32, -1, 0, TensorType::kInt64});
  face.outputs.push_back({"logits", kFp32, -1, info.vocab});
  return face;
}

Json metadata_json(const ModelFace& face) {
  Json inputs = Json::array(), outputs = Json::array();
  const bool has_batch = face.batch_max > 0;
  for (const TensorFace& tensor : face.inputs) inputs.push(tensor_json(tensor, has_batch));
  for (const TensorFace& tensor : face.outputs) outputs.push(tensor_json(tensor, has_batch));
  return Json::object({{"name", face.name},
                       {"versions", Json::array({face.versions.begin(), face.versions.end()})},
                       {"platform", face.platform}, {"inputs", std::move(inputs)},
                       {"outputs", std::move(outputs)}});
}

namespace {

// Of a model whose config names no group.
Json groups_json(const ModelFace& face) {
  if (face.instances == 0) return Json::array();
  return Json::array({Json::object({{"name", face.name},
                                    {"kind", "KIND_CPU"},
                                    {"count", face.instances},
                                    {"gpus", Json::array()},
                                    {"secondary_devices", Json::array()},
                                    {"profile", Json::array()},
                                    {"passive", false},
                                    {"host_policy", ""}})});
}

}  // namespace

Json config_json(const ModelFace& face) {
  Json inputs = Json::array(), outputs = Json::array();
  const bool has_batch = face.batch_max > 0;
  for (const TensorFace& it : face.inputs) inputs.push(tensor_config(it, has_batch, true));
  for (const TensorFace& it : face.outputs) outputs.push(tensor_config(it, has_batch, false));
  const Json latest = Json::object({{"num_versions", 1}});
  return Json::object({{"name", face.name},
                       {"platform", face.platform},
                       {"backend", face.backend},
                       {"version_policy", Json::object({{"latest", latest}})},
                       {"max_batch_size", face.batch_max},
                       {"input", std::move(inputs)},
                       {"output", std::move(outputs)},
                       {"instance_group", groups_json(face)},
                       {"model_transaction_policy",
                        Json::object({{"decoupled", face.is_decoupled}})}});
}

std::optional<ApiError> check_face(const ModelFace& face, const InferRequest& request) {
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const NamedTensor& input = request.inputs[i];
    const TensorFace* known = find_face(face.inputs, input.name);
    if (known == nullptr) {
      return invalid_value(input.name, fmt::format("unexpected inference input '{}' for model "
                                                   "'{}'", shown_name(input.name), face.name));
    }
    const auto same = [&](const NamedTensor& other) { return other.name == input.name; };
    const auto before = request.inputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(request.inputs.begin(), before, same)) {
      return invalid_value(input.name, fmt::format("input '{}' already exists in request",
                                                   input.name));
    }
    if (input.type != known->type && input.type != known->also) {
      return invalid_value(input.name, fmt::format(
          "inference input '{}' data-type is '{}', but model '{}' expects '{}'", input.name,
          tensor_type_info(input.type).name, face.name, tensor_type_info(known->type).name));
    }
    if (!fits(*known, face.batch_max, input.shape)) {
      return invalid_value(input.name, fmt::format(
          "unexpected shape for input '{}' for model '{}'. Expected {}, got {}.{}", input.name,
          face.name, expected_shape(*known, face.batch_max > 0), shape_text(input.shape),
          face.batch_max > 0 ? "" : " With max_batch_size 0 there are no batches."));
    }
    if (auto fault = check_tensor_bytes(input)) return fault;
  }
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    const std::string& name = request.outputs[i].name;
    if (find_face(face.outputs, name) == nullptr) {
      return invalid_value(name, fmt::format("unexpected inference output '{}' for model '{}'",
                                             shown_name(name), face.name));
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (request.outputs[k].name != name) continue;
      return invalid_value(name, fmt::format("output '{}' is requested twice", name));
    }
  }
  const bool is_written = !face.inputs.empty() && !face.inputs.front().whole.empty();
  if (face.batch_max == 0) return std::nullopt;
  return is_written ? check_batch(face, request) : check_rows(face, request);
}

}  // namespace quire
