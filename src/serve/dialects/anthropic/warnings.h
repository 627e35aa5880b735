// Warnings: what was accepted and does nothing, or less than was asked, told in the answer as
// "warnings": [{code, param, message}]. The official clients pass over fields unknown to them.
// Plain values; any thread. Used by the Anthropic dialect.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/intake/tools/warning.h"

namespace quire {

class AnthropicWarnings {
 public:
  // One of each code and param, and kMax in all.
  void add(std::string code, std::string param, std::string message);

  std::size_t unknown() const;  // of fields and betas that nobody here knows
  const std::vector<Warning>& list() const { return list_; }
  void add_to(Json& body) const;  // nothing where there is none

 private:
  static constexpr std::size_t kMax = 64;

  std::vector<Warning> list_;
};

}  // namespace quire
