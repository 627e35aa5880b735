// ArgumentTypes: which arguments of the declared tools are texts. A format that writes an argument
// as bare text says nothing of its type: "5" is a number or a text as the tool's schema has it.
// Immutable after creation; any thread. Used by call_reader and the grammar of calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "serve/answer/formats/tool.h"

namespace quire {

enum class ArgumentKind : std::uint8_t {
  kText,    // a text whatever it looks like
  kJson,    // never a text
  kEither,  // nobody knows, or both are allowed
};

class ArgumentTypes {
 public:
  ArgumentTypes() = default;
  // A tool whose parameters are no JSON object has arguments of any kind.
  explicit ArgumentTypes(const std::vector<Tool>& tools);

  bool has_tool(std::string_view tool) const;
  ArgumentKind kind(std::string_view tool, std::string_view argument) const;

 private:
  std::unordered_map<std::string, std::unordered_map<std::string, ArgumentKind>> tools_;
};

// What a value of `schema` may be; `root`: where its references point into.
ArgumentKind kind_of_schema(const Json& schema, const Json& root);

// The schema that a reference within `root` ("#/$defs/a") points to; null: there is none.
const Json* find_reference(const Json& root, std::string_view reference);

// A value that stood in a text as `written`: JSON text. What is no JSON of an allowed kind is a
// text; Python's True, False and None count as JSON.
std::string json_of_written(std::string_view written, ArgumentKind kind);

}  // namespace quire
