// Warnings: what was accepted and does nothing, or less than was asked, told in the answer as
// "warnings": [{code, param, message}]. The official clients pass over fields unknown to them.
// Plain values; any thread. Used by the Anthropic dialect.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace quire {

struct AnthropicWarning {
  std::string code;   // for programs
  std::string param;  // the field
  std::string message;
};

class AnthropicWarnings {
 public:
  // One of each code and param, and kMax in all.
  void add(std::string code, std::string param, std::string message);

  std::size_t unknown() const;  // of fields and betas that nobody here knows
  const std::vector<AnthropicWarning>& list() const { return list_; }
  void add_to(Json& body) const;  // nothing where there is none

 private:
  static constexpr std::size_t kMax = 64;

  std::vector<AnthropicWarning> list_;
};

}  // namespace quire
