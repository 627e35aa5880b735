// Kimi K2: a section of calls between tokens; an id that has the name in it stands for the name. A
// section of calls ends a thought.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kMarks[] = {"<|tool_calls_section_begin|>"};
constexpr CallSyntax kSyntaxes[] = {{
    .opens = "<|tool_calls_section_begin|>",
    .call_opens = "<|tool_call_begin|>",
    .call_closes = "<|tool_call_end|>",
    .closes = "<|tool_calls_section_end|>",
    .name = NamePlace::kBefore,
    .name_prefix = "functions.",
    .name_closes = "<|tool_call_argument_begin|>",
    .index_opens = ":",
}};
constexpr std::string_view kBegins[] = {"<think>"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "thinking"}, {.variable = "enable_thinking"}};

}  // namespace

constexpr CallFormat kKimi = {
    .name = "kimi_k2", .marks = kMarks, .syntaxes = kSyntaxes, .ids = IdStyle::kFunctions};

constexpr ThoughtFormat kKimiThoughts = {
    .name = "kimi_k2",
    .marks = kMarks,
    .begins = kBegins,
    .ends = "</think>",
    .closing_phrase = "\n\nI have thought long enough and answer now.\n</think>",
    .switches = kSwitches,
    .is_kept = true,
    .ends_at_calls = true,
};

}  // namespace quire::formats
