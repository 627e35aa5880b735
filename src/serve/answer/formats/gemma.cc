// FunctionGemma and Gemma 4: arguments between braces with bare keys, and texts between tokens that
// stand for quotes, so that nothing in them is escaped.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kFunctionNames[] = {"function_gemma"};
constexpr std::string_view kFunctionMarks[] = {"<start_function_call>"};
constexpr CallSyntax kFunctionSyntaxes[] = {{.call_opens = "<start_function_call>call:",
                                             .call_closes = "<end_function_call>",
                                             .name = NamePlace::kBefore,
                                             .name_closes = "{",
                                             .arguments = ArgumentSyntax::kBraces,
                                             .quote = "<escape>"}};

constexpr std::string_view kMarks[] = {"<|tool_call>"};
constexpr CallSyntax kSyntaxes[] = {{.call_opens = "<|tool_call>call:",
                                     .call_closes = "<tool_call|>",
                                     .name = NamePlace::kBefore,
                                     .name_closes = "{",
                                     .arguments = ArgumentSyntax::kBraces,
                                     .quote = "<|\"|>"}};

constexpr std::string_view kThoughtMarks[] = {"<|channel>"};
constexpr std::string_view kBegins[] = {"<|channel>thought"};
constexpr ThoughtSwitch kSwitches[] = {{.variable = "enable_thinking"}};

}  // namespace

constexpr CallFormat kFunctionGemma = {.name = "functiongemma",
                                       .other_names = kFunctionNames,
                                       .marks = kFunctionMarks,
                                       .syntaxes = kFunctionSyntaxes};
constexpr CallFormat kGemma4 = {.name = "gemma4", .marks = kMarks, .syntaxes = kSyntaxes};

constexpr ThoughtFormat kGemmaThoughts = {
    .name = "gemma4",
    .marks = kThoughtMarks,
    .begins = kBegins,
    .ends = "<channel|>",
    .closing_phrase = "\n\nI have thought long enough and answer now.\n<channel|>",
    .switches = kSwitches,
};

}  // namespace quire::formats
