#include "serve/dialects/openai/chat_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text/ascii.h"
#include "serve/intake/tools/offered_tools.h"

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 64;  // bytes, of a participant
constexpr std::string_view kReserved[] = {"messages", "add_generation_prompt", "bos_token",
                                          "eos_token", "tools"};

// The calls so far: id and name. A result names the id; some templates want the name.
using KnownCalls = std::vector<std::pair<std::string, std::string>>;

bool is_text(const Json* value) {
  return value != nullptr && value->is_string() && !value->as_string().empty();
}

// One message; `where` is "messages[3]". False after a mistake.
class MessageReader {
 public:
  MessageReader(Fields& fields, std::string where, KnownCalls& calls)
      : fields_(&fields), where_(std::move(where)), calls_(&calls) {}

  bool read(const Json& message, Json& out) {
    if (!message.is_object()) return fail("", "an object is expected");
    std::string role;
    Json content;
    for (const auto& [name, value] : message.members()) {
      if (!read_member(name, value, role, content, out)) return false;
    }
    if (role.empty()) return fail(".role", "a message needs a role");
    if (!settle_role(role, out)) return false;
    if (!has_content_) {
      if (!has_calls_) return fail(".content", "a message needs content");
      content = "";
    }
    // The order of a template's view: role, content, then the rest.
    Json rest = std::move(out);
    out = Json::object({{"role", role}, {"content", std::move(content)}});
    for (const auto& [name, value] : rest.members()) out.set(name, value);
    return true;
  }

 private:
  bool fail(std::string_view field, std::string_view why) {
    const std::string param = where_ + std::string(field);
    fields_->fail(invalid_value(param, fmt::format("Invalid '{}': {}.", param, why)));
    return false;
  }

  bool refuse(std::string_view field, std::string_view what) {
    const std::string param = where_ + std::string(field);
    fields_->fail(unsupported_parameter(
        param, fmt::format("Unsupported parameter: '{}': {} not supported by this server.", param,
                           what)));
    return false;
  }

  bool read_member(const std::string& name, const Json& value, std::string& role,
                   Json& content, Json& out) {
    if (name == "role") return read_role(value, role);
    if (name == "content") return read_content(value, content);
    if (name == "name") return read_name(value, out);
    const bool is_empty = value.is_null() || (value.is_array() && value.items().empty());
    const std::string field = "." + name;
    if (name == "audio" || name == "annotations") return is_empty || refuse(field, "it is");
    if (name == "tool_calls") return is_empty || read_calls(value, out);
    if (name == "function_call") return is_empty || read_function_call(value, out);
    if (name == "reasoning_content" || name == "reasoning" || name == "refusal" ||
        name == "tool_call_id") {
      if (is_empty) return true;
      if (!value.is_string()) return fail(field, "a string is expected, got " + shown(value));
      if (name == "refusal") return take_refusal(value, content);
      if (name == "tool_call_id" && value.as_string().size() > kCallIdMax) {
        return fail(field, fmt::format("expected a string of at most {} bytes", kCallIdMax));
      }
      out.set(name == "reasoning" ? "reasoning_content" : name, value);
      return true;
    }
    return fail(field, "no such field in a message");
  }

  // What the assistant said in place of an answer.
  bool take_refusal(const Json& value, Json& content) {
    if (has_content_ || value.as_string().empty()) return true;
    has_content_ = true;
    content = value;
    return true;
  }

  // What may stand in a message of that role, and what has to.
  bool settle_role(std::string& role, Json& out) {
    for (const char* name : {"tool_calls", "reasoning_content"}) {
      if (out.find(name) == nullptr || role == "assistant") continue;
      return fail(std::string(".") + name, "only an assistant's message has it");
    }
    if (role == "function") return settle_function_result(role, out);
    const Json* id = out.find("tool_call_id");
    if (role != "tool") {
      return id == nullptr || fail(".tool_call_id", "only a tool's message has it");
    }
    if (id == nullptr) return fail(".tool_call_id", "a tool's message needs it");
    const auto call = std::find_if(calls_->begin(), calls_->end(), [&](const auto& known) {
      return known.first == id->as_string();
    });
    if (call == calls_->end()) return fail(".tool_call_id", "no message before it has that call");
    if (out.find("name") == nullptr) out.set("name", call->second);
    return true;
  }

  // The past's result: it is that of the last call of that name.
  bool settle_function_result(std::string& role, Json& out) {
    const Json* name = out.find("name");
    if (name == nullptr) return fail(".name", "a function's message needs its name");
    role = "tool";
    const auto call = std::find_if(calls_->rbegin(), calls_->rend(),
                                   [&](const auto& known) { return Json(known.second) == *name; });
    if (call != calls_->rend()) out.set("tool_call_id", call->first);
    return true;
  }

