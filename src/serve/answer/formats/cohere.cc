// Command A, R7B and what followed: a list of actions between tokens, a plan or a thought before
// it, and the answer between tokens too. Command R and R+ write "Action:" and a code block.
// Constants, for the tables of format.cc.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"cohere", "cohere_command3", "cohere_command4",
                                       "command_r7b"};
constexpr std::string_view kMarks[] = {"<|START_ACTION|>"};
constexpr CallSyntax kSyntaxes[] = {{.opens = "<|START_ACTION|>\n[",
                                     .separator = ",",
                                     .closes = "]\n<|END_ACTION|>",
                                     .name_member = "tool_name",
                                     .arguments_member = "parameters",
                                     .id_member = "tool_call_id"}};
constexpr std::string_view kHidden[] = {"<|START_RESPONSE|>", "<|END_RESPONSE|>",
                                        "<|START_TEXT|>", "<|END_TEXT|>"};

constexpr std::string_view kPlusNames[] = {"command_r_plus"};
constexpr std::string_view kPlusMarks[] = {"Action:\\n```json", "Action:"};
constexpr CallSyntax kPlusSyntaxes[] = {{.opens = "Action:\n```json\n[",
                                         .separator = ",",
                                         .closes = "]\n```",
                                         .name_member = "tool_name",
                                         .arguments_member = "parameters"}};

constexpr std::string_view kThoughtMarks[] = {"<|START_THINKING|>"};
constexpr std::string_view kBegins[] = {"<|START_THINKING|>"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "reasoning"}, {.variable = "enable_thinking"}};

}  // namespace

constexpr CallFormat kCommandA = {.name = "command_a",
                                  .other_names = kNames,
                                  .marks = kMarks,
                                  .syntaxes = kSyntaxes,
                                  .hidden = kHidden};

constexpr CallFormat kCommandR = {.name = "command_r",
                                  .other_names = kPlusNames,
                                  .marks = kPlusMarks,
                                  .syntaxes = kPlusSyntaxes};

constexpr ThoughtFormat kCommandThoughts = {
    .name = "command_a",
    .other_names = kNames,
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "<|END_THINKING|>",
    .closing_phrase = "\n\nI have thought long enough and answer now.<|END_THINKING|>",
    .switches = kSwitches,
    .hidden = kHidden,
};

}  // namespace quire::formats
