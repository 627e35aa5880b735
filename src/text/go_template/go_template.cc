#include "text/go_template/go_template.h"

#include <algorithm>

#include "text/go_template/parser.h"

namespace quire {
namespace {

std::string text_at(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

// As Ollama marshals a call; templates read its members by the names of Go's fields.
Json call_of(const Json& call, std::size_t index) {
  const Json* function = call.find("function");
  Json made = Json::object({{"index", index}});
  if (function != nullptr) {
    made.set("name", text_at(*function, "name"));
    const Json* arguments = function->find("arguments");
    made.set("arguments", arguments != nullptr ? *arguments : Json::object());
  }
  Json all = Json::object();
  if (const std::string id = text_at(call, "id"); !id.empty()) all.set("id", id);
  all.set("function", std::move(made));
  return all;
}

Json message_of(const Json& message) {
  Json made = Json::object({{"Role", text_at(message, "role")},
                            {"Content", text_at(message, "content")},
                            {"Thinking", text_at(message, "reasoning_content")},
                            {"ToolName", text_at(message, "name")},
                            {"ToolCallID", text_at(message, "tool_call_id")},
                            {"Images", Json::array()}});
  Json calls = Json::array();
  if (const Json* given = message.find("tool_calls"); given != nullptr && given->is_array()) {
    for (std::size_t i = 0; i < given->items().size(); ++i) {
      calls.push(call_of(given->items()[i], i));
    }
  }
  made.set("ToolCalls", std::move(calls));
  return made;
}

Json tools_of(const Json& context) {
  const Json* given = context.find("tools");
  return given != nullptr && given->is_array() ? *given : Json::array();
}

bool may_join(const Json& message) {
  const Json* calls = message.find("ToolCalls");
  return message.find("Role")->as_string() != "tool" && calls->items().empty();
}

// Messages of one role that follow each other are one.
Json joined(const Json& context) {
  std::vector<Json> messages;
  const Json* given = context.find("messages");
  if (given == nullptr || !given->is_array()) return Json::array();
  std::string content;  // of the last one, set when the next begins
  for (const Json& item : given->items()) {
    Json message = message_of(item);
    const bool is_same = !messages.empty() && may_join(messages.back()) && may_join(message) &&
                         *messages.back().find("Role") == *message.find("Role");
    if (is_same) {
      content += "\n\n" + text_at(message, "Content");
      continue;
    }
    if (!messages.empty()) messages.back().set("Content", std::move(content));
    content = text_at(message, "Content");
    messages.push_back(std::move(message));
  }
  if (!messages.empty()) messages.back().set("Content", std::move(content));
  return Json::array(std::move(messages));
}

std::string system_of(const Json& context) {
  std::string system;
  const Json* given = context.find("messages");
  if (given == nullptr || !given->is_array()) return system;
  for (const Json& message : given->items()) {
    if (text_at(message, "role") != "system") continue;
    system += system.empty() ? "" : "\n\n";
    system += text_at(message, "content");
  }
  return system;
}

Json thinking_of(const Json& context) {
  const Json* thinks = context.find("enable_thinking");
  const std::string effort = text_at(context, "reasoning_effort");
  const bool is_set = thinks != nullptr && thinks->is_bool();
  return Json::object({{"Think", is_set ? thinks->as_bool() : !effort.empty()},
                       {"ThinkLevel", effort},
                       {"IsThinkSet", is_set || !effort.empty()}});
}

Json with(const Json& common, std::vector<Json::Member> members) {
  Json data = common;
  for (auto& [name, value] : members) data.set(name, std::move(value));
  return data;
}

}  // namespace

Result<std::shared_ptr<const GoTemplate>> GoTemplate::compile(std::string_view source) {
  auto made = std::make_shared<GoTemplate>();
  made->source_ = source;
  QUIRE_ASSIGN_OR_RETURN(made->tree_, go::parse(source));
  if (!made->has_field("Messages") && !made->has_field("Response")) {
    QUIRE_ASSIGN_OR_RETURN(made->tree_, go::parse(std::string(source) + "{{ .Response }}"));
  }
  return std::shared_ptr<const GoTemplate>(std::move(made));
}

bool GoTemplate::has_field(std::string_view name) const {
  return std::binary_search(tree_.fields.begin(), tree_.fields.end(), name);
}

Result<std::string> GoTemplate::render(const Json& data, const go::Limits& limits) const {
  return go::render(tree_, data, limits, false);
}

Result<std::string> GoTemplate::render_chat(const Json& context, const go::Limits& limits) const {
  Json common = thinking_of(context);
  common.set("Tools", tools_of(context));
  const Json messages = joined(context);
  if (!has_field("Messages")) return render_turns(messages, common, limits);
  return render(with(common, {{"System", system_of(context)}, {"Messages", messages},
                              {"Prompt", ""}, {"Response", ""}, {"Suffix", ""}}),
                limits);
}

// A turn is a system message, a prompt and a response; the last is cut where its answer goes.
Result<std::string> GoTemplate::render_turns(const Json& messages, const Json& common,
                                             const go::Limits& limits) const {
  std::string out, system, prompt, response;
  go::Limits left = limits;
  Json turn = common;
  const auto flush = [&](bool is_last) -> Status {
    left.output_max = limits.output_max - out.size();
    turn.set("System", system);
    turn.set("Prompt", prompt);
    turn.set("Response", response);
    turn.set("Suffix", "");
    std::uint64_t steps = 0;
    QUIRE_ASSIGN_OR_RETURN(const std::string text, go::render(tree_, turn, left, is_last, &steps));
    left.steps_max -= steps;
    out += text;
    system.clear();
    prompt.clear();
    response.clear();
    return ok_status();
  };
  for (const Json& message : messages.items()) {
    const std::string role = text_at(message, "Role"), content = text_at(message, "Content");
    if (role == "system") {
      if (!prompt.empty() || !response.empty()) QUIRE_RETURN_IF_ERROR(flush(false));
      system = content;
    } else if (role == "user") {
      if (!response.empty()) QUIRE_RETURN_IF_ERROR(flush(false));
      prompt = content;
    } else if (role == "assistant") {
      response = content;
    }
  }
  QUIRE_RETURN_IF_ERROR(flush(true));
  return out;
}

Result<std::string> GoTemplate::render_gap(std::string_view before, std::string_view behind,
                                           const go::Limits& limits) const {
  return render(Json::object({{"Prompt", before}, {"Suffix", behind}, {"Response", ""},
                              {"System", ""}, {"Messages", Json::array()},
                              {"Tools", Json::array()}}),
                limits);
}

}  // namespace quire
