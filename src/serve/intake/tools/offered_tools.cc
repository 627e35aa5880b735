#include "serve/intake/tools/offered_tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text/ascii.h"
#include "serve/answer/formats/tool_prompt.h"
#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"
#include "serve/intake/tools/answer_shape.h"
#include "text/grammar/schema_check.h"

namespace quire {
namespace {

std::string text_at(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

bool is_absent(const Json* value) { return value == nullptr || value->is_null(); }

// A schema without a type is one of an object; none at all is one of no arguments.
std::optional<Json> settled_schema(const Json* parameters) {
  const Json object = Json::object({{"type", "object"}});
  if (is_absent(parameters)) {
    Json none = object;
    none.set("properties", Json::object());
    return none;
  }
  if (!parameters->is_object()) return std::nullopt;
  const Json* type = parameters->find("type");
  if (type == nullptr) {
    Json typed = object;
    for (const auto& [name, value] : parameters->members()) typed.set(name, value);
    return typed;
  }
  if (*type != Json("object")) return std::nullopt;
  return *parameters;
}

// Many templates want roles that alternate: what a tool gave, as a user's words, joins the user's.
std::vector<Json> alternating(std::vector<Json> messages) {
  std::vector<Json> out;
  for (Json& message : messages) {
    const bool joins = !out.empty() && text_at(message, "role") == "user" &&
                       text_at(out.back(), "role") == "user";
    if (!joins) {
      out.push_back(std::move(message));
      continue;
    }
    Json joined = fit_content(out.back(), ContentForm::kText);
    joined.set("content", text_at(joined, "content") + "\n" +
                              text_at(fit_content(message, ContentForm::kText), "content"));
    out.back() = std::move(joined);
  }
  return out;
}

bool is_of_tools(const Json& message) {
  const Json* calls = message.find("tool_calls");
  return text_at(message, "role") == "tool" || (calls != nullptr && calls->is_array());
}

}  // namespace

bool is_tool_name(std::string_view name) {
  const auto is_plain = [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kToolNameMax &&
         std::all_of(name.begin(), name.end(), is_plain);
}

std::optional<ToolMistake> add_tool(const GivenTool& given, bool is_strict,
                                    OfferedTools& offered) {
  if (given.name == nullptr || !given.name->is_string() || !is_tool_name(given.name->as_string())) {
    return ToolMistake{ToolField::kName, fmt::format("expected 1 to {} letters, digits, '_' and "
                                                     "'-'", kToolNameMax)};
  }
  const std::string& name = given.name->as_string();
  const auto is_same = [&](const Tool& tool) { return tool.name == name; };
  if (std::any_of(offered.tools.begin(), offered.tools.end(), is_same)) {
    return ToolMistake{ToolField::kName, fmt::format("another tool is called {}, too", name)};
  }
  if (!is_absent(given.description) && !given.description->is_string()) {
    return ToolMistake{ToolField::kDescription,
                       "expected a string, got " + shown(*given.description)};
  }
  if (!is_absent(given.strict) && !given.strict->is_bool()) {
    return ToolMistake{ToolField::kStrict,
                       "expected true or false, got " + shown(*given.strict)};
  }
  const auto schema = settled_schema(given.parameters);
  if (!schema) return ToolMistake{ToolField::kParameters, "expected the schema of an object"};
  // What cannot be kept is another matter: that is known when the grammar is made.
  const Status checked = source_of_schema(*schema).status();
  if (checked.code() == StatusCode::kInvalidArgument) {
    return ToolMistake{ToolField::kParameters, checked.message()};
  }
  Tool tool{.name = name,
            .description = is_absent(given.description) ? "" : given.description->as_string(),
            .parameters = dump(*schema),
            .is_strict = is_absent(given.strict) ? is_strict : given.strict->as_bool()};
  offered.size += tool.parameters.size() + tool.description.size();
  if (offered.size > kToolsSizeMax) {
    return ToolMistake{ToolField::kParameters,
                       fmt::format("the tools have over {} bytes together", kToolsSizeMax)};
  }
  offered.shown.push_back(Json::object(
      {{"type", "function"},
       {"function", Json::object({{"name", name}, {"description", tool.description},
                                  {"parameters", *schema}})}}));
  offered.tools.push_back(std::move(tool));
  return std::nullopt;
}

std::string unknown_choice(const OfferedTools& offered) {
  for (const std::string& name : offered.choice.names) {
    const auto is_it = [&](const Tool& tool) { return tool.name == name; };
    if (std::none_of(offered.tools.begin(), offered.tools.end(), is_it)) return name;
  }
  return {};
}

void show_tools(const HostedModel& model, const OfferedTools& offered, ChatPrompt& chat,
                std::vector<Warning>& warnings) {
  if (!offered.may_call() || model.chat_template == nullptr) return;
  const AnswerFormat format = format_of(model);
  const bool is_read = model.chat_template->has_variable("tools");
  if (is_read && !format.calls->is_generic) {
    chat.materials.emplace_back("tools", Json::array(offered.shown));
    return;
  }
  chat.messages = with_tool_words(std::move(chat.messages),
                                  {.format = format.calls, .told = offered.tools});
  warnings.push_back(
      {"tools_in_words", "tools",
       is_read ? "How this model writes calls is not known here: it is told of the tools and of a "
                 "plain form of calls in the system message. --tool-call-parser names its own form."
               : "The chat template of this model reads no tools: it is told of them in the system "
                 "message, and may not have learned to call any."});
}

void show_history(const HostedModel& model, ChatPrompt& chat, std::vector<Warning>& warnings) {
  wear_dress(model, chat);
  const ChatTemplate* own = model.chat_template.get();
  if (own == nullptr || (own->shows_tool_calls() && own->shows_tool_results())) return;
  if (std::none_of(chat.messages.begin(), chat.messages.end(), is_of_tools)) return;
  const AnswerFormat format = format_of(model);
  const bool is_plain = !own->shows_tool_calls() && format.calls->is_generic;
  const bool writes_results = is_plain || !own->shows_tool_results();
  chat.messages = with_tool_words(std::move(chat.messages),
                                  {.format = format.calls,
                                   .writes_calls = !own->shows_tool_calls(),
                                   .writes_results = writes_results});
  if (writes_results) chat.messages = alternating(std::move(chat.messages));
  warnings.push_back({"tool_history_as_text", "messages",
                      "This model's chat template has no place for tool calls and their results: "
                      "they are shown to it as text."});
}

}  // namespace quire
