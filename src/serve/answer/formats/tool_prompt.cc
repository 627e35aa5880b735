#include "serve/answer/formats/tool_prompt.h"

#include <fmt/format.h>

#include "base/check.h"

namespace quire {
namespace {

// Python's repr, in double quotes.
std::string python_text(const Json& value) {
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  if (value.is_null()) return "None";
  std::string out;
  if (value.is_array()) {
    for (const Json& item : value.items()) out += (out.empty() ? "" : ", ") + python_text(item);
    return "[" + out + "]";
  }
  if (!value.is_object()) return dump(value);
  for (const auto& [name, item] : value.members()) {
    out += (out.empty() ? "" : ", ") + dump(Json(name)) + ": " + python_text(item);
  }
  return "{" + out + "}";
}

std::string braced_text(const Json& value, std::string_view quote) {
  if (value.is_string()) return std::string(quote) + value.as_string() + std::string(quote);
  std::string out;
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      out += (out.empty() ? "" : ",") + braced_text(item, quote);
    }
    return "[" + out + "]";
  }
  if (!value.is_object()) return dump(value);
  for (const auto& [name, item] : value.members()) {
    out += (out.empty() ? "" : ",") + name + ":" + braced_text(item, quote);
  }
  return "{" + out + "}";
}

std::string tagged_text(const CallSyntax& syntax, const Json& arguments) {
  const TagSyntax& tags = syntax.tags;
  std::string out = syntax.name_closes.empty() ? "\n" : "";
  for (const auto& [name, value] : arguments.members()) {
    const bool is_json = !value.is_string();
    const bool has_own = is_json && !tags.json_key_closes.empty();
    const std::string_view wrap = tags.wraps_lines ? "\n" : "";
    out += fmt::format("{}{}{}{}{}{}{}\n", tags.key_opens, name,
                       has_own ? tags.json_key_closes : tags.key_closes, wrap,
                       is_json ? dump(value) : value.as_string(), wrap, tags.value_closes);
  }
  return out;
}

std::string written_arguments(const CallSyntax& syntax, const Json& arguments) {
  if (syntax.arguments == ArgumentSyntax::kJson) return dump(arguments);
  if (syntax.arguments == ArgumentSyntax::kTags) return tagged_text(syntax, arguments);
  const bool is_python = syntax.arguments == ArgumentSyntax::kPython;
  std::string out;
  for (const auto& [name, value] : arguments.members()) {
    out += (out.empty() ? "" : is_python ? ", " : ",") + name + (is_python ? "=" : ":") +
           (is_python ? python_text(value) : braced_text(value, syntax.quote));
  }
  return out + (is_python ? ")" : "}");
}

std::string written_call(const CallSyntax& syntax, const std::string& name, const Json& arguments,
                         std::size_t index) {
  const std::string body = written_arguments(syntax, arguments);
  if (syntax.name == NamePlace::kMember) {
    return fmt::format("{{{}: {}, {}: {}}}", dump(Json(syntax.name_member)), dump(Json(name)),
                       dump(Json(syntax.arguments_member)), body);
  }
  if (syntax.name == NamePlace::kKey) return fmt::format("{{{}: {}}}", dump(Json(name)), body);
  std::string out;
  if (!syntax.name_opens.empty()) out = fmt::format("tools{}", syntax.name_opens);
  out += fmt::format("{}{}", syntax.name_prefix, name);
  if (!syntax.index_opens.empty()) out += fmt::format("{}{}", syntax.index_opens, index);
  return fmt::format("{}{}{}{}", out, syntax.name_follow, syntax.name_closes, body);
}

// A message's content with `text` behind it.
void append_text(Json& message, const std::string& text) {
  const Json* content = message.find("content");
  if (content != nullptr && content->is_array()) {
    Json changed = *content;
    changed.push(Json::object({{"type", "text"}, {"text", text}}));
    message.set("content", std::move(changed));
    return;
  }
  const bool has_text = content != nullptr && content->is_string() && !content->as_string().empty();
  message.set("content", has_text ? content->as_string() + "\n\n" + text : text);
}

