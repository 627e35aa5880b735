// Llama 3: an answer that is one object is a call; one token may stand before it. Llama 4 and the
// small Llama 3.2 write a list of Python's calls instead.
#include "serve/answer/formats/families.h"

namespace quire::formats {
namespace {

constexpr std::string_view kJsonNames[] = {"llama3", "llama4_json"};
constexpr std::string_view kJsonMarks[] = {R"("parameters": dictionary of argument name)"};
constexpr CallSyntax kJsonSyntaxes[] = {
    {.arguments_member = "parameters", .begins_answer = true, .is_single = true},
    {.call_opens = "<|python_tag|>", .arguments_member = "parameters", .is_single = true},
};

constexpr std::string_view kPythonNames[] = {"llama4_pythonic", "llama4"};
constexpr std::string_view kPythonMarks[] = {"[func_name1(", "<|python_start|>"};
constexpr CallSyntax kPythonSyntaxes[] = {
    {.opens = "[",
     .separator = ",",
     .closes = "]",
     .name = NamePlace::kBefore,
     .name_closes = "(",
     .arguments = ArgumentSyntax::kPython,
     .begins_answer = true},
    {.opens = "<|python_start|>\n[",
     .separator = ",",
     .closes = "]\n<|python_end|>",
     .name = NamePlace::kBefore,
     .name_closes = "(",
     .arguments = ArgumentSyntax::kPython},
};

}  // namespace

constexpr CallFormat kLlama3Json = {.name = "llama3_json",
                                    .other_names = kJsonNames,
                                    .marks = kJsonMarks,
                                    .syntaxes = kJsonSyntaxes};

constexpr CallFormat kPythonic = {.name = "pythonic",
                                  .other_names = kPythonNames,
                                  .marks = kPythonMarks,
                                  .syntaxes = kPythonSyntaxes};

}  // namespace quire::formats
