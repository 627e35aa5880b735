#include "serve/dialects/kserve/infer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "serve/intake/fields.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

constexpr std::size_t kIdSizeMax = 1024;  // bytes

ApiError refuse(const std::string& field, std::string message) {
  return invalid_value(field, std::move(message));
}

// Of an extension that this server has not.
ApiError not_here(const std::string& name, std::string message) {
  ApiError error = unsupported_parameter(name, std::move(message));
  error.status = 501;
  return error;
}

template <typename T>
bool append_integer(const Json& value, std::string& bytes) {
  if (!value.is_int() && value.kind() != Json::Kind::kUint) return false;
  if (value.kind() == Json::Kind::kUint) {
    if (!std::in_range<T>(value.as_uint())) return false;
    append_element(static_cast<T>(value.as_uint()), bytes);
    return true;
  }
  if (!std::in_range<T>(value.as_int())) return false;
  append_element(static_cast<T>(value.as_int()), bytes);
  return true;
}

bool append_value(TensorType type, const Json& value, std::string& bytes) {
  switch (type) {
    case TensorType::kBool:
      if (!value.is_bool()) return false;
      append_element(static_cast<std::uint8_t>(value.as_bool()), bytes);
      return true;
    case TensorType::kUint8: return append_integer<std::uint8_t>(value, bytes);
    case TensorType::kUint16: return append_integer<std::uint16_t>(value, bytes);
    case TensorType::kUint32: return append_integer<std::uint32_t>(value, bytes);
    case TensorType::kUint64: return append_integer<std::uint64_t>(value, bytes);
    case TensorType::kInt8: return append_integer<std::int8_t>(value, bytes);
    case TensorType::kInt16: return append_integer<std::int16_t>(value, bytes);
    case TensorType::kInt32: return append_integer<std::int32_t>(value, bytes);
    case TensorType::kInt64: return append_integer<std::int64_t>(value, bytes);
    case TensorType::kFp32:
      if (!value.is_number() || !std::isfinite(static_cast<float>(value.as_double()))) return false;
      append_element(static_cast<float>(value.as_double()), bytes);
      return true;
    case TensorType::kFp64:
      if (!value.is_number()) return false;
      append_element(value.as_double(), bytes);
      return true;
    case TensorType::kBytes:
      if (!value.is_string()) return false;
      append_text_element(value.as_string(), bytes);
      return true;
    case TensorType::kFp16:
    case TensorType::kBf16: break;
  }
  return false;
}

std::optional<ApiError> append_items(const Json& data, std::size_t dim, NamedTensor& tensor,
                                     std::size_t& count) {
  for (const Json& item : data.items()) {
    if (item.is_array()) {
      const bool fits = dim + 1 < tensor.shape.size() &&
                        item.items().size() == static_cast<std::size_t>(tensor.shape[dim + 1]);
      if (!fits) {
        return refuse(tensor.name, fmt::format("the nested 'data' of tensor '{}' is not of its "
                                               "shape {}", tensor.name,
                                               shape_text(tensor.shape)));
      }
      if (auto fault = append_items(item, dim + 1, tensor, count)) return fault;
      continue;
    }
    if (dim != 0 && dim + 1 != tensor.shape.size()) {
      return refuse(tensor.name, fmt::format("the nested 'data' of tensor '{}' is not of its shape "
                                             "{}", tensor.name, shape_text(tensor.shape)));
    }
    if (!append_value(tensor.type, item, tensor.bytes)) {
      return refuse(tensor.name, fmt::format(
          "unable to parse 'data' of tensor '{}': {} is no element of {}", tensor.name, shown(item),
          tensor_type_info(tensor.type).name));
    }
    ++count;
  }
  return std::nullopt;
}