std::string text_of_content(const Json* content) {
  if (content == nullptr) return "";
  if (content->is_string()) return content->as_string();
  std::string text;
  if (!content->is_array()) return text;
  for (const Json& part : content->items()) {
    const Json* words = part.find("text");
    if (words != nullptr && words->is_string()) text += words->as_string();
  }
  return text;
}

Json with_calls_written(const Json& message, const CallFormat& format) {
  Json out = Json::object();
  const Json* calls = message.find("tool_calls");
  if (calls == nullptr || !calls->is_array() || calls->items().empty()) return message;
  for (const auto& [name, value] : message.members()) {
    if (name != "tool_calls") out.set(name, value);
  }
  append_text(out, written_calls(format, calls->items()));
  return out;
}

}  // namespace

std::string written_calls(const CallFormat& format, std::span<const Json> calls) {
  const CallSyntax& syntax = format.syntaxes.front();
  std::string out(syntax.opens);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Json* function = calls[i].find("function");
    const Json* name = function == nullptr ? nullptr : function->find("name");
    const Json* given = function == nullptr ? nullptr : function->find("arguments");
    Json arguments = given == nullptr ? Json::object() : *given;
    if (arguments.is_string()) {
      const Result<Json> read = parse_json(arguments.as_string());
      arguments = read.is_ok() ? *read : Json::object();
    }
    if (!arguments.is_object()) arguments = Json::object();
    if (i > 0) out += syntax.separator.empty() ? "\n" : std::string(syntax.separator) + " ";
    out += syntax.call_opens;
    const bool has_name = name != nullptr && name->is_string();
    out += written_call(syntax, has_name ? name->as_string() : "", arguments, i);
    out += syntax.call_closes;
  }
  return out + std::string(syntax.closes);
}

std::string tool_instruction(std::span<const Tool> tools) {
  std::string text =
      "You may call one or more of these functions to help with the request:\n<tools>\n";
  for (const Tool& tool : tools) {
    const Result<Json> parameters = parse_json(tool.parameters);
    text += dump(Json::object({{"name", tool.name},
                               {"description", tool.description},
                               {"parameters", parameters.is_ok() ? *parameters : Json::object()}}));
    text += '\n';
  }
  return text +
         "</tools>\nFor each call write one JSON object with the function's name and its "
         "arguments, in this form and nothing else around it:\n"
         "<tool_call>{\"name\": \"function name\", \"arguments\": {\"argument\": \"value\"}}"
         "</tool_call>\nResults come back between <tool_response> and </tool_response>. Where no "
         "function is needed, answer in plain words.";
}

std::vector<Json> with_tool_words(std::vector<Json> messages, const ToolWords& words) {
  QUIRE_CHECK(words.format != nullptr || !words.writes_calls, "calls without a way to write them");
  std::vector<Json> out;
  bool is_after_result = false;
  for (Json& message : messages) {
    const Json* role = message.find("role");
    const bool is_result = role != nullptr && *role == Json("tool");
    if (words.writes_calls) message = with_calls_written(message, *words.format);
    if (!is_result || !words.writes_results) {
      out.push_back(std::move(message));
      is_after_result = false;
      continue;
    }
    const std::string text =
        "<tool_response>\n" + text_of_content(message.find("content")) + "\n</tool_response>";
    if (is_after_result) {  // results of one turn are one message
      out.back().set("content", out.back().find("content")->as_string() + "\n" + text);
    } else {
      out.push_back(Json::object({{"role", "user"}, {"content", text}}));
    }
    is_after_result = true;
  }
  if (words.told.empty()) return out;
  const Json* role = out.empty() ? nullptr : out.front().find("role");
  if (role == nullptr || *role != Json("system")) {
    out.insert(out.begin(), Json::object({{"role", "system"}, {"content", ""}}));
  }
  append_text(out.front(), tool_instruction(words.told));
  return out;
}

}  // namespace quire
