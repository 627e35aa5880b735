#include "serve/dialects/anthropic/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/anthropic/request.h"
#include "serve/intake/tools/answer_shape.h"
#include "serve/intake/tools/thinking.h"

namespace quire {
namespace {

constexpr std::int64_t kBudgetMin = 1024;  // tokens

// "web_search_20250305" and the like have a type of their own and are run by the service.
bool is_hosted_tool(const Json& tool) {
  const Json* type = tool.find("type");
  return type != nullptr && type->is_string() && type->as_string() != "custom";
}

// False after a mistake.
bool read_tool(Fields& fields, const Json& tool, const std::string& path, OfferedTools& offered) {
  const GivenTool given = {.name = tool.find("name"),
                           .description = tool.find("description"),
                           .parameters = tool.find("input_schema"),
                           .strict = tool.find("strict")};
  if (given.name != nullptr && given.parameters == nullptr) {
    fields.fail(required_field(path + ".input_schema"));
    return false;
  }
  const auto mistake = add_tool(given, false, offered);
  if (!mistake) return true;
  constexpr const char* kMembers[] = {".name", ".description", ".input_schema", ".strict"};
  fields.fail(bad_field(path + kMembers[static_cast<std::size_t>(mistake->field)], mistake->why));
  return false;
}

// Fields of a tool that would change what the model does.
void warn_of_tool(const Json& tool, const std::string& path, AnthropicWarnings& notes) {
  for (const char* name : {"defer_loading", "input_examples"}) {
    const Json* value = tool.find(name);
    const bool is_wish = value != nullptr && !value->is_null() &&
                         !(value->is_bool() && !value->as_bool());
    if (is_wish) notes.add("ignored_parameter", path + "." + name, "It changes nothing here.");
  }
}

void read_tool_choice(Fields& fields, OfferedTools& offered) {
  const Json* choice = fields.any("tool_choice");
  if (choice == nullptr) return;
  const auto text_of = [&](const char* name) {
    const Json* value = choice->find(name);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  const std::string kind = text_of("type");
  if (kind != "auto" && kind != "none" && kind != "any" && kind != "tool") {
    return fields.fail(bad_field("tool_choice.type", "expected auto, any, tool or none"));
  }
  const bool is_forced = kind == "any" || kind == "tool";
  if (is_forced && offered.tools.empty()) {
    return fields.fail(bad_field("tool_choice", "may only be specified while providing tools"));
  }
  if (kind == "none") offered.choice.kind = ToolChoiceKind::kNone;
  if (is_forced) offered.choice.kind = ToolChoiceKind::kRequired;
  if (kind == "tool") {  // who is named is called once
    offered.choice.names = {text_of("name")};
    offered.choice.is_parallel = false;
  }
  if (!unknown_choice(offered).empty() || (kind == "tool" && text_of("name").empty())) {
    fields.fail(bad_field("tool_choice.name", fmt::format("Tool {} not found in provided tools",
                                                          shown(Json(text_of("name"))))));
  }
  const Json* alone = choice->find("disable_parallel_tool_use");
  if (alone == nullptr || alone->is_null()) return;
  if (!alone->is_bool()) {
    return fields.fail(bad_field("tool_choice.disable_parallel_tool_use",
                                 "Input should be a valid boolean"));
  }
  if (alone->as_bool()) offered.choice.is_parallel = false;
}

// output_config.effort.
std::string read_effort(Fields& fields) {
  const Json* config = fields.any("output_config");
  const Json* effort = config != nullptr ? config->find("effort") : nullptr;
  if (effort == nullptr || effort->is_null()) return {};
  if (effort->is_string() && is_effort(effort->as_string())) return effort->as_string();
  fields.fail(bad_field("output_config.effort", "expected low, medium, high, xhigh or max"));
  return {};
}

void set_switches(const HostedModel& model, bool thinks, const std::string& effort,
                  ChatPrompt& chat, AnthropicWarnings& notes) {
  const ThinkingSwitched done = set_thinking(model, {.thinks = thinks, .effort = effort}, chat);
  if (thinks && !done.thinks && format_of(model).thoughts == nullptr) {
    notes.add("ignored_parameter", "thinking",
              "This model's chat template has no switch for thinking; the field was ignored.");
  }
  if (effort.empty() || done.effort) return;
  notes.add("ignored_parameter", "output_config.effort",
            "The chat template of this model knows no effort of thinking.");
}

}  // namespace

bool has_cache_control(Fields& fields, const Json& block, const std::string& path) {
  const Json* control = block.find("cache_control");
  if (control == nullptr || control->is_null()) return false;
  const auto is_one_of = [](const Json* value, std::initializer_list<std::string_view> words) {
    return value != nullptr && value->is_string() &&
           std::find(words.begin(), words.end(), value->as_string()) != words.end();
  };
  const Json* ttl = control->find("ttl");
  const bool is_good = is_one_of(control->find("type"), {"ephemeral"}) &&
                       (ttl == nullptr || ttl->is_null() || is_one_of(ttl, {"5m", "1h"}));
  if (!is_good) {
    fields.fail(bad_field(path + "cache_control",
                          R"(expected {"type":"ephemeral"} with a ttl of 5m or 1h, or without)"));
  }
  return is_good;
}

bool read_anthropic_tools(Fields& fields, OfferedTools& offered, AnthropicWarnings& notes) {
  const Json* tools = fields.any("tools");
  bool is_kept = false;
  if (tools != nullptr && (!tools->is_array() || tools->items().size() > kToolsMax)) {
    fields.fail(bad_field("tools", fmt::format("expected a list of at most {} tools", kToolsMax)));
    return false;
  }
  for (std::size_t i = 0; tools != nullptr && i < tools->items().size(); ++i) {
    const Json& tool = tools->items()[i];
    const std::string path = fmt::format("tools.{}", i);
    is_kept |= has_cache_control(fields, tool, path + ".");
    if (is_hosted_tool(tool)) {
      notes.add("unsupported_tool", path, "A tool that the service runs itself: there is none "
                                          "here, and the model is not told of it.");
      continue;
    }
    if (!read_tool(fields, tool, path, offered)) return is_kept;
    warn_of_tool(tool, path, notes);
  }
  read_tool_choice(fields, offered);
  return is_kept;
}

bool read_anthropic_thinking(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                             std::optional<std::int64_t>& tokens_max, AnthropicWarnings& notes) {
  const Json* thinking = fields.any("thinking");
  const auto text_of = [&](const char* name) {
    const Json* value = thinking != nullptr ? thinking->find(name) : nullptr;
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  const std::string kind = thinking == nullptr ? "disabled" : text_of("type");
  constexpr std::string_view kKinds[] = {"adaptive", "between_tools", "disabled", "enabled"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    fields.fail(bad_field("thinking.type", "expected enabled, disabled or adaptive"));
    return false;
  }
  const bool thinks = kind != "disabled";
  const Json* budget = thinking != nullptr ? thinking->find("budget_tokens") : nullptr;
  if (kind == "enabled") {
    if (budget == nullptr) fields.fail(required_field("thinking.budget_tokens"));
    if (budget != nullptr && (!budget->is_int() || budget->as_int() < kBudgetMin)) {
      fields.fail(bad_field("thinking.budget_tokens",
                            fmt::format("Input should be greater than or equal to {}",
                                        kBudgetMin)));
    }
  }
  const std::string effort = read_effort(fields);
  if (model == nullptr) return false;
  set_switches(*model, thinks, effort, chat, notes);
  if (kind == "enabled" && budget != nullptr && budget->is_int()) {
    if (format_of(*model).thoughts != nullptr) {
      tokens_max = budget->as_int();
    } else {
      notes.add("ignored_parameter", "thinking.budget_tokens",
                "How this model writes thoughts is not known here: only max_tokens bounds them.");
    }
  }
  return text_of("display") == "omitted";
}

}  // namespace quire