Parsed<std::vector<std::int64_t>> read_shape(const Json& input, const std::string& name) {
  const Json* shape = input.find("shape");
  if (shape == nullptr || !shape->is_array()) {
    return refuse(name, fmt::format("unable to parse 'shape' of input '{}': expected a list of "
                                    "integers", name));
  }
  std::vector<std::int64_t> dims;
  for (const Json& dim : shape->items()) {
    if (!dim.is_int()) {
      return refuse(name, fmt::format("unable to parse 'shape' of input '{}': expected integers, "
                                      "got {}", name, shown(dim)));
    }
    if (dims.size() == kTensorDimsMax) {
      return refuse(name, fmt::format("unable to parse 'shape' of input '{}': expected at most {} "
                                      "integers, got {}", name, kTensorDimsMax,
                                      shape->items().size()));
    }
    dims.push_back(dim.as_int());
  }
  return dims;
}

std::optional<ApiError> refuse_members(const Json& value, std::string_view what,
                                       std::initializer_list<std::string_view> known) {
  for (const auto& [name, member] : value.members()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return refuse(name, fmt::format("{} has a member {} that is not known", what,
                                    shown(Json(name))));
  }
  return std::nullopt;
}

// A name of at most kTensorNameMax bytes; or why there is none.
Parsed<std::string> read_name(const Json& value, std::string_view what) {
  const Json* name = value.find("name");
  if (name == nullptr || !name->is_string() || name->as_string().empty() ||
      name->as_string().size() > kTensorNameMax) {
    return refuse("name", fmt::format("unable to parse 'name' of {}: expected a string of 1 to {} "
                                      "bytes", what, kTensorNameMax));
  }
  return name->as_string();
}

// What an input's parameters say: how many bytes behind the JSON are its own.
Parsed<std::optional<std::size_t>> read_binary_size(const Json& input, const std::string& name) {
  const Json* parameters = input.find("parameters");
  if (parameters == nullptr || parameters->is_null()) return std::optional<std::size_t>();
  if (!parameters->is_object()) {
    return refuse(name, fmt::format("unable to parse 'parameters' of input '{}'", name));
  }
  std::optional<std::size_t> size;
  for (const auto& [key, value] : parameters->members()) {
    if (key.starts_with("shared_memory_")) {
      return not_here(key, fmt::format(
          "parameter '{}' of input '{}': this server has no shared memory with its clients", key,
          name));
    }
    if (key != "binary_data_size") {
      return refuse(key, fmt::format("parameter {} of input '{}' is not known", shown(Json(key)),
                                     name));
    }
    if (!value.is_int() || value.as_int() < 0) {
      return refuse(name, fmt::format("unable to parse 'binary_data_size' of input '{}': expected "
                                      "a number of bytes", name));
    }
    size = static_cast<std::size_t>(value.as_int());
  }
  return size;
}

Parsed<NamedTensor> read_input(const Json& input, std::string_view& binary) {
  if (!input.is_object()) return refuse("inputs", "unable to parse 'inputs': expected objects");
  auto name = read_name(input, "an input");
  if (!name.is_ok()) return name.error();
  NamedTensor tensor{.name = std::move(*name)};
  const std::string what = fmt::format("input '{}'", tensor.name);
  if (auto fault = refuse_members(input, what, {"name", "shape", "datatype", "data",
                                                "parameters"})) {
    return *fault;
  }
  const Json* type = input.find("datatype");
  const TensorTypeInfo* info =
      type != nullptr && type->is_string() ? find_tensor_type(type->as_string()) : nullptr;
  if (info == nullptr) {
    return refuse(tensor.name, fmt::format("unable to parse 'datatype' of input '{}': {} is none",
                                           tensor.name,
                                           type != nullptr ? shown(*type) : "nothing"));
  }
  tensor.type = info->type;
  auto shape = read_shape(input, tensor.name);
  if (!shape.is_ok()) return shape.error();
  tensor.shape = std::move(*shape);
  auto size = read_binary_size(input, tensor.name);
  if (!size.is_ok()) return size.error();
  const Json* data = input.find("data");
  if ((data != nullptr) == size->has_value()) {
    return refuse(tensor.name, fmt::format("input '{}' must have either 'data' or the parameter "
                                           "'binary_data_size'", tensor.name));
  }
  if (data != nullptr) {
    if (auto fault = read_tensor_data(*data, tensor)) return *fault;
    return tensor;
  }
  if (**size > binary.size()) {
    return refuse(tensor.name, fmt::format(
        "unexpected size for input '{}', expecting {} additional bytes, got {}", tensor.name,
        **size, binary.size()));
  }
  tensor.bytes = binary.substr(0, **size);
  binary.remove_prefix(**size);
  return tensor;
}

