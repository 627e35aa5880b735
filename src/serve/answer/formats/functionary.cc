// Functionary: a tag with the name before an object (3.1), or a line with the recipient before what
// it gets (3.2), where "all" is everybody and the template has opened the first.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kTagNames[] = {"functionary"};
constexpr std::string_view kTagMarks[] = {"<function="};
constexpr CallSyntax kTagSyntaxes[] = {{.call_opens = "<function=",
                                        .call_closes = "</function>",
                                        .name = NamePlace::kBefore,
                                        .name_closes = ">"}};

constexpr std::string_view kLineMarks[] = {">>>all"};
constexpr CallSyntax kLineSyntaxes[] = {
    {.call_opens = ">>>", .name = NamePlace::kBefore, .name_closes = "\n"}};
constexpr std::string_view kLineHidden[] = {">>>all\n"};

}  // namespace

constexpr CallFormat kFunctionary31 = {.name = "functionary_v3_1",
                                       .other_names = kTagNames,
                                       .marks = kTagMarks,
                                       .syntaxes = kTagSyntaxes};

constexpr CallFormat kFunctionary32 = {.name = "functionary_v3_2",
                                       .marks = kLineMarks,
                                       .syntaxes = kLineSyntaxes,
                                       .hidden = kLineHidden,
                                       .prompt_tail = ">>>"};

}  // namespace quire::formats
