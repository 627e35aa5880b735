// Apertus: a list between tokens, of objects whose one key is the name; thoughts between tokens.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kMarks[] = {"<|tools_prefix|>"};
constexpr CallSyntax kSyntaxes[] = {{.opens = "<|tools_prefix|>\n[",
                                     .separator = ",",
                                     .closes = "]\n<|tools_suffix|>",
                                     .name = NamePlace::kKey}};

constexpr std::string_view kThoughtMarks[] = {"<|inner_prefix|>"};
constexpr std::string_view kBegins[] = {"<|inner_prefix|>"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "enable_thinking"}};

}  // namespace

constexpr CallFormat kApertus = {.name = "apertus", .marks = kMarks, .syntaxes = kSyntaxes};

constexpr ThoughtFormat kApertusThoughts = {
    .name = "apertus",
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "<|inner_suffix|>",
    .closing_phrase = "\n\nI have thought long enough and answer now.<|inner_suffix|>",
    .switches = kSwitches,
};

}  // namespace quire::formats
