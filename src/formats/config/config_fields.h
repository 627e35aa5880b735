// ConfigFields: reads named fields of a model's configuration with a range for each. The first
// error stays and every later read returns a harmless value, so that a reader is a list of fields
// with one check at its end. Where the fields come from (GGUF keys, config.json) is a function. One
// thread; lives while a configuration is read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace quire {

class Json;

struct OtherKind {
  std::string name;  // "an array of string", "an object"
};

struct ConfigField {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, OtherKind> value;
  std::string where;  // "at offset 123", "in config.json"

  bool is_absent() const { return value.index() == 0; }
};

class ConfigFields {
 public:
  using Lookup = std::function<ConfigField(std::string_view name)>;

  explicit ConfigFields(Lookup lookup) : lookup_(std::move(lookup)) {}

  // Without a fallback the field must be there.
  int integer(std::string_view name, int min, int max, std::optional<int> fallback = std::nullopt);
  // Finite and in [min, max].
  double number(std::string_view name, double min, double max,
                std::optional<double> fallback = std::nullopt);
  bool boolean(std::string_view name, bool fallback);
  std::string string(std::string_view name, std::optional<std::string> fallback = std::nullopt);

  bool has(std::string_view name) const { return !lookup_(name).is_absent(); }

  // A feature that we do not have: the field must be absent, null, false, 0 or "".
  void refuse(std::string_view name);
  // The same for a number that changes nothing at one value only.
  void refuse_unless(std::string_view name, double neutral);

  void fail(Status status) {
    if (status_.is_ok()) status_ = std::move(status);
  }
  const Status& status() const { return status_; }

 private:
  ConfigField find(std::string_view name, bool is_needed);
  void wrong_kind(std::string_view name, const ConfigField& field, std::string_view wanted);

  Lookup lookup_;
  Status status_;
};

// The members of a JSON object, which must outlive the fields.
ConfigFields json_fields(const Json& object, std::string where);

}  // namespace quire
