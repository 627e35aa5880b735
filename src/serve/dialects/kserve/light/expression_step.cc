#include "serve/dialects/kserve/light/expression_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "host/repository/expression/shapes.h"
#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/light/light_face.h"

namespace quire {
namespace {

using Kind = ExpressionKind;

Result<ExpressionValue> value_of(const NamedTensor& tensor, Kind kind) {
  auto count = count_elements(tensor.name, tensor.shape);
  const std::size_t room =
      kind == Kind::kText ? tensor.bytes.size() + *count * kExpressionTextRoom : 0;
  if (*count > kExpressionElementsMax || room > kExpressionBytesMax) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' has {} elements of {} bytes; expressions take at most {}, and {} bytes of "
                 "text; of a larger one they can take last('{}', dim)", tensor.name, *count,
                 tensor.bytes.size(), kExpressionElementsMax, kExpressionBytesMax, tensor.name);
  }
  ExpressionValue value{.kind = kind, .shape = tensor.shape};
  if (kind == Kind::kText) {
    for (const std::string_view text : texts_of(tensor)) value.texts.emplace_back(text);
  } else if (kind == Kind::kNumber) {
    value.numbers = numbers_of(tensor);
  } else {
    value.integers = integers_of(tensor);
  }
  const bool may_be_large = tensor.type == TensorType::kUint64;
  for (const std::int64_t integer : value.integers) {
    if (!may_be_large || integer >= 0) continue;
    return error(StatusCode::kInvalidArgument, "'{}' has an element beyond 63 bits, which "
                                               "expressions do not know", tensor.name);
  }
  return value;
}

// The tensors of a request.
class TensorInputs : public ExpressionInputs {
 public:
  TensorInputs(const ExpressionTerms& terms, const InferRequest& request)
      : terms_(terms), request_(request) {}

  Result<ExpressionValue> whole(std::size_t input) const override {
    return value_of(tensor_of_input(input), terms_.inputs[input].second);
  }

  Result<ExpressionValue> last(std::size_t input, std::int64_t dim) const override {
    const NamedTensor& tensor = tensor_of_input(input);
    const std::size_t size = tensor_type_info(tensor.type).size;
    const auto dims = std::ssize(tensor.shape);
    const bool is_there = dim < dims && dim >= -dims;
    const auto axis = static_cast<std::size_t>(dim < 0 ? dim + dims : dim);
    if (!is_there || size == 0 || tensor.shape[axis] < 2) return last_of_whole(input, dim);
    std::size_t outer = 1, inner = size;  // inner: bytes
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (i != axis) (i < axis ? outer : inner) *= static_cast<std::size_t>(tensor.shape[i]);
    }
    NamedTensor cut{.name = tensor.name, .type = tensor.type, .shape = tensor.shape};
    const std::size_t step = inner * static_cast<std::size_t>(tensor.shape[axis]);
    cut.shape[axis] = 1;
    for (std::size_t line = 0; line < outer; ++line) {
      cut.bytes.append(tensor.bytes, (line + 1) * step - inner, inner);
    }
    return value_of(cut, terms_.inputs[input].second);
  }

 private:
  const NamedTensor& tensor_of_input(std::size_t input) const {
    return *find_input(request_, terms_.inputs[input].first);
  }
  Result<ExpressionValue> last_of_whole(std::size_t input, std::int64_t dim) const {
    std::vector<ExpressionValue> arguments(2);
    QUIRE_ASSIGN_OR_RETURN(arguments[0], whole(input));
    arguments[1].integers = {dim};
    return last_along(arguments);
  }

  const ExpressionTerms& terms_;
  const InferRequest& request_;
};

template <typename T>
bool append_integer(std::int64_t value, std::string& bytes) {
  if (!std::in_range<T>(value)) return false;
  append_element(static_cast<T>(value), bytes);
  return true;
}

bool append_of(TensorType type, std::int64_t value, std::string& bytes) {
  switch (type) {
    case TensorType::kBool:
    case TensorType::kUint8: return append_integer<std::uint8_t>(value, bytes);
    case TensorType::kUint16: return append_integer<std::uint16_t>(value, bytes);
    case TensorType::kUint32: return append_integer<std::uint32_t>(value, bytes);
    case TensorType::kUint64: return append_integer<std::uint64_t>(value, bytes);
    case TensorType::kInt8: return append_integer<std::int8_t>(value, bytes);
    case TensorType::kInt16: return append_integer<std::int16_t>(value, bytes);
    case TensorType::kInt32: return append_integer<std::int32_t>(value, bytes);
    default: return append_integer<std::int64_t>(value, bytes);
  }
}

ApiError not_declared(const ModelTensor& output, std::string_view what) {
  return invalid_value(output.name, fmt::format("output '{}': {}", output.name, what));
}

// The bytes of a value, as the declared type has them.
Parsed<NamedTensor> tensor_of(const ModelTensor& output, ExpressionValue value) {
  NamedTensor tensor{.name = output.name, .type = type_of(output), .shape = std::move(value.shape)};
  const bool is_float = tensor.type == TensorType::kFp32 || tensor.type == TensorType::kFp64;
  for (const std::string& text : value.texts) append_text_element(text, tensor.bytes);
  if (is_float) value.numbers.insert(value.numbers.end(), value.integers.begin(),
                                     value.integers.end());
  for (const double number : value.numbers) {
    if (tensor.type == TensorType::kFp64) append_element(number, tensor.bytes);
    else append_element(static_cast<float>(number), tensor.bytes);
  }
  if (is_float) return tensor;
  for (const std::int64_t integer : value.integers) {
    if (append_of(tensor.type, integer, tensor.bytes)) continue;
    return not_declared(output, fmt::format("{} is no element of {}", integer, output.data_type));
  }
  return tensor;
}

std::optional<ApiError> check_shape(const LightModel& model, std::size_t output,
                                    const std::vector<std::int64_t>& shape, std::int64_t batch) {
  const std::vector<std::int64_t>& declared = model.output_shapes[output];
  const bool fits = std::equal(declared.begin(), declared.end(), shape.begin(), shape.end(),
                               [](std::int64_t said, std::int64_t made) {
                                 return said < 0 || said == made;
                               });
  const bool has_batch = model.config.batch_max > 0;
  if (fits && (!has_batch || shape.front() == batch)) return std::nullopt;
  return not_declared(model.config.outputs[output], fmt::format(
      "its value has the shape {}, declared is {}{}", shape_text(shape), shape_text(declared),
      has_batch ? fmt::format(" with a batch of {}", batch) : ""));
}

}  // namespace

Parsed<std::vector<NamedTensor>> run_expressions(const LightModel& model,
                                                 const InferRequest& request) {
  const TensorInputs inputs(model.expressions, request);
  const std::vector<std::int64_t>& shape = request.inputs.front().shape;
  const std::int64_t batch = shape.empty() ? 1 : shape.front();
  std::vector<NamedTensor> made;
  for (std::size_t i = 0; i < model.config.outputs.size(); ++i) {
    const ModelTensor& output = model.config.outputs[i];
    if (!is_wanted(request, output.name, true)) continue;
    Result<ExpressionValue> value = model.expressions.outputs[i].evaluate(inputs);
    if (!value.is_ok()) return not_declared(output, value.status().message());
    if (auto fault = check_shape(model, i, value->shape, batch)) return *fault;
    auto tensor = tensor_of(output, std::move(*value));
    if (!tensor.is_ok()) return tensor.error();
    made.push_back(std::move(*tensor));
  }
  return made;
}

}  // namespace quire
