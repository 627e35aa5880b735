#include "serve/dialects/openai/chat_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace quire {
namespace {

std::string text_at(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

void fail(Fields& fields, const std::string& param, std::string_view why) {
  fields.fail(invalid_value(param, fmt::format("Invalid '{}': {}.", param, why)));
}

std::string_view member_of(ToolField field) {
  switch (field) {
    case ToolField::kName: return "name";
    case ToolField::kDescription: return "description";
    case ToolField::kParameters: return "parameters";
    case ToolField::kStrict: return "strict";
  }
  return "";
}

// The object that describes a function. False after a mistake.
bool read_function(Fields& fields, const Json& function, const std::string& where,
                   OfferedTools& offered) {
  const Json* parameters = function.find("parameters");
  if (parameters == nullptr) parameters = function.find("arguments");  // TGI's
  const GivenTool given = {.name = function.find("name"),
                           .description = function.find("description"),
                           .parameters = parameters,
                           .strict = function.find("strict")};
  const auto mistake = add_tool(given, false, offered);
  if (mistake) {
    fail(fields, fmt::format("{}.{}", where, member_of(mistake->field)), mistake->why);
  }
  return !mistake;
}

bool read_tool(Fields& fields, const Json& tool, const std::string& where, OfferedTools& offered) {
  const std::string kind = text_at(tool, "type");
  if (kind.empty()) {
    fail(fields, where + ".type", "a tool needs a type");
    return false;
  }
  if (kind != "function") {
    const std::string param = where + ".type";
    fields.fail(unsupported_parameter(
        param, fmt::format("Unsupported parameter: '{}': tools of type {} are not supported by "
                           "this server, only functions.", param, shown(Json(kind)))));
    return false;
  }
  const Json* function = tool.find("function");
  if (function == nullptr || !function->is_object()) {
    fail(fields, where + ".function", "an object is expected");
    return false;
  }
  return read_function(fields, *function, where + ".function", offered);
}

// Whether a list of tools may stand there.
bool is_tool_list(Fields& fields, const Json& list, const std::string& where) {
  if (list.is_array() && list.items().size() <= kToolsMax) return true;
  fail(fields, where, fmt::format("expected a list of at most {} tools", kToolsMax));
  return false;
}

// Who is named is called once.
void choose(const std::string& name, ChatTools& out) {
  out.choice = {.kind = ToolChoiceKind::kRequired, .names = {name}, .is_parallel = false};
  out.is_named = true;
}

bool offers(const ChatTools& offered, const Json& name) {
  return name.is_string() && std::any_of(offered.tools.begin(), offered.tools.end(),
                                         [&](const Tool& tool) {
                                           return tool.name == name.as_string();
                                         });
}

// TGI's: {"function": {"name"}} without a type.
bool is_function_alone(const Json& choice) {
  const Json* function = choice.find("function");
  return choice.find("type") == nullptr && function != nullptr && function->is_object();
}

void read_choice(Fields& fields, const Json& choice, ChatTools& out) {
  if (choice == Json("auto")) {
    out.choice.kind = ToolChoiceKind::kAuto;
  } else if (choice == Json("none")) {
    out.choice.kind = ToolChoiceKind::kNone;
  } else if (choice == Json("required")) {
    out.choice.kind = ToolChoiceKind::kRequired;
  } else if (offers(out, choice)) {  // TGI's: the name alone
    choose(choice.as_string(), out);
  } else if (text_at(choice, "type") == "function" || is_function_alone(choice)) {
    const Json* function = choice.find("function");
    const std::string name = function != nullptr ? text_at(*function, "name") : "";
    if (name.empty()) return fail(fields, "tool_choice.function.name", "a name is expected");
    choose(name, out);
  } else if (text_at(choice, "type") == "allowed_tools") {
    const Json* allowed = choice.find("allowed_tools");
    read_allowed_tools(fields, allowed != nullptr ? *allowed : Json(), "tool_choice.allowed_tools",
                       "function", out.choice);
  } else {
    fail(fields, "tool_choice",
         "expected \"none\", \"auto\", \"required\", a function, the name of one of the tools or "
         "allowed_tools, got " +
             shown(choice));
  }
}

// `functions` and `function_call`, which tools have replaced.
void read_functions(Fields& fields, ChatTools& out) {
  const Json* functions = fields.any("functions");
  const Json* call = fields.any("function_call");
  if (functions != nullptr && is_tool_list(fields, *functions, "functions")) {
    for (std::size_t i = 0; i < functions->items().size(); ++i) {
      if (!read_function(fields, functions->items()[i], fmt::format("functions[{}]", i), out)) {
        return;
      }
    }
    out.is_legacy = !functions->items().empty();
    if (out.is_legacy) out.choice.is_parallel = false;
  }
  if (call == nullptr) return;
  const std::string name = text_at(*call, "name");
  if (*call == Json("none")) {
    if (out.is_legacy) out.choice.kind = ToolChoiceKind::kNone;
  } else if (!name.empty()) {
    choose(name, out);
  } else if (*call != Json("auto")) {
    fail(fields, "function_call", "expected \"none\", \"auto\" or an object with a name, got " +
                                      shown(*call));
  }
}

}  // namespace

bool read_allowed_tools(Fields& fields, const Json& allowed, const std::string& where,
                        std::string_view function, ToolChoice& choice) {
  const std::string mode = text_at(allowed, "mode");
  if (mode != "auto" && mode != "required") {
    fail(fields, where + ".mode", "expected \"auto\" or \"required\"");
    return false;
  }
  const Json* tools = allowed.find("tools");
  if (tools == nullptr || !tools->is_array() || tools->items().empty() ||
      tools->items().size() > kToolsMax) {
    fail(fields, where + ".tools", fmt::format("expected a list of 1 to {} tools", kToolsMax));
    return false;
  }
  choice.kind = mode == "auto" ? ToolChoiceKind::kAuto : ToolChoiceKind::kRequired;
  for (std::size_t i = 0; i < tools->items().size(); ++i) {
    const Json& tool = tools->items()[i];
    const Json* named = function.empty() ? &tool : tool.find(function);
    const std::string name = named != nullptr ? text_at(*named, "name") : "";
    if (name.empty()) {
      fail(fields, fmt::format("{}.tools[{}]", where, i), "expected a function with its name");
      return false;
    }
    choice.names.push_back(name);
  }
  return true;
}

void add_tool_prompt(Fields& fields, const ChatTools& tools, ChatPrompt& chat,
                     std::vector<Warning>& notes) {
  constexpr std::size_t kToolPromptMax = 64 * 1024;  // bytes
  const std::string* asked = fields.text("tool_prompt", kToolPromptMax);
  if (asked == nullptr || asked->empty()) return;
  if (!tools.may_call() || chat.messages.empty() || chat.continue_final_message) {
    notes.push_back({"no_effect", "tool_prompt",
                     "It is said with tools that may be called, behind a message that is not to "
                     "be continued."});
    return;
  }
  const std::string said = "\n---\n" + *asked;
  Json& last = chat.messages.back();
  const Json* content = last.find("content");
  if (content != nullptr && content->is_array()) {
    Json parts = *content;
    parts.push(Json::object({{"type", "text"}, {"text", said}}));
    last.set("content", std::move(parts));
    return;
  }
  const bool is_text = content != nullptr && content->is_string();
  last.set("content", (is_text ? content->as_string() : std::string()) + said);
}

ChatTools read_chat_tools(Fields& fields) {
  ChatTools out;
  out.choice.is_parallel = fields.boolean("parallel_tool_calls").value_or(true);
  const Json* tools = fields.any("tools");
  if (tools != nullptr && is_tool_list(fields, *tools, "tools")) {
    for (std::size_t i = 0; i < tools->items().size(); ++i) {
      if (!read_tool(fields, tools->items()[i], fmt::format("tools[{}]", i), out)) return out;
    }
  }
  if (!out.tools.empty() && fields.any("functions") != nullptr) {
    fields.fail({.message = "Cannot set both `tools` and `functions`.",
                 .param = "functions",
                 .code = "mutually_exclusive_parameters"});
  }
  read_functions(fields, out);
  const Json* choice = fields.any("tool_choice");
  if (choice != nullptr) read_choice(fields, *choice, out);
  const char* field = out.is_legacy ? "function_call" : "tool_choice";
  const bool is_forced = out.choice.kind == ToolChoiceKind::kRequired;
  if (out.tools.empty() && (is_forced || !out.choice.names.empty())) {
    fields.fail(invalid_value(field, fmt::format("When using `{}`, `{}` must be set.", field,
                                                 out.is_legacy ? "functions" : "tools")));
  } else if (const std::string name = unknown_choice(out); !name.empty()) {
    fail(fields, field, fmt::format("{} is none of the tools", shown(Json(name))));
  }
  return out;
}

}  // namespace quire
