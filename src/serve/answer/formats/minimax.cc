// MiniMax M2: a section of invocations, each with its parameters between tags; texts as they are.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kMarks[] = {"<minimax:tool_call>"};
constexpr CallSyntax kSyntaxes[] = {{
    .opens = "<minimax:tool_call>",
    .call_opens = "<invoke name=\"",
    .call_closes = "</invoke>",
    .closes = "</minimax:tool_call>",
    .name = NamePlace::kBefore,
    .name_closes = "\">",
    .arguments = ArgumentSyntax::kTags,
    .tags = {.key_opens = "<parameter name=\"",
             .key_closes = "\">",
             .value_closes = "</parameter>"},
}};

}  // namespace

constexpr CallFormat kMiniMaxM2 = {.name = "minimax_m2", .marks = kMarks, .syntaxes = kSyntaxes};

}  // namespace quire::formats
