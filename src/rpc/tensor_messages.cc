#include "rpc/tensor_messages.h"

#include <fmt/format.h>

#include <utility>

namespace quire::rpc {
namespace {

using Input = inference::ModelInferRequest::InferInputTensor;
using Contents = inference::InferTensorContents;

template <typename T, typename List>
std::optional<ApiError> take_all(const std::string& name, const List& values, std::string& bytes) {
  for (const auto value : values) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!std::in_range<T>(value)) {
        return invalid_value(name, fmt::format("the contents of input '{}' have {}, which is "
                                               "beyond its datatype", name, value));
      }
    }
    append_element(static_cast<T>(value), bytes);
  }
  return std::nullopt;
}

// How many elements stand in fields that are not `own`.
int count_others(const Contents& contents, int own) {
  const int sizes[] = {contents.bool_contents_size(), contents.int_contents_size(),
                       contents.int64_contents_size(), contents.uint_contents_size(),
                       contents.uint64_contents_size(), contents.fp32_contents_size(),
                       contents.fp64_contents_size(), contents.bytes_contents_size()};
  int others = 0;
  for (int i = 0; i < 8; ++i) others += i == own ? 0 : sizes[i];
  return others;
}

// The field of the contents that a datatype's elements stand in; -1: none.
int field_of(TensorType type) {
  switch (type) {
    case TensorType::kBool: return 0;
    case TensorType::kInt8:
    case TensorType::kInt16:
    case TensorType::kInt32: return 1;
    case TensorType::kInt64: return 2;
    case TensorType::kUint8:
    case TensorType::kUint16:
    case TensorType::kUint32: return 3;
    case TensorType::kUint64: return 4;
    case TensorType::kFp32: return 5;
    case TensorType::kFp64: return 6;
    case TensorType::kBytes: return 7;
    case TensorType::kFp16:
    case TensorType::kBf16: break;
  }
  return -1;
}

std::optional<ApiError> read_contents(const Contents& contents, NamedTensor& tensor) {
  const std::string& name = tensor.name;
  std::string& bytes = tensor.bytes;
  const int field = field_of(tensor.type);
  const std::string_view type = tensor_type_info(tensor.type).name;
  if (field < 0) {
    return invalid_value(name, fmt::format("input '{}' of {} must be sent in raw_input_contents",
                                           name, type));
  }
  if (count_others(contents, field) > 0) {
    return invalid_value(name, fmt::format("input '{}' has contents of another datatype than {}",
                                           name, type));
  }
  switch (tensor.type) {
    case TensorType::kBool: return take_all<bool>(name, contents.bool_contents(), bytes);
    case TensorType::kInt8: return take_all<std::int8_t>(name, contents.int_contents(), bytes);
    case TensorType::kInt16: return take_all<std::int16_t>(name, contents.int_contents(), bytes);
    case TensorType::kInt32: return take_all<std::int32_t>(name, contents.int_contents(), bytes);
    case TensorType::kInt64: return take_all<std::int64_t>(name, contents.int64_contents(), bytes);
    case TensorType::kUint8: return take_all<std::uint8_t>(name, contents.uint_contents(), bytes);
    case TensorType::kUint16: return take_all<std::uint16_t>(name, contents.uint_contents(), bytes);
    case TensorType::kUint32: return take_all<std::uint32_t>(name, contents.uint_contents(), bytes);
    case TensorType::kUint64:
      return take_all<std::uint64_t>(name, contents.uint64_contents(), bytes);
    case TensorType::kFp32: return take_all<float>(name, contents.fp32_contents(), bytes);
    case TensorType::kFp64: return take_all<double>(name, contents.fp64_contents(), bytes);
    default: break;
  }
  for (const std::string& text : contents.bytes_contents()) append_text_element(text, bytes);
  return std::nullopt;
}

std::optional<ApiError> refuse_parameters(
    const google::protobuf::Map<std::string, inference::InferParameter>& parameters,
    std::string_view what) {
  for (const auto& [name, value] : parameters) {
    const bool is_neutral = name == "classification" && value.int64_param() == 0;
    const bool is_of_http = name == "binary_data" || name == "binary_data_size";
    if (is_neutral || is_of_http) continue;
    ApiError refusal = unsupported_parameter(
        name, fmt::format("parameter '{}' of {} is not supported", name.substr(0, kTensorNameMax),
                          what));
    const bool is_extension = name == "classification" || name.starts_with("shared_memory_");
    if (is_extension) refusal.status = 501;
    return refusal;
  }
  return std::nullopt;
}

