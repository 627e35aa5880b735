// GgufWriter: builds the bytes of a GGUF file from metadata and tensors, for tests that need a
// model of their own. It writes what it is told, right or wrong; only offsets and padding are
// worked out. Header only, test code only, one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "formats/containers/gguf_parse.h"

namespace quire::testing {

class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3, std::uint64_t alignment = 32)
      : version_(version), alignment_(alignment) {}

  // A scalar of the C++ type's GGUF type, a string or an array of either.
  template <typename T>
  GgufWriter& set(std::string_view key, const T& value) {
    put_string(entries_, key);
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      put(entries_, GgufType::kString);
      put_string(entries_, value);
    } else {
      put(entries_, type_of<T>());
      put(entries_, value);
    }
    ++entry_count_;
    return *this;
  }
  template <typename T>
  GgufWriter& set(std::string_view key, const std::vector<T>& values) {
    put_string(entries_, key);
    put(entries_, GgufType::kArray);
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      put(entries_, GgufType::kString);
      put(entries_, std::uint64_t{values.size()});
      for (const T& value : values) put_string(entries_, value);
    } else {
      put(entries_, type_of<T>());
      put(entries_, std::uint64_t{values.size()});
      for (const T& value : values) put(entries_, value);
    }
    ++entry_count_;
    return *this;
  }

  // `shape` is outermost first, as in TensorView; `data` are the tensor's bytes.
  GgufWriter& add_tensor(std::string_view name, DType dtype, const std::vector<std::size_t>& shape,
                         std::string_view data) {
    put_string(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size)
      put(tensors_, std::uint64_t{*size});
    put(tensors_, static_cast<std::uint32_t>(dtype_info(dtype).gguf_type));
    put(tensors_, std::uint64_t{data_.size()});
    data_ += data;
    pad(data_);
    ++tensor_count_;
    return *this;
  }
  GgufWriter& add_tensor(std::string_view name, const std::vector<std::size_t>& shape,
                         const std::vector<float>& values) {
    return add_tensor(
        name, DType::kF32, shape,
        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  std::string bytes() const {
    std::string out(kGgufMagic);
    put(out, version_);
    put(out, tensor_count_);
    put(out, entry_count_);
    out += entries_ + tensors_;
    pad(out);
    return out + data_;
  }

 private:
  template <typename T>
  static constexpr GgufType type_of() {
    if constexpr (std::is_same_v<T, bool>) return GgufType::kBool;
    if constexpr (std::is_same_v<T, float>) return GgufType::kF32;
    if constexpr (std::is_same_v<T, double>) return GgufType::kF64;
    if constexpr (std::is_same_v<T, std::uint8_t>) return GgufType::kU8;
    if constexpr (std::is_same_v<T, std::int8_t>) return GgufType::kI8;
    if constexpr (std::is_same_v<T, std::uint16_t>) return GgufType::kU16;
    if constexpr (std::is_same_v<T, std::int16_t>) return GgufType::kI16;
    if constexpr (std::is_same_v<T, std::uint32_t>) return GgufType::kU32;
    if constexpr (std::is_same_v<T, std::int32_t>) return GgufType::kI32;
    if constexpr (std::is_same_v<T, std::uint64_t>) return GgufType::kU64;
    if constexpr (std::is_same_v<T, std::int64_t>) return GgufType::kI64;
  }

  template <typename T>
  static void put(std::string& out, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void put_string(std::string& out, std::string_view text) {
    put(out, std::uint64_t{text.size()});
    out += text;
  }
  void pad(std::string& out) const {
    out.resize((out.size() + alignment_ - 1) / alignment_ * alignment_);
  }

  std::uint32_t version_;
  std::uint64_t alignment_;
  std::uint64_t entry_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::string entries_;
  std::string tensors_;
  std::string data_;
};

}  // namespace quire::testing
