// DeepSeek: a section of calls between tokens, with the arguments in a code block (V3, R1) or bare
// (V3.1); V3.2 writes tags that say of each parameter whether it is a text.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kV3Names[] = {"deepseek_r1"};
constexpr std::string_view kV3Marks[] = {"<｜tool▁call▁begin｜>' + tool['type']",
                                         "<｜tool▁call▁begin｜>' + tc['type']",
                                         "<｜tool▁call▁begin｜>function<｜tool▁sep｜>"};
constexpr CallSyntax kV3Syntaxes[] = {{
    .opens = "<｜tool▁calls▁begin｜>",
    .call_opens = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    .call_closes = "```\n<｜tool▁call▁end｜>",
    .closes = "<｜tool▁calls▁end｜>",
    .name = NamePlace::kBefore,
    .name_closes = "\n```json",
}};

constexpr std::string_view kV31Marks[] = {"<｜tool▁sep｜>"};
constexpr CallSyntax kV31Syntaxes[] = {{
    .opens = "<｜tool▁calls▁begin｜>",
    .call_opens = "<｜tool▁call▁begin｜>",
    .call_closes = "<｜tool▁call▁end｜>",
    .closes = "<｜tool▁calls▁end｜>",
    .name = NamePlace::kBefore,
    .name_closes = "<｜tool▁sep｜>",
}};

constexpr std::string_view kV32Marks[] = {"｜DSML｜"};
constexpr CallSyntax kV32Syntaxes[] = {{
    .opens = "<｜DSML｜function_calls>",
    .call_opens = "<｜DSML｜invoke name=\"",
    .call_closes = "</｜DSML｜invoke>",
    .closes = "</｜DSML｜function_calls>",
    .name = NamePlace::kBefore,
    .name_closes = "\">",
    .arguments = ArgumentSyntax::kTags,
    .tags = {.key_opens = "<｜DSML｜parameter name=\"",
             .key_closes = "\" string=\"true\">",
             .value_closes = "</｜DSML｜parameter>",
             .json_key_closes = "\" string=\"false\">"},
}};

}  // namespace

constexpr CallFormat kDeepSeekV3 = {
    .name = "deepseek_v3", .other_names = kV3Names, .marks = kV3Marks, .syntaxes = kV3Syntaxes};
constexpr CallFormat kDeepSeekV31 = {
    .name = "deepseek_v31", .marks = kV31Marks, .syntaxes = kV31Syntaxes};
constexpr CallFormat kDeepSeekV32 = {
    .name = "deepseek_v32", .marks = kV32Marks, .syntaxes = kV32Syntaxes};

}  // namespace quire::formats