Parsed<NamedTensor> read_input(const Input& input, std::string* raw) {
  NamedTensor tensor{.name = input.name()};
  const std::string what = fmt::format("input '{}'", tensor.name.substr(0, kTensorNameMax));
  const TensorTypeInfo* info = find_tensor_type(input.datatype());
  if (info == nullptr) {
    return invalid_value(tensor.name, fmt::format("{} has the datatype '{}', which is none", what,
                                                  input.datatype().substr(0, 64)));
  }
  tensor.type = info->type;
  tensor.shape.assign(input.shape().begin(), input.shape().end());
  if (auto fault = refuse_parameters(input.parameters(), what)) return *fault;
  if (auto elements = count_elements(tensor.name, tensor.shape); !elements.is_ok()) {
    return elements.error();
  }
  if (raw != nullptr) {
    if (input.has_contents() && count_others(input.contents(), -1) > 0) {
      return invalid_value(tensor.name, fmt::format(
          "contents field must not be specified when using raw_input_contents for {}", what));
    }
    tensor.bytes = std::move(*raw);
    return tensor;
  }
  if (auto fault = read_contents(input.contents(), tensor)) return *fault;
  return tensor;
}

}  // namespace

std::optional<InferParameter> read_parameter(const inference::InferParameter& message) {
  switch (message.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam: return message.bool_param();
    case inference::InferParameter::kInt64Param:
      return static_cast<std::int64_t>(message.int64_param());
    case inference::InferParameter::kUint64Param:
      return static_cast<std::uint64_t>(message.uint64_param());
    case inference::InferParameter::kDoubleParam: return message.double_param();
    case inference::InferParameter::kStringParam: return message.string_param();
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET: break;
  }
  return std::nullopt;
}

Parsed<InferRequest> read_infer(inference::ModelInferRequest&& message) {
  InferRequest request{.model = message.model_name(), .version = message.model_version(),
                       .id = message.id()};
  if (message.inputs_size() > static_cast<int>(kTensorsMax) ||
      message.outputs_size() > static_cast<int>(kTensorsMax)) {
    return invalid_value("inputs", fmt::format("at most {} inputs and {} outputs are taken",
                                               kTensorsMax, kTensorsMax));
  }
  const int raws = message.raw_input_contents_size();
  if (raws != 0 && raws != message.inputs_size()) {
    return invalid_value("raw_input_contents", fmt::format(
        "raw_input_contents must be specified for all inputs or for none: {} of {}", raws,
        message.inputs_size()));
  }
  for (const auto& [name, value] : message.parameters()) {
    const auto parameter = read_parameter(value);
    if (!parameter) {
      return invalid_value(name, fmt::format("parameter '{}' has no value", name.substr(0, 64)));
    }
    if (name == "binary_data_output") continue;  // HTTP's; answers here are raw
    request.parameters.set(name, *parameter);
  }
  for (int i = 0; i < message.inputs_size(); ++i) {
    auto tensor = read_input(message.inputs(i),
                             raws > 0 ? message.mutable_raw_input_contents(i) : nullptr);
    if (!tensor.is_ok()) return tensor.error();
    request.inputs.push_back(std::move(*tensor));
  }
  for (const auto& output : message.outputs()) {
    const std::string what = fmt::format("output '{}'", output.name().substr(0, kTensorNameMax));
    if (auto fault = refuse_parameters(output.parameters(), what)) return *fault;
    request.outputs.push_back({output.name()});
  }
  return request;
}

void write_infer(const InferResponse& response, inference::ModelInferResponse& message) {
  message.set_model_name(response.model);
  message.set_model_version(response.version);
  message.set_id(response.id);
  for (const auto& [name, value] : response.parameters.all()) {
    inference::InferParameter& parameter = (*message.mutable_parameters())[name];
    if (const auto* flag = std::get_if<bool>(&value)) parameter.set_bool_param(*flag);
    if (const auto* number = std::get_if<std::int64_t>(&value)) parameter.set_int64_param(*number);
    if (const auto* count = std::get_if<std::uint64_t>(&value)) parameter.set_uint64_param(*count);
    if (const auto* real = std::get_if<double>(&value)) parameter.set_double_param(*real);
    if (const auto* text = std::get_if<std::string>(&value)) parameter.set_string_param(*text);
  }
  for (const NamedTensor& tensor : response.outputs) {
    auto& output = *message.add_outputs();
    output.set_name(tensor.name);
    output.set_datatype(std::string(tensor_type_info(tensor.type).name));
    for (const std::int64_t dim : tensor.shape) output.add_shape(dim);
    message.add_raw_output_contents(tensor.bytes);
  }
}

}  // namespace quire::rpc
