// Mistral: a token and a list of objects in the third and seventh version of its tokenizer; from
// the eleventh on a token before each name and one before its arguments. Ids have nine characters.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr CallSyntax kList = {.opens = "[TOOL_CALLS]\n[",
                              .separator = ",",
                              .closes = "]",
                              .id_member = "id"};
constexpr CallSyntax kNamed = {.call_opens = "[TOOL_CALLS]",
                               .name = NamePlace::kBefore,
                               .name_closes = "[ARGS]",
                               .id_opens = "[CALL_ID]"};

constexpr std::string_view kNames[] = {"mistral_v3", "mistral_v7"};
constexpr std::string_view kMarks[] = {"[TOOL_CALLS]"};
constexpr CallSyntax kSyntaxes[] = {kList, kNamed};

constexpr std::string_view kNamedNames[] = {"mistral_v13", "devstral", "magistral"};
constexpr std::string_view kNamedMarks[] = {"[ARGS]"};
constexpr CallSyntax kNamedSyntaxes[] = {kNamed, kList};

constexpr std::string_view kThoughtNames[] = {"mistral"};
constexpr std::string_view kThoughtMarks[] = {"[THINK]"};
constexpr std::string_view kBegins[] = {"[THINK]"};
constexpr ThoughtSwitch kSwitches[] = {
    {.variable = "reasoning_effort", .kind = SwitchKind::kEffort}};

}  // namespace

constexpr CallFormat kMistral = {.name = "mistral",
                                 .other_names = kNames,
                                 .marks = kMarks,
                                 .syntaxes = kSyntaxes,
                                 .ids = IdStyle::kNine};

constexpr CallFormat kMistralNamed = {.name = "mistral_v11",
                                      .other_names = kNamedNames,
                                      .marks = kNamedMarks,
                                      .syntaxes = kNamedSyntaxes,
                                      .ids = IdStyle::kNine};

constexpr ThoughtFormat kMagistral = {
    .name = "magistral",
    .other_names = kThoughtNames,
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "[/THINK]",
    .closing_phrase = "\n\nI have thought long enough and answer now.[/THINK]",
    .switches = kSwitches,
};

}  // namespace quire::formats
