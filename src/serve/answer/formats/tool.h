// Tool: a function that a client declares and a model may call, and how far the model is free to.
// Protocols say both in many ways; behind the dialects there is this one.
// Plain values; any thread. Made by dialects; used by the grammar of calls and by PartStream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quire {

struct Tool {
  std::string name, description;
  std::string parameters;  // JSON text of a schema; empty: an object of anything
  bool is_strict = false;  // what of the schema cannot be enforced is refused, not passed over
};

enum class ToolChoiceKind : std::uint8_t {
  kAuto,      // text or calls, as the model likes
  kNone,      // no call
  kRequired,  // at least one call
};

struct ToolChoice {
  ToolChoiceKind kind = ToolChoiceKind::kAuto;
  std::vector<std::string> names;  // of those alone; empty: of any
  bool is_parallel = true;         // more calls than one are allowed
};

}  // namespace quire
