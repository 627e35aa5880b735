// What users of other servers bring along: Modelfiles, Go templates, config.pbtxt.
#include "base/json.h"
#include "host/repository/model_config.h"
#include "store/modelfile/modelfile.h"
#include "target.h"
#include "targets/targets.h"
#include "text/go_template/go_template.h"

namespace quire::fuzz {

std::string modelfile(std::string_view input) {
  const auto file = store::parse_modelfile(input);
  if (!file.is_ok()) return fault_of(file.status());
  if (file->from.empty()) return "a Modelfile without FROM";
  return parse_json(dump(file->dress.parameters)).is_ok() ? "" : "parameters that are no JSON";
}

// Rendered as a chat with tools, as a gap, and with plain data.
std::string go_template(std::string_view input) {
  static const Json context = parse_json(
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"a\n<b>"},)"
      R"({"role":"assistant","content":"","reasoning_content":"t","tool_calls":[{"id":"c",)"
      R"("type":"function","function":{"name":"f","arguments":{"x":[1,-2.5,null,true]}}}]},)"
      R"({"role":"tool","content":"r","name":"f"},{"role":"user","content":"q"}],)"
      R"("enable_thinking":true,"reasoning_effort":"low","tools":[{"type":"function",)"
      R"("function":{"name":"f","description":"d","parameters":{"type":"object",)"
      R"("properties":{"x":{"type":["array","null"]}},"required":["x"]}}}]})").value();
  const go::Limits limits{.steps_max = 20'000, .output_max = 1 << 16, .now = {1'700'000'000, 60}};
  const auto compiled = GoTemplate::compile(input);
  if (!compiled.is_ok()) return fault_of(compiled.status());
  for (const Result<std::string>& text :
       {(*compiled)->render_chat(context, limits), (*compiled)->render(context, limits),
        (*compiled)->render_gap("a", "b", limits)}) {
    std::string fault = fault_of(text.status());
    if (fault.empty() && text.is_ok() && text->size() > limits.output_max) fault = "over the limit";
    if (!fault.empty()) return fault;
  }
  return "";
}

// What is shown of it can be given back.
std::string config_pbtxt(std::string_view input) {
  const auto config = parse_model_config(input, "m");
  if (!config.is_ok()) return fault_of(config.status());
  const auto again = model_config_from_json(config->json, "m");
  if (!again.is_ok()) return "as JSON: " + again.status().message();
  return dump(again->json) == dump(config->json) ? "" : "another as JSON: " + dump(again->json);
}

}  // namespace quire::fuzz
