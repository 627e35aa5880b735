// Tensors as the Open Inference Protocol knows them: the table of its datatypes, and a named tensor
// whose elements are raw bytes as they go over the wire: little-endian, row-major, no padding; of
// BYTES each element is its length (uint32) and then so many bytes. Whatever spelling a tensor came
// in (JSON, binary, protobuf), from here on it is this; its bytes are those that its shape asks
// for.
// Pure; any thread. Used by the dialect of HTTP and by the room of gRPC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/intake/api_error.h"

namespace quire {

enum class TensorType : std::uint8_t {
  kBool, kUint8, kUint16, kUint32, kUint64, kInt8, kInt16, kInt32, kInt64,
  kFp16, kFp32, kFp64, kBytes, kBf16,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;         // "INT32"
  std::string_view config_name;  // "TYPE_INT32"
  std::size_t size;              // bytes of an element; 0: each says its own
};

std::span<const TensorTypeInfo> tensor_types();
const TensorTypeInfo& tensor_type_info(TensorType type);
const TensorTypeInfo* find_tensor_type(std::string_view name);  // null: no such datatype

inline constexpr std::size_t kTensorDimsMax = 8;
inline constexpr std::size_t kTensorElementsMax = std::size_t{1} << 26;
inline constexpr std::size_t kTensorNameMax = 256;  // bytes
inline constexpr std::size_t kTensorsMax = 64;      // of one request, in or out

struct NamedTensor {
  std::string name;
  TensorType type = TensorType::kBytes;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

// The product of the dimensions; refused: a negative one, too many of them or too many elements.
Parsed<std::size_t> count_elements(std::string_view name, std::span<const std::int64_t> shape);

// Why the bytes are not those of the shape; nothing: they are.
std::optional<ApiError> check_tensor_bytes(const NamedTensor& tensor);

// The elements of one whose bytes were checked. Numbers of any integer type that fits; BOOL too.
std::vector<std::string_view> texts_of(const NamedTensor& tensor);   // REQUIRES: kBytes
std::vector<std::int64_t> integers_of(const NamedTensor& tensor);    // REQUIRES: an integer, kBool
std::vector<double> numbers_of(const NamedTensor& tensor);           // REQUIRES: kFp32, kFp64

// Appends an element of BYTES.
void append_text_element(std::string_view text, std::string& bytes);
// Appends the bytes of a value that an element consists of.
template <typename T>
void append_element(T value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// "[1,-1]"
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace quire
