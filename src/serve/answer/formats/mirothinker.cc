// MiroThinker: a call is the use of a tool of some server, each field between tags, and the
// arguments an object. It says for itself on which server a tool is.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kMarks[] = {"<use_mcp_tool>"};
constexpr CallSyntax kSyntaxes[] = {{.call_opens = "<use_mcp_tool>\n<server_name>",
                                     .call_closes = "</arguments>\n</use_mcp_tool>",
                                     .name = NamePlace::kBefore,
                                     .name_opens = "</server_name>\n<tool_name>",
                                     .name_closes = "</tool_name>\n<arguments>",
                                     .is_single = true}};

}  // namespace

constexpr CallFormat kMiroThinker = {
    .name = "mirothinker", .marks = kMarks, .syntaxes = kSyntaxes};

}  // namespace quire::formats
