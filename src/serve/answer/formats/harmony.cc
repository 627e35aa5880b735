// Harmony, gpt-oss: an answer is a list of messages on channels. Thoughts are on analysis, calls go
// from commentary to a recipient, and what is for the reader is on final. A call ends the answer.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"gpt_oss", "harmony"};
constexpr std::string_view kThoughtNames[] = {"openai_gptoss", "gpt_oss", "openai"};
constexpr std::string_view kMarks[] = {"<|channel|>"};
constexpr std::string_view kFollow = "<|channel|>commentary <|constrain|>json";
constexpr CallSyntax kSyntaxes[] = {
    {.call_opens = "<|channel|>commentary to=functions.",
     .call_closes = "<|call|>",
     .name = NamePlace::kBefore,
     .name_follow = " <|constrain|>json",
     .name_closes = "<|message|>",
     .is_single = true},
    {.call_opens = "<|start|>assistant to=functions.",
     .call_closes = "<|call|>",
     .name = NamePlace::kBefore,
     .name_follow = kFollow,
     .name_closes = "<|message|>",
     .is_single = true},
    {.call_opens = "<|channel|>analysis to=functions.",
     .call_closes = "<|call|>",
     .name = NamePlace::kBefore,
     .name_follow = " <|constrain|>json",
     .name_closes = "<|message|>",
     .is_single = true},
};
constexpr std::string_view kHidden[] = {"<|start|>assistant", "<|channel|>final<|message|>",
                                        "<|channel|>commentary<|message|>", "<|end|>",
                                        "<|return|>"};
constexpr std::string_view kBegins[] = {"<|channel|>analysis<|message|>"};
constexpr ThoughtSwitch kSwitches[] = {
    {.variable = "reasoning_effort", .kind = SwitchKind::kEffort}};

}  // namespace

constexpr CallFormat kHarmony = {.name = "openai",
                                 .other_names = kNames,
                                 .marks = kMarks,
                                 .syntaxes = kSyntaxes,
                                 .hidden = kHidden,
                                 .bridge = "<|start|>assistant",
                                 .prompt_tail = "<|start|>assistant"};

constexpr ThoughtFormat kHarmonyThoughts = {
    .name = "harmony",
    .other_names = kThoughtNames,
    .marks = kMarks,
    .begins = kBegins,
    .ends = "<|end|>",
    .closing_phrase = "<|end|><|start|>assistant<|channel|>final<|message|>",
    .switches = kSwitches,
};

}  // namespace quire::formats