  bool read_calls(const Json& value, Json& out) {
    if (!value.is_array() || value.items().size() > kToolsMax) {
      return fail(".tool_calls", fmt::format("expected a list of at most {} calls", kToolsMax));
    }
    Json calls = Json::array();
    for (std::size_t i = 0; i < value.items().size(); ++i) {
      const Json& call = value.items()[i];
      const std::string where = fmt::format(".tool_calls[{}]", i);
      const Json* id = call.find("id");
      if (!is_text(id) || id->as_string().size() > kCallIdMax) {
        return fail(where + ".id", fmt::format("expected a string of 1 to {} bytes", kCallIdMax));
      }
      Json function;
      if (!read_called(call, where, function)) return false;
      calls_->emplace_back(id->as_string(), function.find("name")->as_string());
      calls.push(Json::object({{"id", *id}, {"type", "function"},
                               {"function", std::move(function)}}));
    }
    has_calls_ = true;
    out.set("tool_calls", std::move(calls));
    return true;
  }

  // A call of a function, or of a tool that takes a text.
  bool read_called(const Json& call, const std::string& where, Json& out) {
    const Json* type = call.find("type");
    const bool is_custom = type != nullptr && *type == Json("custom");
    const std::string place = where + (is_custom ? ".custom" : ".function");
    const Json* called = call.find(is_custom ? "custom" : "function");
    if (called == nullptr) return fail(place, "an object is expected");
    if (!is_custom) return read_function(*called, place, out);
    const Json* input = called->find("input");
    const Json text = input != nullptr && input->is_string() ? *input : Json("");
    return read_function(
        Json::object({{"name", called->find("name") != nullptr ? *called->find("name") : Json()},
                      {"arguments", dump(Json::object({{"input", text}}))}}), place, out);
  }

  bool read_function(const Json& function, const std::string& where, Json& out) {
    const Json* name = function.find("name");
    const Json* arguments = function.find("arguments");
    if (!is_text(name) || name->as_string().size() > kToolNameMax) {
      return fail(where + ".name", fmt::format("expected a string of 1 to {} bytes",
                                               kToolNameMax));
    }
    if (arguments == nullptr || arguments->is_null()) {
      out = Json::object({{"name", *name}, {"arguments", "{}"}});
      return true;
    }
    if (!arguments->is_string() && !arguments->is_object()) {
      return fail(where + ".arguments", "a string is expected, got " + shown(*arguments));
    }
    out = Json::object({{"name", *name}, {"arguments", *arguments}});
    return true;
  }

  // The past's one call, which has no id.
  bool read_function_call(const Json& value, Json& out) {
    Json function;
    if (!read_function(value, ".function_call", function)) return false;
    const std::string id = fmt::format("call{:05}", calls_->size());
    calls_->emplace_back(id, function.find("name")->as_string());
    has_calls_ = true;
    out.set("tool_calls", Json::array({Json::object({{"id", id}, {"type", "function"},
                                                     {"function", std::move(function)}})}));
    return true;
  }

  bool read_role(const Json& value, std::string& role) {
    if (!value.is_string()) return fail(".role", "a string is expected, got " + shown(value));
    role = value.as_string();
    if (role == "developer") role = "system";
    constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool", "function"};
    if (std::find(std::begin(kRoles), std::end(kRoles), role) != std::end(kRoles)) return true;
    return fail(".role", "expected system, developer, user, assistant or tool, got " +
                             shown(value));
  }

  bool read_name(const Json& value, Json& out) {
    if (value.is_null()) return true;
    const auto is_plain = [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; };
    if (!value.is_string() || value.as_string().empty() ||
        value.as_string().size() > kNameSizeMax ||
        !std::all_of(value.as_string().begin(), value.as_string().end(), is_plain)) {
      return fail(".name", "expected 1 to 64 letters, digits, '_' and '-'");
    }
    out.set("name", value);
    return true;
  }

  bool read_content(const Json& value, Json& content) {
    if (value.is_null()) return true;  // as if it were absent
    has_content_ = true;
    if (value.is_string()) {
      content = value;
      return true;
    }
    if (!value.is_array()) {
      return fail(".content", "expected a string or a list of parts, got " + shown(value));
    }
    const std::vector<Json>& parts = value.items();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!check_part(parts[i], fmt::format(".content[{}]", i))) return false;
    }
    content = parts.empty() ? Json("") : value;
    return true;
  }

  bool check_part(const Json& part, const std::string& where) {
    const Json* type = part.find("type");
    if (type == nullptr || !type->is_string()) return fail(where + ".type", "a part needs a type");
    const std::string& kind = type->as_string();
    if (kind == "text") {
      const Json* text = part.find("text");
      if (text == nullptr || !text->is_string() || part.members().size() != 2) {
        return fail(where, "a text part is {\"type\":\"text\",\"text\":string}");
      }
      return true;
    }
    if (kind == "image_url" || kind == "input_audio" || kind == "file" || kind == "video_url" ||
        kind == "audio_url" || kind == "refusal") {
      return refuse(where + ".type", "this model reads text; other media are");
    }
    return fail(where + ".type", "no such kind of part: " + shown(*type));
  }

  Fields* fields_;
  std::string where_;
  KnownCalls* calls_;
  bool has_content_ = false, has_calls_ = false;
};

