// The house side of text-rs: owned buffers and statuses of the C header as C++ values.
// Included only by the .cc files of this folder, so that no one else sees quire_text.h.
// Any thread.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "quire_text.h"

namespace quire::rust {

// Owns a QuireBuffer.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { quire_text_buffer_free(raw_); }

  QuireBuffer* out() { return &raw_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(raw_.data), raw_.data == nullptr ? 0 : raw_.size};
  }

  template <typename T>
  std::vector<T> values() const {
    std::vector<T> values(raw_.size / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), raw_.data, values.size() * sizeof(T));
    return values;
  }

 private:
  QuireBuffer raw_ = {};
};

inline const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

inline Status to_status(QuireTextStatus raw) {
  Buffer message;
  *message.out() = raw.message;
  switch (raw.code) {
    case QUIRE_TEXT_OK:
      return ok_status();
    case QUIRE_TEXT_INVALID:
      return Status(StatusCode::kInvalidArgument, std::string(message.text()));
    case QUIRE_TEXT_LIMIT:
      return Status(StatusCode::kResourceExhausted, std::string(message.text()));
    default:
      return Status(StatusCode::kInternal, std::string(message.text()));
  }
}

}  // namespace quire::rust
