// Warning: what was accepted and does nothing, or less than was asked: answers tell it in
// "warnings": [{code, param, message}], which clients pass over.
// Plain values; any thread. Used by intake and dialects.
#pragma once

#include <cstddef>
#include <string>

namespace quire {

inline constexpr std::size_t kNameShown = 64;  // bytes of an unknown field's name that are told

struct Warning {
  std::string code;   // for programs
  std::string param;  // the field
  std::string message;
};

// A schema's tools may be called, and nothing holds their arguments to it.
inline constexpr const char* kToolsNotEnforced = "tools_not_enforced";

}  // namespace quire
