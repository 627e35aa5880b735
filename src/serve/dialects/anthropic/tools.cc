#include "serve/dialects/anthropic/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/anthropic/request.h"

namespace quire {
namespace {

constexpr std::size_t kToolsMax = 1024;
constexpr std::size_t kToolNameMax = 128;  // bytes
constexpr std::int64_t kBudgetMin = 1024;  // tokens
constexpr const char* kThinkingSwitch = "enable_thinking";  // of templates that have one

bool is_tool_name(const Json* name) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c == '_' || c == '-';
  };
  return name != nullptr && name->is_string() && !name->as_string().empty() &&
         name->as_string().size() <= kToolNameMax &&
         std::all_of(name->as_string().begin(), name->as_string().end(), is_plain);
}

// "web_search_20250305" and the like have a type of their own and are run by the service.
bool is_hosted_tool(const Json& tool) {
  const Json* type = tool.find("type");
  return type != nullptr && type->is_string() && type->as_string() != "custom";
}

// A schema without a type is one of an object.
Json parameters_of(const Json& schema) {
  if (schema.find("type") != nullptr) return schema;
  Json with_type = Json::object({{"type", "object"}});
  for (const auto& [name, value] : schema.members()) with_type.set(name, value);
  return with_type;
}

// A client's tool as templates read one; nothing after a mistake.
std::optional<Json> read_tool(Fields& fields, const Json& tool, const std::string& path) {
  const auto fail = [&](std::string_view field, std::string_view why) {
    fields.fail(bad_field(path + std::string(field), why));
    return std::nullopt;
  };
  if (!is_tool_name(tool.find("name"))) {
    return fail(".name", fmt::format("expected 1 to {} letters, digits, '_' and '-'",
                                     kToolNameMax));
  }
  const Json* schema = tool.find("input_schema");
  if (schema == nullptr) return fail(".input_schema", "Field required");
  const Json* kind = schema->find("type");
  const bool is_of_object = kind == nullptr || (kind->is_string() && kind->as_string() == "object");
  if (!schema->is_object() || !is_of_object) {
    return fail(".input_schema", "expected the schema of an object");
  }
  const Json* description = tool.find("description");
  if (description != nullptr && !description->is_null() && !description->is_string()) {
    return fail(".description", "Input should be a valid string");
  }
  Json function = Json::object({{"name", *tool.find("name")}});
  const bool has_words = description != nullptr && description->is_string();
  function.set("description", has_words ? *description : Json(""));
  function.set("parameters", parameters_of(*schema));
  return Json::object({{"type", "function"}, {"function", std::move(function)}});
}

// Fields of a tool that would change what the model does.
void warn_of_tool(const Json& tool, const std::string& path, AnthropicWarnings& notes) {
  for (const char* name : {"strict", "defer_loading", "input_examples"}) {
    const Json* value = tool.find(name);
    const bool is_wish = value != nullptr && !value->is_null() &&
                         !(value->is_bool() && !value->as_bool());
    if (is_wish) notes.add("ignored_parameter", path + "." + name, "It changes nothing here.");
  }
}

// False: no call may be made.
bool read_tool_choice(Fields& fields, bool has_tools) {
  const Json* choice = fields.any("tool_choice");
  if (choice == nullptr) return true;
  const Json* type = choice->find("type");
  const std::string kind = type != nullptr && type->is_string() ? type->as_string() : "";
  if (kind == "auto" || kind == "none") return kind == "auto";
  if (kind != "any" && kind != "tool") {
    fields.fail(bad_field("tool_choice.type", "expected auto, any, tool or none"));
  } else if (!has_tools) {
    fields.fail(bad_field("tool_choice", "may only be specified while providing tools"));
  } else {
    fields.fail(unsupported_parameter(
        "tool_choice", "tool_choice: a call cannot be forced on this server yet; auto and none are "
                       "accepted, got " + kind));
  }
  return true;
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

bool read_anthropic_tools(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                          AnthropicWarnings& notes) {
  const Json* tools = fields.any("tools");
  bool is_kept = false;
  if (tools != nullptr && (!tools->is_array() || tools->items().size() > kToolsMax)) {
    fields.fail(bad_field("tools", fmt::format("expected a list of at most {} tools", kToolsMax)));
    return false;
  }
  std::vector<Json> shown_tools;
  for (std::size_t i = 0; tools != nullptr && i < tools->items().size(); ++i) {
    const Json& tool = tools->items()[i];
    const std::string path = fmt::format("tools.{}", i);
    is_kept |= has_cache_control(fields, tool, path + ".");
    if (is_hosted_tool(tool)) {
      notes.add("unsupported_tool", path, "A tool that the service runs itself: there is none "
                                          "here, and the model is not told of it.");
      continue;
    }
    auto read = read_tool(fields, tool, path);
    if (!read) return is_kept;
    warn_of_tool(tool, path, notes);
    shown_tools.push_back(std::move(*read));
  }
  const bool may_call = read_tool_choice(fields, !shown_tools.empty());
  if (shown_tools.empty() || !may_call) return is_kept;
  const bool is_told = model == nullptr || model->chat_template == nullptr ||
                       model->chat_template->has_variable("tools");
  if (!is_told) {
    notes.add("tools_not_shown", "tools",
              "This model's chat template does not read tools: the model is not told of them.");
  } else {
    chat.materials.emplace_back("tools", Json::array(std::move(shown_tools)));
    notes.add("tool_calls_not_parsed", "tools",
              "The model is told of the tools, but calls in its answer are not parsed yet: they "
              "arrive as text.");
  }
  return is_kept;
}

bool read_anthropic_thinking(Fields& fields, const HostedModel* model, ChatPrompt& chat,
                             AnthropicWarnings& notes) {
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
  const bool has_switch = model != nullptr && model->chat_template != nullptr &&
                          model->chat_template->has_variable(kThinkingSwitch);
  if (has_switch) {
    chat.template_kwargs.emplace_back(kThinkingSwitch, thinks);
  } else if (thinks) {
    notes.add("ignored_parameter", "thinking",
              "This model's chat template has no switch for thinking; the field was ignored.");
  }
  if (has_switch && thinks) {
    notes.add("thoughts_not_parsed", "thinking",
              "Thinking is on, but thoughts are not told from the answer yet: they come as text.");
  }
  if (has_switch && kind == "enabled") {
    notes.add("ignored_parameter", "thinking.budget_tokens",
              "Thinking is on, but only max_tokens bounds it.");
  }
  return text_of("display") == "omitted";
}

}  // namespace quire
