#include "serve/dialects/kserve/response_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstring>
#include <iterator>

#include "base/json.h"

namespace quire {
namespace {

template <typename T>
void append_numbers(const std::string& bytes, std::string& json) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (at > 0) json += ',';
    if (std::isfinite(value)) {
      fmt::format_to(std::back_inserter(json), "{}", value);
    } else {
      json += "null";
    }
  }
}

// The elements, parted by commas.
void append_elements(const NamedTensor& tensor, std::string& json) {
  switch (tensor.type) {
    case TensorType::kFp32: return append_numbers<float>(tensor.bytes, json);
    case TensorType::kFp64: return append_numbers<double>(tensor.bytes, json);
    case TensorType::kBytes: {
      const auto texts = texts_of(tensor);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i > 0) json += ',';
        append_json_string(texts[i], json);
      }
      return;
    }
    case TensorType::kBool: {
      for (std::size_t i = 0; i < tensor.bytes.size(); ++i) {
        if (i > 0) json += ',';
        json += tensor.bytes[i] != 0 ? "true" : "false";
      }
      return;
    }
    case TensorType::kFp16:
    case TensorType::kBf16: return;  // no output of ours
    default: json += fmt::format("{}", fmt::join(integers_of(tensor), ","));
  }
}

}  // namespace

std::string parameter_json(const InferParameter& value) {
  return dump(std::visit([](const auto& it) { return Json(it); }, value));
}

std::string response_head(const InferResponse& response) {
  std::string json = R"({"model_name":)";
  append_json_string(response.model, json);
  json += R"(,"model_version":)";
  append_json_string(response.version, json);
  if (!response.id.empty()) {
    json += R"(,"id":)";
    append_json_string(response.id, json);
  }
  if (response.parameters.is_empty()) return json;
  json += R"(,"parameters":{)";
  bool is_first = true;
  for (const auto& [name, value] : response.parameters.all()) {
    if (!std::exchange(is_first, false)) json += ',';
    append_json_string(name, json);
    json += ':' + parameter_json(value);
  }
  return json + '}';
}

void append_tensor_head(const NamedTensor& tensor, std::string& json) {
  json += R"({"name":)";
  append_json_string(tensor.name, json);
  json += fmt::format(R"(,"datatype":"{}","shape":{})", tensor_type_info(tensor.type).name,
                      shape_text(tensor.shape));
}

void append_tensor_data(const NamedTensor& tensor, std::string& json) {
  json += '[';
  append_elements(tensor, json);
  json += ']';
}

void append_tensor_value(const NamedTensor& tensor, std::string& json) {
  auto count = count_elements(tensor.name, tensor.shape);
  if (count.is_ok() && *count == 1) return append_elements(tensor, json);
  append_tensor_data(tensor, json);
}

std::string kserve_error_body(const ApiError& error) {
  return dump(Json::object({{"error", error.message}}));
}

}  // namespace quire
