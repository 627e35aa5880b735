// Granite 3: a token or a tag before a list; the one trained on function calls alone repeats its
// tag before each object. Thoughts of 3.2 are announced in words, those of 3.3 are in <think>
// (think.cc). Granite 4 writes what Hermes does.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"granite3"};
constexpr std::string_view kMarks[] = {"<|tool_call|>"};
constexpr CallSyntax kSyntaxes[] = {
    {.opens = "<|tool_call|>\n[", .separator = ",", .closes = "]"},
    {.opens = "<tool_call>\n[", .separator = ",", .closes = "]"},
};

constexpr std::string_view kFunctionMarks[] = {"<function_call>"};
constexpr CallSyntax kFunctionSyntaxes[] = {{.call_opens = "<function_call>"}};

constexpr std::string_view kThoughtMarks[] = {"Here is my thought process:"};
constexpr std::string_view kBegins[] = {"Here is my thought process:",
                                        "Here's my thought process:"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "thinking"}};

}  // namespace

constexpr CallFormat kGranite = {
    .name = "granite", .other_names = kNames, .marks = kMarks, .syntaxes = kSyntaxes};

constexpr CallFormat kGraniteFunctions = {
    .name = "granite-20b-fc", .marks = kFunctionMarks, .syntaxes = kFunctionSyntaxes};

constexpr ThoughtFormat kGraniteThoughts = {
    .name = "granite",
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "Here is my response:",
    .closing_phrase = "\n\nHere is my response:",
    .switches = kSwitches,
};

}  // namespace quire::formats
