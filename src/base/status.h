// Status and Result<T>: operating errors as values. Whatever a client, a file, a socket or the
// machine can cause is one of these; exceptions do not cross a folder. The message is a sentence
// for a person and names the field (and, for files, the offset) that is wrong.
// Plain values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace quire {

enum class StatusCode {
  kOk,
  kInvalidArgument,    // the caller's value is wrong; trying again will not help
  kUnsupported,        // well-formed, but not something we do
  kNotFound,           // a file, model or name that does not exist
  kCorrupt,            // a file or message whose bytes contradict themselves
  kResourceExhausted,  // a stated bound is reached; may work later
  kUnavailable,        // not now: draining, or a peer is away
  kInternal,           // our own fault, contained
};

std::string_view status_code_name(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    QUIRE_CHECK(code != StatusCode::kOk, "an error needs a code: {}", message_);
  }

  bool is_ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status ok_status() { return Status(); }

// error(StatusCode::kCorrupt, "tensor '{}' at offset {} ...", name, offset)
template <typename... Args>
Status error(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}

// A value or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Status status) : state_(std::move(status)) {
    QUIRE_CHECK(!std::get<Status>(state_).is_ok(), "a Result without a value needs an error");
  }

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  const Status& status() const {
    static const Status ok;
    return is_ok() ? ok : std::get<Status>(state_);
  }

  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(checked()); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  T& checked() {
    QUIRE_CHECK(is_ok(), "value() of an error: {}", std::get<Status>(state_).message());
    return std::get<T>(state_);
  }

  std::variant<T, Status> state_;
};

}  // namespace quire

#define QUIRE_RETURN_IF_ERROR(expression)                          \
  do {                                                             \
    if (::quire::Status status_ = (expression); !status_.is_ok())  \
      return status_;                                              \
  } while (false)

#define QUIRE_CONCAT_INNER(a, b) a##b
#define QUIRE_CONCAT(a, b) QUIRE_CONCAT_INNER(a, b)
// QUIRE_ASSIGN_OR_RETURN(auto file, open_file(path));
#define QUIRE_ASSIGN_OR_RETURN(target, expression) \
  QUIRE_ASSIGN_OR_RETURN_INNER(QUIRE_CONCAT(result_, __LINE__), target, expression)
#define QUIRE_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.is_ok()) return result.status();                   \
  target = std::move(result).value()
