// Qwen3-Coder: a function and each of its parameters between tags of their own; texts stand as they
// are, on lines of their own. Qwen 3.5, Step 3.5 and Nemotron 3 write the same.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"qwen3_xml", "step3p5", "qwen35", "nemotron3"};
constexpr std::string_view kMarks[] = {"<parameter="};
constexpr CallSyntax kSyntaxes[] = {{
    .call_opens = "<tool_call>\n<function=",
    .call_closes = "</function>\n</tool_call>",
    .name = NamePlace::kBefore,
    .name_closes = ">",
    .arguments = ArgumentSyntax::kTags,
    .tags = {.key_opens = "<parameter=",
             .key_closes = ">",
             .value_closes = "</parameter>",
             .wraps_lines = true},
}};

}  // namespace

constexpr CallFormat kQwen3Coder = {
    .name = "qwen3_coder", .other_names = kNames, .marks = kMarks, .syntaxes = kSyntaxes};

}  // namespace quire::formats
