#include "serve/dialects/kserve/inference/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace quire {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they are");

constexpr TensorTypeInfo kTypes[] = {
    {TensorType::kBool, "BOOL", "TYPE_BOOL", 1},
    {TensorType::kUint8, "UINT8", "TYPE_UINT8", 1},
    {TensorType::kUint16, "UINT16", "TYPE_UINT16", 2},
    {TensorType::kUint32, "UINT32", "TYPE_UINT32", 4},
    {TensorType::kUint64, "UINT64", "TYPE_UINT64", 8},
    {TensorType::kInt8, "INT8", "TYPE_INT8", 1},
    {TensorType::kInt16, "INT16", "TYPE_INT16", 2},
    {TensorType::kInt32, "INT32", "TYPE_INT32", 4},
    {TensorType::kInt64, "INT64", "TYPE_INT64", 8},
    {TensorType::kFp16, "FP16", "TYPE_FP16", 2},
    {TensorType::kFp32, "FP32", "TYPE_FP32", 4},
    {TensorType::kFp64, "FP64", "TYPE_FP64", 8},
    {TensorType::kBytes, "BYTES", "TYPE_STRING", 0},
    {TensorType::kBf16, "BF16", "TYPE_BF16", 2},
};

template <typename T, typename To>
std::vector<To> elements_of(const std::string& bytes) {
  std::vector<To> values;
  values.reserve(bytes.size() / sizeof(T));
  for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    values.push_back(static_cast<To>(value));
  }
  return values;
}

// How many elements of BYTES there are; nothing: the lengths do not add up to the whole.
std::optional<std::size_t> count_texts(std::string_view bytes) {
  std::size_t count = 0;
  while (!bytes.empty()) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes.remove_prefix(sizeof size);
    if (size > bytes.size()) return std::nullopt;
    bytes.remove_prefix(size);
    ++count;
  }
  return count;
}

}  // namespace

std::span<const TensorTypeInfo> tensor_types() { return kTypes; }

const TensorTypeInfo& tensor_type_info(TensorType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

const TensorTypeInfo* find_tensor_type(std::string_view name) {
  const auto found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const TensorTypeInfo& info) { return info.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

Parsed<std::size_t> count_elements(std::string_view name, std::span<const std::int64_t> shape) {
  if (shape.size() > kTensorDimsMax) {
    return invalid_value("shape", fmt::format("the shape of '{}' has {} dimensions; at most {} are "
                                              "taken", name, shape.size(), kTensorDimsMax));
  }
  std::size_t count = 1;
  bool is_empty = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return invalid_value("shape", fmt::format("unexpected shape for '{}': {} has a negative "
                                                "dimension", name, shape_text(shape)));
    }
    is_empty |= dim == 0;
    if (dim == 0) continue;
    if (static_cast<std::uint64_t>(dim) > kTensorElementsMax / count) {
      return invalid_value("shape", fmt::format("the shape {} of '{}' has more than {} elements",
                                                shape_text(shape), name, kTensorElementsMax));
    }
    count *= static_cast<std::size_t>(dim);
  }
  return is_empty ? std::size_t{0} : count;
}

std::optional<ApiError> check_tensor_bytes(const NamedTensor& tensor) {
  auto elements = count_elements(tensor.name, tensor.shape);
  if (!elements.is_ok()) return elements.error();
  const TensorTypeInfo& info = tensor_type_info(tensor.type);
  if (tensor.type != TensorType::kBytes) {
    const std::size_t expected = *elements * info.size;
    if (tensor.bytes.size() != expected) {
      return invalid_value(tensor.name, fmt::format(
          "tensor '{}' got unexpected byte size {}, expected {} for shape {} of {}", tensor.name,
          tensor.bytes.size(), expected, shape_text(tensor.shape), info.name));
    }
    if (tensor.type != TensorType::kBool) return std::nullopt;
    const bool is_good = std::all_of(tensor.bytes.begin(), tensor.bytes.end(),
                                     [](char c) { return c == 0 || c == 1; });
    if (is_good) return std::nullopt;
    return invalid_value(tensor.name, fmt::format("tensor '{}' of BOOL has a byte that is neither "
                                                  "0 nor 1", tensor.name));
  }
  const auto count = count_texts(tensor.bytes);
  if (!count) {
    return invalid_value(tensor.name, fmt::format(
        "incomplete string data for tensor '{}': the lengths of its elements do not add up to {} "
        "bytes", tensor.name, tensor.bytes.size()));
  }
  if (*count == *elements) return std::nullopt;
  return invalid_value(tensor.name, fmt::format(
      "expected {} string elements for tensor '{}' of shape {}, got {}", *elements, tensor.name,
      shape_text(tensor.shape), *count));
}

std::vector<std::string_view> texts_of(const NamedTensor& tensor) {
  QUIRE_CHECK(tensor.type == TensorType::kBytes, "'{}' has no texts", tensor.name);
  std::vector<std::string_view> texts;
  std::string_view rest = tensor.bytes;
  while (!rest.empty()) {
    std::uint32_t size = 0;
    std::memcpy(&size, rest.data(), sizeof size);
    texts.push_back(rest.substr(sizeof size, size));
    rest.remove_prefix(sizeof size + size);
  }
  return texts;
}

std::vector<std::int64_t> integers_of(const NamedTensor& tensor) {
  const std::string& bytes = tensor.bytes;
  switch (tensor.type) {
    case TensorType::kBool:
    case TensorType::kUint8: return elements_of<std::uint8_t, std::int64_t>(bytes);
    case TensorType::kUint16: return elements_of<std::uint16_t, std::int64_t>(bytes);
    case TensorType::kUint32: return elements_of<std::uint32_t, std::int64_t>(bytes);
    case TensorType::kUint64: return elements_of<std::uint64_t, std::int64_t>(bytes);
    case TensorType::kInt8: return elements_of<std::int8_t, std::int64_t>(bytes);
    case TensorType::kInt16: return elements_of<std::int16_t, std::int64_t>(bytes);
    case TensorType::kInt32: return elements_of<std::int32_t, std::int64_t>(bytes);
    case TensorType::kInt64: return elements_of<std::int64_t, std::int64_t>(bytes);
    default: break;
  }
  QUIRE_CHECK(false, "'{}' has no integers", tensor.name);
}

std::vector<double> numbers_of(const NamedTensor& tensor) {
  const bool is_double = tensor.type == TensorType::kFp64;
  QUIRE_CHECK(is_double || tensor.type == TensorType::kFp32, "'{}' has no numbers", tensor.name);
  return is_double ? elements_of<double, double>(tensor.bytes)
                   : elements_of<float, double>(tensor.bytes);
}

void append_text_element(std::string_view text, std::string& bytes) {
  append_element(static_cast<std::uint32_t>(text.size()), bytes);
  bytes += text;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

}  // namespace quire
