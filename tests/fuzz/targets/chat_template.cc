// The input is a template. It is compiled, which renders it some times to see what it reads, and
// rendered with a conversation that has everything in it.
#include "text/chat_template.h"

#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

constexpr std::string_view kContext = R"({"messages":[{"role":"system","content":"s"},
{"role":"user","content":[{"type":"text","text":"a\u00e9<b>"},{"type":"text","text":""}]},
{"role":"assistant","content":"","reasoning_content":"t","tool_calls":[{"id":"call00001",
"type":"function","function":{"name":"f","arguments":{"x":[1,-2.5,null,true],"y":{"z":"w"}}}}]},
{"role":"tool","content":"r","name":"f","tool_call_id":"call00001"},
{"role":"user","content":" two\nlines "}],"tools":[{"type":"function","function":{"name":"f",
"description":"d","parameters":{"type":"object","properties":{"x":{"type":"array"}},
"required":["x"]}}}],"add_generation_prompt":true,"enable_thinking":false,"bos_token":"<s>",
"eos_token":"</s>","n":3})";
constexpr RenderLimits kLimits{.steps_max = 50'000,
                               .output_size_max = std::size_t{1} << 18,
                               .unix_seconds = 1'700'000'000,
                               .utc_offset_seconds = 3600};

}  // namespace

std::string chat_template(std::string_view input) {
  const auto compiled = ChatTemplate::compile(input);
  if (!compiled.is_ok()) return fault_of(compiled.status());
  const Result<std::string> text = (*compiled)->render(kContext, kLimits);
  if (!text.is_ok()) return fault_of(text.status());
  return text->size() > kLimits.output_size_max ? "more bytes than the limit" : "";
}

}  // namespace quire::fuzz
