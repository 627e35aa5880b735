// ApiError: why a request was refused or failed, in the terms every dialect can render: an HTTP
// status, a sentence, a class, the field at fault, a code for programs. Parsed<T>: a value or an
// ApiError. Plain values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/nanos.h"
#include "base/status.h"

namespace quire {

struct ApiError {
  int status = 400;  // HTTP
  std::string message;
  std::string type = "invalid_request_error";
  std::string param;  // the field at fault; empty: none
  std::string code;   // empty: none
  int retry_after_s = 0;
  // Not empty: that model is not in memory. The same request may be read again when it is.
  std::string awaited_model;
};

ApiError invalid_value(std::string param, std::string message);
ApiError unsupported_parameter(std::string param, std::string message);

// Why a model is not there, in ModelHost's words. `retry_after_s`: when it may be.
ApiError model_unavailable(const Status& status, int retry_after_s);

// At least 1.
int whole_seconds(Nanos time);

// What the engine said when it did not take a request. `param` names the prompt's field.
ApiError from_engine(const Status& status, const std::string& param);

template <typename T>
class [[nodiscard]] Parsed {
 public:
  Parsed(T value) : state_(std::move(value)) {}
  Parsed(ApiError error) : state_(std::move(error)) {}

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  const ApiError& error() const { return std::get<ApiError>(state_); }

 private:
  std::variant<T, ApiError> state_;
};

}  // namespace quire
