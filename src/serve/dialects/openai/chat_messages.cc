#include "serve/dialects/openai/chat_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 64;  // bytes, of a participant
constexpr std::string_view kReserved[] = {"messages", "add_generation_prompt", "bos_token",
                                          "eos_token", "tools"};

// One message; `where` is "messages[3]". False after a mistake.
class MessageReader {
 public:
  MessageReader(Fields& fields, std::string where) : fields_(&fields), where_(std::move(where)) {}

  bool read(const Json& message, Json& out) {
    if (!message.is_object()) return fail("", "an object is expected");
    std::string role;
    Json content;
    for (const auto& [name, value] : message.members()) {
      if (!read_member(name, value, role, content, out)) return false;
    }
    if (role.empty()) return fail(".role", "a message needs a role");
    if (!has_content_) return fail(".content", "a message needs content");
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
    if (name == "tool_calls" || name == "function_call" || name == "tool_call_id" ||
        name == "audio" || name == "refusal" || name == "reasoning_content" ||
        name == "reasoning" || name == "annotations") {
      return is_empty || refuse(field, "it is");
    }
    return fail(field, "no such field in a message");
  }

  bool read_role(const Json& value, std::string& role) {
    if (!value.is_string()) return fail(".role", "a string is expected, got " + shown(value));
    role = value.as_string();
    if (role == "developer") role = "system";
    if (role == "system" || role == "user" || role == "assistant") return true;
    if (role == "tool" || role == "function") return refuse(".role", "tool results are");
    return fail(".role", "expected system, developer, user or assistant, got " + shown(value));
  }

  bool read_name(const Json& value, Json& out) {
    if (value.is_null()) return true;
    const auto is_plain = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             c == '_' || c == '-';
    };
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
    if (kind == "image_url" || kind == "input_audio" || kind == "file" || kind == "refusal" ||
        kind == "video_url" || kind == "audio_url") {
      return refuse(where + ".type", "this model reads text; other media are");
    }
    return fail(where + ".type", "no such kind of part: " + shown(*type));
  }

  Fields* fields_;
  std::string where_;
  bool has_content_ = false;
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
  for (std::size_t i = 0; i < items.size(); ++i) {
    Json message = Json::object();
    MessageReader reader(fields, fmt::format("messages[{}]", i));
    if (!reader.read(items[i], message)) return;
    chat.messages.push_back(std::move(message));
  }
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
    const bool is_plain = value.is_null() || value.is_bool() || value.is_number();
    if (is_reserved || !is_read || !is_plain) {
      return fields.fail(unsupported_parameter(
          "chat_template_kwargs",
          fmt::format("Unsupported parameter: 'chat_template_kwargs': {} is no boolean or number "
                      "that this model's template reads.", shown(Json(name)))));
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
