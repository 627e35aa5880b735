// Seed-OSS: Qwen3-Coder's tags under names of its own, and thoughts that count their budget.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"seed"};
constexpr std::string_view kMarks[] = {"<seed:tool_call>"};
constexpr CallSyntax kSyntaxes[] = {{
    .call_opens = "<seed:tool_call>\n<function=",
    .call_closes = "</function>\n</seed:tool_call>",
    .name = NamePlace::kBefore,
    .name_closes = ">",
    .arguments = ArgumentSyntax::kTags,
    .tags = {.key_opens = "<parameter=",
             .key_closes = ">",
             .value_closes = "</parameter>",
             .wraps_lines = true},
}};

constexpr std::string_view kThoughtMarks[] = {"<seed:think>"};
constexpr std::string_view kBegins[] = {"<seed:think>"};
constexpr ThoughtSwitch kSwitches[] = {
    {.variable = "thinking_budget", .kind = SwitchKind::kBudget}};

}  // namespace

constexpr CallFormat kSeed = {
    .name = "seed_oss", .other_names = kNames, .marks = kMarks, .syntaxes = kSyntaxes};

constexpr ThoughtFormat kSeedThoughts = {
    .name = "seed_oss",
    .other_names = kNames,
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "</seed:think>",
    .closing_phrase = "<seed:cot_budget_reflect>I have exhausted my token budget, and now I will "
                      "start answering the question.</seed:cot_budget_reflect>\n</seed:think>",
    .switches = kSwitches,
};

}  // namespace quire::formats
