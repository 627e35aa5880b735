// SafetensorsWriter: writes .safetensors files of any types: tensors one after the other, under a
// header that describes them. It believes what it is told.
// Header only, test code only.
#pragma once

#include <fmt/ranges.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quire::testing {

class SafetensorsWriter {
 public:
  template <typename Element>
  SafetensorsWriter& add(const std::string& name, const char* dtype,
                         const std::vector<std::size_t>& shape, std::span<const Element> values) {
    const std::size_t begin = data_.size();
    data_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    header_ += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                           header_.empty() ? "{" : ",", name, dtype, fmt::join(shape, ","), begin,
                           data_.size());
    return *this;
  }
  template <typename Element>
  SafetensorsWriter& add(const std::string& name, const char* dtype,
                         const std::vector<std::size_t>& shape,
                         const std::vector<Element>& values) {
    return add(name, dtype, shape, std::span<const Element>(values));
  }

  std::string bytes() const {
    const std::string header = header_ + "}";
    const std::uint64_t size = header.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data_;
  }

 private:
  std::string header_, data_;
};

}  // namespace quire::testing