void read_messages(Fields& fields, const HostedModel* model, ChatPrompt& chat) {
  const Json* messages = fields.any("messages");
  if (messages == nullptr) {
    return fields.fail({.message = "You must provide messages.",
                        .param = "messages",
                        .code = "missing_required_parameter"});
  }
  if (!messages->is_array() || messages->items().empty()) {
    return fields.fail(invalid_value("messages", "Invalid 'messages': expected a list of at least "
                                                 "one message."));
  }
  const std::vector<Json>& items = messages->items();
  if (model != nullptr && items.size() > model->info.context_max) {
    return fields.fail({.message = fmt::format("This model's maximum context length is {} tokens. "
                                               "However, you sent {} messages.",
                                               model->info.context_max, items.size()),
                        .param = "messages",
                        .code = "context_length_exceeded"});
  }
  KnownCalls calls;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Json message = Json::object();
    MessageReader reader(fields, fmt::format("messages[{}]", i), calls);
    if (!reader.read(items[i], message)) return;
    chat.messages.push_back(std::move(message));
  }
}

// Such as "low": nothing that could stand for more than itself in a prompt.
bool is_word(const std::string& text) {
  constexpr std::size_t kSizeMax = 64;  // bytes
  return text.size() <= kSizeMax && std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '-' || c == ' ' || c == '.';
         });
}

void read_kwargs(Fields& fields, const HostedModel* model, ChatPrompt& chat) {
  if (fields.any("chat_template") != nullptr) {
    fields.fail(unsupported_parameter("chat_template", "Unsupported parameter: 'chat_template': "
                                                       "templates of clients are not run."));
  }
  const Json* kwargs = fields.any("chat_template_kwargs");
  if (kwargs == nullptr) return;
  if (!kwargs->is_object()) {
    return fields.fail(invalid_value("chat_template_kwargs", "Invalid 'chat_template_kwargs': "
                                                             "expected an object."));
  }
  for (const auto& [name, value] : kwargs->members()) {
    const bool is_reserved = std::find(std::begin(kReserved), std::end(kReserved), name) !=
                             std::end(kReserved);
    const bool is_read = model != nullptr && model->chat_template != nullptr &&
                         model->chat_template->has_variable(name);
    const bool is_plain = value.is_null() || value.is_bool() || value.is_number() ||
                          (value.is_string() && is_word(value.as_string()));
    if (is_reserved || !is_read || !is_plain) {
      return fields.fail(unsupported_parameter(
          "chat_template_kwargs",
          fmt::format("Unsupported parameter: 'chat_template_kwargs': {} is no boolean, number or "
                      "word that this model's template reads.", shown(Json(name)))));
    }
    chat.template_kwargs.emplace_back(name, value);
  }
}

}  // namespace

void read_documents(Fields& fields, const HostedModel* model, ChatPrompt& chat) {
  const Json* documents = fields.any("documents");
  if (documents == nullptr) return;
  const bool is_good = documents->is_array() &&
                       std::all_of(documents->items().begin(), documents->items().end(),
                                   [](const Json& item) { return item.is_object(); });
  if (!is_good) {
    return fields.fail(invalid_value("documents", "Invalid 'documents': expected a list of "
                                                  "objects, got " + shown(*documents) + "."));
  }
  if (documents->items().empty()) return;
  const bool is_read = model != nullptr && model->chat_template != nullptr &&
                       model->chat_template->has_variable("documents");
  if (!is_read) {
    return fields.fail(unsupported_parameter("documents", "Unsupported parameter: 'documents': "
                                                          "this model's chat template does not "
                                                          "read them."));
  }
  chat.materials.emplace_back("documents", *documents);
}

ChatPrompt read_chat_prompt(Fields& fields, const HostedModel* model) {
  ChatPrompt chat;
  read_messages(fields, model, chat);
  read_kwargs(fields, model, chat);
  chat.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
  chat.continue_final_message = fields.boolean("continue_final_message").value_or(false);
  if (chat.continue_final_message && chat.add_generation_prompt) {
    fields.fail({.message = "Cannot set both `continue_final_message` and `add_generation_prompt` "
                            "to True.",
                 .param = "continue_final_message",
                 .code = "mutually_exclusive_parameters"});
  }
  if (model != nullptr && model->chat_template == nullptr && !model->info.chat_problem.empty()) {
    fields.fail(unsupported_parameter(
        "messages", "This model cannot chat, because its chat template cannot be used: " +
                        model->info.chat_problem +
                        ". Use /v1/completions, or serve it with --chat-template FILE."));
  }
  if (model != nullptr && model->chat_template == nullptr) {
    fields.fail(unsupported_parameter("messages", "This model has no chat template, so it cannot "
                                                  "chat. Use /v1/completions, or serve it with "
                                                  "--chat-template FILE."));
  }
  return chat;
}

}  // namespace quire