Parsed<RequestedOutput> read_output(const Json& output, bool is_binary_default) {
  if (!output.is_object()) return refuse("outputs", "unable to parse 'outputs': expected objects");
  auto name = read_name(output, "an output");
  if (!name.is_ok()) return name.error();
  RequestedOutput asked{.name = std::move(*name), .is_binary = is_binary_default};
  const std::string what = fmt::format("output '{}'", asked.name);
  if (auto fault = refuse_members(output, what, {"name", "parameters"})) return *fault;
  const Json* parameters = output.find("parameters");
  if (parameters == nullptr || parameters->is_null()) return asked;
  if (!parameters->is_object()) {
    return refuse(asked.name, fmt::format("unable to parse 'parameters' of {}", what));
  }
  for (const auto& [key, value] : parameters->members()) {
    if (key == "binary_data" && value.is_bool()) {
      asked.is_binary = value.as_bool();
    } else if (key == "classification" && value.is_int() && value.as_int() == 0) {
      continue;
    } else if (key == "classification" || key.starts_with("shared_memory_")) {
      return not_here(key, fmt::format("parameter '{}' of {} is not supported", key, what));
    } else {
      return refuse(key, fmt::format("parameter {} of {} is not known or not of its type",
                                     shown(Json(key)), what));
    }
  }
  return asked;
}

std::optional<ApiError> read_parameters(const Json& parameters, HttpInfer& made) {
  if (!parameters.is_object()) {
    return refuse("parameters", "unable to parse 'parameters': expected an object");
  }
  for (const auto& [name, value] : parameters.members()) {
    const auto parameter = parameter_of(value);
    if (!parameter) {
      return refuse(name, fmt::format("parameter {} has invalid type. It should be either 'int', "
                                      "'bool', 'string' or 'double'", shown(Json(name))));
    }
    if (name != "binary_data_output") {
      made.request.parameters.set(name, *parameter);
    } else if (value.is_bool()) {
      made.is_binary_default = value.as_bool();
    } else {
      return refuse(name, "parameter 'binary_data_output' must be a bool");
    }
  }
  return std::nullopt;
}

// Where the JSON ends, as the header says; the whole body without one.
Parsed<std::size_t> json_size(const http::Request& request) {
  const std::string* header = request.find(kInferHeaderLength);
  if (header == nullptr) return request.body.size();
  std::size_t size = 0;
  bool is_good = !header->empty() && header->size() <= 12 &&
                 request.count(kInferHeaderLength) == 1;
  for (const char c : *header) {
    is_good = is_good && c >= '0' && c <= '9';
    if (is_good) size = size * 10 + static_cast<std::size_t>(c - '0');
  }
  if (is_good && size <= request.body.size()) return size;
  return refuse("Inference-Header-Content-Length",
                fmt::format("the header Inference-Header-Content-Length must be a number of at "
                            "most the {} bytes of the body", request.body.size()));
}

HttpInfer raw_text(const std::string& body) {
  HttpInfer made{.is_binary_default = true};
  NamedTensor text{.name = "text_input", .shape = {1}};
  append_text_element(body, text.bytes);
  made.request.inputs.push_back(std::move(text));
  return made;
}

Parsed<const Json*> list_of(Fields& fields, const char* name) {
  const Json* list = fields.any(name);
  if (list == nullptr || (list->is_array() && list->items().size() <= kTensorsMax)) return list;
  return refuse(name, fmt::format("unable to parse '{}': expected a list of at most {} objects",
                                  name, kTensorsMax));
}

}  // namespace

