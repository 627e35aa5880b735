// For models that have learnt no way to call a tool: Hermes' tags, which are letters in any
// vocabulary, and a prompt that tells of them (tool_prompt.h).
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"json"};
constexpr CallSyntax kSyntaxes[] = {
    {.call_opens = "<tool_call>", .call_closes = "</tool_call>"},
    {.opens = "<tool_call>\n[", .separator = ",", .closes = "]\n</tool_call>"},
};

}  // namespace

constexpr CallFormat kGeneric = {
    .name = "generic", .other_names = kNames, .syntaxes = kSyntaxes, .is_generic = true};

}  // namespace quire::formats
