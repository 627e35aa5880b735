// Hermes: one object a call, each between tags. So do Qwen 2.5 and 3, QwQ, SmolLM3, Granite 4,
// ERNIE 4.5, Bielik, Reka and many that were trained on the same conversations.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kNames[] = {"qwen", "qwen25", "qwen3", "granite4", "ernie45", "smollm3"};
constexpr std::string_view kMarks[] = {"<tool_call>"};
constexpr CallSyntax kSyntaxes[] = {
    {.call_opens = "<tool_call>", .call_closes = "</tool_call>"},
    // A list between the tags, as the first SmolLM2 was taught.
    {.opens = "<tool_call>\n[", .separator = ",", .closes = "]\n</tool_call>"},
};

}  // namespace

constexpr CallFormat kHermes = {
    .name = "hermes", .other_names = kNames, .marks = kMarks, .syntaxes = kSyntaxes};

}  // namespace quire::formats