std::optional<InferParameter> parameter_of(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kBool: return value.as_bool();
    case Json::Kind::kInt: return value.as_int();
    case Json::Kind::kUint: return value.as_uint();
    case Json::Kind::kDouble: return value.as_double();
    case Json::Kind::kString: return value.as_string();
    default: return std::nullopt;
  }
}

std::optional<ApiError> read_tensor_data(const Json& data, NamedTensor& tensor) {
  auto elements = count_elements(tensor.name, tensor.shape);
  if (!elements.is_ok()) return elements.error();
  if (tensor.type == TensorType::kFp16 || tensor.type == TensorType::kBf16) {
    return refuse(tensor.name, fmt::format(
        "sending {} data of tensor '{}' via JSON is not supported. Please use the binary data "
        "format", tensor_type_info(tensor.type).name, tensor.name));
  }
  if (!data.is_array()) {
    return refuse(tensor.name, fmt::format("unable to parse 'data' of tensor '{}': expected a "
                                           "list, got {}", tensor.name, shown(data)));
  }
  const bool is_nested = !data.items().empty() && data.items().front().is_array();
  const bool fits = !is_nested || tensor.shape.empty() ||
                    data.items().size() == static_cast<std::size_t>(tensor.shape.front());
  if (!fits) {
    return refuse(tensor.name, fmt::format("the nested 'data' of tensor '{}' is not of its shape "
                                           "{}", tensor.name, shape_text(tensor.shape)));
  }
  std::size_t count = 0;
  if (auto fault = append_items(data, 0, tensor, count)) return fault;
  if (count == *elements) return std::nullopt;
  return refuse(tensor.name, fmt::format("unexpected number of elements for tensor '{}': shape {} "
                                         "has {}, 'data' has {}", tensor.name,
                                         shape_text(tensor.shape), *elements, count));
}

Parsed<HttpInfer> read_infer_body(const http::Request& request, bool warns_of_unknown) {
  auto size = json_size(request);
  if (!size.is_ok()) return size.error();
  if (*size == 0 && request.find(kInferHeaderLength) != nullptr) return raw_text(request.body);
  Parsed<Json> body = read_json_body(std::string_view(request.body).substr(0, *size));
  if (!body.is_ok()) return body.error();
  std::string_view binary = std::string_view(request.body).substr(*size);
  HttpInfer made;
  Fields fields(*body);
  if (const std::string* id = fields.text("id", kIdSizeMax)) made.request.id = *id;
  // KServe's client says again which model the path has named.
  if (const std::string* name = fields.text("model_name", kTensorNameMax)) {
    made.request.model = *name;
  }
  if (const std::string* version = fields.text("model_version", kTensorNameMax)) {
    made.request.version = *version;
  }
  const Json* parameters = fields.any("parameters");
  auto inputs = list_of(fields, "inputs");
  auto outputs = list_of(fields, "outputs");
  std::vector<std::string> ignored;
  refuse_unknown(fields, warns_of_unknown, ignored);
  if (fields.error()) return *fields.error();
  if (!inputs.is_ok()) return inputs.error();
  if (!outputs.is_ok()) return outputs.error();
  if (parameters != nullptr) {
    if (auto fault = read_parameters(*parameters, made)) return *fault;
  }
  if (*inputs == nullptr) return refuse("inputs", "Unable to parse 'inputs': attempt to access "
                                                  "non-existing object member 'inputs'");
  for (const Json& input : (*inputs)->items()) {
    auto tensor = read_input(input, binary);
    if (!tensor.is_ok()) return tensor.error();
    made.request.inputs.push_back(std::move(*tensor));
  }
  if (!binary.empty()) {
    return refuse("inputs", fmt::format("unexpected additional input data for model: {} bytes "
                                        "behind the last input", binary.size()));
  }
  if (*outputs == nullptr) return made;
  for (const Json& output : (*outputs)->items()) {
    auto asked = read_output(output, made.is_binary_default);
    if (!asked.is_ok()) return asked.error();
    made.request.outputs.push_back(std::move(*asked));
  }
  return made;
}

}  // namespace quire
