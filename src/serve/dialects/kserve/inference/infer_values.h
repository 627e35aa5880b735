// What one inference asks and answers, as values that no transport has spelled: tensors, requested
// outputs and parameters by name. Both spellings (HTTP's JSON with binary tensors, gRPC's protobuf)
// are read into these and written from them.
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "serve/dialects/kserve/inference/tensor.h"

namespace quire {

using InferParameter = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

inline constexpr std::size_t kInferParametersMax = 128;

class InferParameters {
 public:
  void set(std::string name, InferParameter value) {
    values_.emplace_back(std::move(name), std::move(value));
  }
  const InferParameter* find(std::string_view name) const {
    for (const auto& [known, value] : values_) {
      if (known == name) return &value;
    }
    return nullptr;
  }
  bool is_empty() const { return values_.empty(); }
  const std::vector<std::pair<std::string, InferParameter>>& all() const { return values_; }

 private:
  std::vector<std::pair<std::string, InferParameter>> values_;
};

struct RequestedOutput {
  std::string name;
  bool is_binary = false;  // HTTP's: as bytes behind the JSON
};

struct InferRequest {
  std::string model, version;  // version empty: the newest
  std::string id;              // empty: none
  InferParameters parameters;
  std::vector<NamedTensor> inputs;
  std::vector<RequestedOutput> outputs;  // none: all that the model has for this
};

struct InferResponse {
  std::string model, version;
  std::string id;
  InferParameters parameters;
  std::vector<NamedTensor> outputs;
  std::string details;  // JSON beside them, of generate; empty: none
  std::string token;    // likewise, of a piece before the end
};

}  // namespace quire
