// Warning: what was accepted and does nothing, or less than was asked: answers tell it in
// "warnings": [{code, param, message}], which clients pass over.
// Plain values; any thread. Used by intake and dialects.
#pragma once

#include <string>

namespace quire {

struct Warning {
  std::string code;   // for programs
  std::string param;  // the field
  std::string message;
};

}  // namespace quire
