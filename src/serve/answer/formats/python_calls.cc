// Calls as Python writes them: Olmo 3 one a line between tags, LFM2 a list between tokens.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kOlmoMarks[] = {"<function_calls>"};
constexpr CallSyntax kOlmoSyntaxes[] = {{.opens = "<function_calls>",
                                         .closes = "</function_calls>",
                                         .name = NamePlace::kBefore,
                                         .name_closes = "(",
                                         .arguments = ArgumentSyntax::kPython}};

constexpr std::string_view kLfmNames[] = {"lfm2_5"};
constexpr std::string_view kLfmMarks[] = {"<|tool_call_start|>", "<|tool_list_start|>",
                                          "List of tools: ["};
constexpr CallSyntax kLfmSyntaxes[] = {{.opens = "<|tool_call_start|>\n[",
                                        .separator = ",",
                                        .closes = "]\n<|tool_call_end|>",
                                        .name = NamePlace::kBefore,
                                        .name_closes = "(",
                                        .arguments = ArgumentSyntax::kPython}};

}  // namespace

constexpr CallFormat kOlmo3 = {.name = "olmo3", .marks = kOlmoMarks, .syntaxes = kOlmoSyntaxes};
constexpr CallFormat kLfm2 = {
    .name = "lfm2", .other_names = kLfmNames, .marks = kLfmMarks, .syntaxes = kLfmSyntaxes};

}  // namespace quire::formats
