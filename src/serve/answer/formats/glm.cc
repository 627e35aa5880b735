// GLM 4.5 to 4.7: the name, then a tag for every key and one for its value; texts stand as they
// are, anything else is JSON.
// Constants, for the tables of format.cc.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"glm47", "glm4_moe"};
constexpr std::string_view kMarks[] = {"<arg_key>"};
constexpr CallSyntax kSyntaxes[] = {{
    .call_opens = "<tool_call>",
    .call_closes = "</tool_call>",
    .name = NamePlace::kBefore,
    .arguments = ArgumentSyntax::kTags,
    .tags = {.key_opens = "<arg_key>",
             .key_closes = "</arg_key>\n<arg_value>",
             .value_closes = "</arg_value>"},
}};

}  // namespace

constexpr CallFormat kGlm = {
    .name = "glm45", .other_names = kNames, .marks = kMarks, .syntaxes = kSyntaxes};

}  // namespace quire::formats
