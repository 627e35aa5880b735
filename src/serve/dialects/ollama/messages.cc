#include "serve/dialects/ollama/messages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text/ascii.h"
#include "serve/dialects/ollama/options.h"

namespace quire {
namespace {

constexpr std::size_t kCallsMax = 1024;    // of a message

bool is_empty(const Json& value) {
  return value.is_null() || (value.is_string() && value.as_string().empty()) ||
         (value.is_array() && value.items().empty());
}

void fail(Fields& fields, std::string where, std::string why) {
  std::string message = fmt::format("{}: {}", where, why);
  fields.fail(invalid_value(std::move(where), std::move(message)));
}

// Nothing after a mistake.
std::optional<Json> read_call(Fields& fields, const Json& call, const std::string& where) {
  const Json* function = call.find("function");
  const Json* name = function != nullptr ? function->find("name") : nullptr;
  if (name == nullptr || !name->is_string()) {
    fail(fields, where, "a tool call needs a function with a name");
    return std::nullopt;
  }
  const Json* arguments = function->find("arguments");
  const bool is_absent = arguments == nullptr || arguments->is_null();
  if (!is_absent && !arguments->is_object()) {
    fail(fields, where + ".function.arguments", "an object is expected");
    return std::nullopt;
  }
  const Json* id = call.find("id");
  Json made = Json::object();
  if (id != nullptr && id->is_string() && id->as_string().size() <= kCallIdMax) made.set("id", *id);
  made.set("type", "function");
  made.set("function", Json::object({{"name", *name},
                                     {"arguments", is_absent ? Json::object() : *arguments}}));
  return made;
}

std::optional<Json> read_calls(Fields& fields, const Json& calls, const std::string& where) {
  if (!calls.is_array() || calls.items().size() > kCallsMax) {
    fail(fields, where, fmt::format("a list of at most {} calls is expected", kCallsMax));
    return std::nullopt;
  }
  Json list = Json::array();
  for (std::size_t i = 0; i < calls.items().size(); ++i) {
    auto call = read_call(fields, calls.items()[i], fmt::format("{}[{}]", where, i));
    if (!call) return std::nullopt;
    list.push(std::move(*call));
  }
  return list;
}

std::string text_of(Fields& fields, const Json& message, const char* name,
                    const std::string& where) {
  const Json* value = message.find(name);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return value->as_string();
  fail(fields, where + "." + name, "a string is expected, got " + shown(*value));
  return {};
}

void warn_of_members(const Json& message, std::vector<Warning>& warnings) {
  constexpr std::string_view kKnown[] = {"role", "content", "thinking", "images", "tool_calls",
                                         "tool_name", "tool_call_id"};
  for (const auto& [name, value] : message.members()) {
    if (is_empty(value) ||
        std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown)) {
      continue;
    }
    add_warning(warnings, {"unknown_parameter", "messages." + name.substr(0, kNameShown),
                           "This member of a message is not known here and was ignored."});
  }
}

Json read_message(Fields& fields, const Json& message, const std::string& where,
                  std::vector<Warning>& warnings) {
  Json out = Json::object();
  if (!message.is_object()) {
    fail(fields, where, "an object is expected");
    return out;
  }
  const std::string role = lower_ascii(text_of(fields, message, "role", where));
  constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool"};
  if (std::find(std::begin(kRoles), std::end(kRoles), role) == std::end(kRoles)) {
    fail(fields, where + ".role", "invalid role " + shown(Json(role)) +
                                      "; expected system, user, assistant or tool");
  }
  out.set("role", role);
  out.set("content", text_of(fields, message, "content", where));
  refuse_images(fields, message.find("images"), where + ".images");
  const std::string thought = text_of(fields, message, "thinking", where);
  if (!thought.empty() && role == "assistant") out.set("reasoning_content", thought);
  if (const Json* calls = message.find("tool_calls"); calls != nullptr && !is_empty(*calls)) {
    auto read = read_calls(fields, *calls, where + ".tool_calls");
    if (read && role == "assistant") out.set("tool_calls", std::move(*read));
  }
  if (role == "tool") {
    const std::string name = text_of(fields, message, "tool_name", where);
    const std::string id = text_of(fields, message, "tool_call_id", where);
    if (!name.empty()) out.set("name", name);
    if (!id.empty()) out.set("tool_call_id", id);
  }
  warn_of_members(message, warnings);
  return out;
}

void read_tool(Fields& fields, const Json& tool, const std::string& where, OfferedTools& offered) {
  const Json* type = tool.find("type");
  const Json* function = tool.find("function");
  const bool is_function = type == nullptr || *type == Json("function") || *type == Json("");
  if (!is_function) {
    return fields.fail(unsupported_parameter(
        where + ".type", fmt::format("{}.type: tools of type {} are not supported, only functions",
                                     where, shown(*type))));
  }
  if (function == nullptr || !function->is_object()) {
    return fail(fields, where + ".function", "an object is expected");
  }
  const GivenTool given = {.name = function->find("name"),
                           .description = function->find("description"),
                           .parameters = function->find("parameters"),
                           .strict = nullptr};
  const auto mistake = add_tool(given, false, offered);
  if (!mistake) return;
  const char* member = mistake->field == ToolField::kName          ? "name"
                       : mistake->field == ToolField::kDescription ? "description"
                                                                   : "parameters";
  fail(fields, where + ".function." + member, mistake->why);
}

}  // namespace

void refuse_images(Fields& fields, const Json* images, const std::string& where) {
  if (images == nullptr || is_empty(*images)) return;
  fields.fail(unsupported_parameter(where, where + ": this server's models do not support images; "
                                                   "they read text"));
}

std::vector<Json> read_ollama_messages(Fields& fields, std::size_t messages_max,
                                       std::vector<Warning>& warnings) {
  std::vector<Json> out;
  const Json* messages = fields.any("messages");
  if (messages == nullptr) return out;
  if (!messages->is_array()) {
    fail(fields, "messages", "a list is expected, got " + shown(*messages));
    return out;
  }
  if (messages->items().size() > messages_max) {
    fail(fields, "messages", fmt::format("at most {} messages", messages_max));
    return out;
  }
  for (std::size_t i = 0; i < messages->items().size() && !fields.error(); ++i) {
    out.push_back(
        read_message(fields, messages->items()[i], fmt::format("messages[{}]", i), warnings));
  }
  return out;
}

OfferedTools read_ollama_tools(Fields& fields) {
  OfferedTools offered;
  const Json* tools = fields.any("tools");
  if (tools == nullptr) return offered;
  if (!tools->is_array() || tools->items().size() > kToolsMax) {
    fail(fields, "tools", fmt::format("a list of at most {} tools is expected", kToolsMax));
    return offered;
  }
  for (std::size_t i = 0; i < tools->items().size() && !fields.error(); ++i) {
    read_tool(fields, tools->items()[i], fmt::format("tools[{}]", i), offered);
  }
  return offered;
}

}  // namespace quire
