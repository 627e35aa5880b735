#include "serve/dialects/anthropic/conversation.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "serve/dialects/anthropic/request.h"
#include "serve/dialects/anthropic/tools.h"

namespace quire {
namespace {

constexpr std::size_t kKeptMax = 4;  // blocks with cache_control, as the service allows
constexpr std::string_view kBlank = " \t\n\r\v\f";

std::string text_at(const Json& object, const char* name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

// A message as it grows; turned into JSON once.
struct Said {
  std::string role, content, thought;
  std::vector<Json> calls;          // of the assistant
  std::string call_id, call_name;   // of a tool
};

void append_line(std::string_view line, std::string& text) {
  if (!text.empty()) text += '\n';
  text += line;
}

Json message_of(const Said& said) {
  Json message = Json::object({{"role", said.role}, {"content", said.content}});
  if (!said.thought.empty()) message.set("reasoning_content", said.thought);
  if (!said.calls.empty()) message.set("tool_calls", Json::array(said.calls));
  if (!said.call_id.empty()) message.set("tool_call_id", said.call_id);
  if (!said.call_name.empty()) message.set("name", said.call_name);
  return message;
}

class ConversationReader {
 public:
  ConversationReader(Fields& fields, const HostedModel* model, AnthropicWarnings& notes,
                     SentConversation& out)
      : fields_(&fields), notes_(&notes), out_(&out) {
    const bool has_template = model != nullptr && model->chat_template != nullptr;
    shows_late_system_ = has_template && model->chat_template->shows_late_system();
  }

  void read_system(bool keeps_volatile_lines);
  void keep_end();  // a cache_control stands here
  void read_messages();
  std::vector<Json> messages() const;

 private:
  bool fail(std::string path, std::string_view why) {
    fields_->fail(bad_field(std::move(path), why));
    return false;
  }
  bool refuse(const std::string& path, std::string_view what) {
    fields_->fail(unsupported_parameter(
        path, fmt::format("{}: {} not supported: this server reads text", path, what)));
    return false;
  }

  bool read_turn(const Json& turn, const std::string& path, bool is_last);
  std::string role_of(const Json& turn, const std::string& path);
  bool read_block(const Json& block, const std::string& role, const std::string& path);
  bool read_text_block(const Json& block, const std::string& role, const std::string& path);
  bool read_call(const Json& block, const std::string& path);
  bool read_result(const Json& block, const std::string& path);
  bool result_text(const Json& content, const std::string& path, std::string& out);
  bool pass_over(const Json& block, const std::string& role, const std::string& path);
  void settle_end(bool is_assistant_last);

  Said& open_message(const std::string& role);
  void append_text(const std::string& role, std::string_view text) {
    append_line(text, open_message(role).content);
  }

  Fields* fields_;
  AnthropicWarnings* notes_;
  SentConversation* out_;
  bool shows_late_system_;
  std::vector<Said> said_;
  std::map<std::string, std::string, std::less<>> call_names_;  // id -> name
};

// --- what has been read, as messages ---

// The message that text of that role goes on with: the last one or a new one.
Said& ConversationReader::open_message(const std::string& role) {
  if (said_.empty() || said_.back().role != role) said_.push_back({.role = role});
  return said_.back();
}

std::vector<Json> ConversationReader::messages() const {
  std::vector<Json> out;
  for (const Said& said : said_) out.push_back(message_of(said));
  return out;
}

void ConversationReader::keep_end() {
  if (out_->kept_ends.size() == kKeptMax) {
    fail("cache_control", fmt::format("A maximum of {} blocks with cache_control may be provided.",
                                      kKeptMax));
    return;
  }
  out_->kept_ends.push_back(messages());
}

// --- system ---

void ConversationReader::read_system(bool keeps_volatile_lines) {
  const Json* system = fields_->any("system");
  if (system == nullptr) return;
  if (!system->is_string() && !system->is_array()) {
    fail("system", "expected a string or a list of text blocks, got " + shown(*system));
    return;
  }
  if (system->is_string()) {
    const std::string text = settle_volatile_lines(system->as_string(), keeps_volatile_lines,
                                                   out_->volatile_lines);
    if (!text.empty()) append_text("system", text);
    return;
  }
  for (std::size_t i = 0; i < system->items().size(); ++i) {
    const Json& block = system->items()[i];
    const std::string path = fmt::format("system.{}", i);
    if (text_at(block, "type") != "text") {
      fail(path + ".type", "expected a text block");
      return;
    }
    const Json* text = block.find("text");
    if (text == nullptr || !text->is_string()) {
      fail(path + ".text", "Input should be a valid string");
      return;
    }
    if (text->as_string().empty()) {
      fail(path, "text content blocks must be non-empty");
      return;
    }
    const bool is_head = said_.empty();
    const std::string words =
        is_head ? settle_volatile_lines(text->as_string(), keeps_volatile_lines,
                                        out_->volatile_lines)
                : text->as_string();
    if (!words.empty()) append_text("system", words);
    if (has_cache_control(*fields_, block, path + ".")) keep_end();
  }
}

// --- messages ---

void ConversationReader::read_messages() {
  const Json* messages = fields_->any("messages");
  if (!messages->is_array() || messages->items().empty()) {
    fail("messages", "at least one message is required");
    return;
  }
  const std::vector<Json>& turns = messages->items();
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const bool is_last = i + 1 == turns.size();
    if (!read_turn(turns[i], fmt::format("messages.{}", i), is_last)) return;
  }
  if (said_.empty()) {
    fail("messages", "at least one message with text is required");
    return;
  }
  settle_end(text_at(turns.back(), "role") == "assistant");
}

// A last turn of the assistant is gone on with; one that says nothing is none.
void ConversationReader::settle_end(bool is_assistant_last) {
  if (!is_assistant_last) return;
  if (said_.empty() || said_.back().role != "assistant") return;
  if (!said_.back().calls.empty()) {
    fail("messages", "the last turn ends with `tool_use` blocks that have no `tool_result`");
    return;
  }
  const std::string& text = said_.back().content;
  if (!text.empty() && kBlank.find(text.back()) != std::string_view::npos) {
    fail("messages", "final assistant content cannot end with trailing whitespace");
    return;
  }
  if (text.empty()) {
    fail("messages", "the final assistant content has no text to go on from");
    return;
  }
  out_->chat.continue_final_message = true;
  out_->chat.add_generation_prompt = false;
}

std::string ConversationReader::role_of(const Json& turn, const std::string& path) {
  const Json* role = turn.find("role");
  if (role == nullptr) {
    fields_->fail(required_field(path + ".role"));
    return {};
  }
  const std::string name = role->is_string() ? role->as_string() : "";
  if (name == "user" || name == "assistant") return name;
  if (name == "ctx" || name == "msg") return "user";  // of late Claude Code releases
  if (name == "system") {
    // A template that wants its one system message first gets the words as a user's.
    const bool is_head = said_.empty() || (said_.size() == 1 && said_.front().role == "system");
    return is_head || shows_late_system_ ? "system" : "user";
  }
  fail(path + ".role", "expected user or assistant, got " + shown(*role));
  return {};
}

bool ConversationReader::read_turn(const Json& turn, const std::string& path, bool is_last) {
  if (!turn.is_object()) return fail(path, "an object is expected");
  const std::string role = role_of(turn, path);
  if (role.empty()) return false;
  const Json* content = turn.find("content");
  if (content == nullptr || content->is_null()) {
    fields_->fail(required_field(path + ".content"));
    return false;
  }
  if (!content->is_string() && !content->is_array()) {
    return fail(path + ".content", "expected a string or a list of blocks, got " +
                                       shown(*content));
  }
  const bool is_empty = content->is_string() ? content->as_string().empty()
                                             : content->items().empty();
  if (is_empty) {
    if (is_last && role == "assistant") return true;
    return fail(path, "all messages must have non-empty content except for the optional final "
                      "assistant message");
  }
  if (content->is_string()) {
    append_text(role, content->as_string());
    return true;
  }
  for (std::size_t i = 0; i < content->items().size(); ++i) {
    const Json& block = content->items()[i];
    const std::string place = fmt::format("{}.content.{}", path, i);
    if (!read_block(block, role, place)) return false;
    if (has_cache_control(*fields_, block, place + ".")) keep_end();
    if (fields_->error()) return false;
  }
  return true;
}

bool ConversationReader::read_block(const Json& block, const std::string& role,
                                    const std::string& path) {
  const Json* type = block.find("type");
  if (type == nullptr || !type->is_string()) return fail(path + ".type", "Field required");
  const std::string& kind = type->as_string();
  const bool is_assistant = role == "assistant";
  if (kind == "text") return read_text_block(block, role, path);
  if (kind == "image") return refuse(path, "images are");
  if (kind == "document") return refuse(path, "documents are");
  if (kind == "tool_use") {
    return is_assistant ? read_call(block, path)
                        : fail(path, "`tool_use` blocks can only be in `assistant` messages");
  }
  if (kind == "tool_result") {
    return !is_assistant ? read_result(block, path)
                         : fail(path, "`tool_result` blocks can only be in `user` messages");
  }
  if (kind == "thinking" || kind == "redacted_thinking") {
    if (!is_assistant) return fail(path, "thinking blocks can only be in `assistant` messages");
    const std::string thought = text_at(block, "thinking");
    if (kind == "thinking" && block.find("thinking") == nullptr) {
      fields_->fail(required_field(path + ".thinking"));
      return false;
    }
    if (!thought.empty()) append_line(thought, open_message("assistant").thought);
    return true;  // what is redacted nobody here can read
  }
  return pass_over(block, role, path);
}

bool ConversationReader::read_text_block(const Json& block, const std::string& role,
                                         const std::string& path) {
  const Json* text = block.find("text");
  if (text == nullptr) {
    fields_->fail(required_field(path + ".text"));
    return false;
  }
  if (!text->is_string()) return fail(path + ".text", "Input should be a valid string");
  if (text->as_string().empty()) return fail(path, "text content blocks must be non-empty");
  append_text(role, text->as_string());
  return true;
}

// Blocks of what the service hosts, sent back: their words are read, the rest is not.
bool ConversationReader::pass_over(const Json& block, const std::string& role,
                                   const std::string& path) {
  const std::string& kind = block.find("type")->as_string();
  std::string words;
  const Json* content = block.find("content");
  if (const std::string text = text_at(block, "text"); !text.empty()) {
    words = text;
  } else if (content != nullptr && content->is_array()) {
    for (const Json& part : content->items()) {
      const std::string line = text_at(part, "text");
      if (!line.empty()) words += (words.empty() ? "" : "\n") + line;
    }
  }
  if (!words.empty()) append_text(role, words);
  notes_->add("unsupported_block", kind.substr(0, 64),
              fmt::format("Blocks of this type ({}) are not known here: {}.", path,
                          words.empty() ? "it was left out" : "only its text was read"));
  return true;
}

// --- tools in the history ---

bool ConversationReader::read_call(const Json& block, const std::string& path) {
  const std::string id = text_at(block, "id"), name = text_at(block, "name");
  if (id.empty()) return fail(path + ".id", "Input should be a non-empty string");
  if (name.empty()) return fail(path + ".name", "Input should be a non-empty string");
  const Json* input = block.find("input");
  if (input == nullptr || !input->is_object()) {
    return fail(path + ".input", "Input should be a valid dictionary");
  }
  call_names_[id] = name;
  Json function = Json::object({{"name", name}, {"arguments", *input}});
  open_message("assistant").calls.push_back(
      Json::object({{"id", id}, {"type", "function"}, {"function", std::move(function)}}));
  return true;
}

bool ConversationReader::read_result(const Json& block, const std::string& path) {
  const std::string id = text_at(block, "tool_use_id");
  if (id.empty()) return fail(path + ".tool_use_id", "Input should be a non-empty string");
  const Json* failed = block.find("is_error");
  if (failed != nullptr && !failed->is_null() && !failed->is_bool()) {
    return fail(path + ".is_error", "Input should be a valid boolean");
  }
  std::string text;
  const Json* content = block.find("content");
  if (content != nullptr && !content->is_null() &&
      !result_text(*content, path + ".content", text)) {
    return false;
  }
  // No template has a place for it.
  if (failed != nullptr && failed->is_bool() && failed->as_bool()) text = "Error: " + text;
  Said result{.role = "tool", .content = std::move(text), .call_id = id};
  const auto name = call_names_.find(id);
  if (name != call_names_.end()) result.call_name = name->second;
  said_.push_back(std::move(result));
  return true;
}

bool ConversationReader::result_text(const Json& content, const std::string& path,
                                     std::string& out) {
  if (content.is_string()) {
    out = content.as_string();
    return true;
  }
  if (!content.is_array()) {
    return fail(path, "expected a string or a list of blocks, got " + shown(content));
  }
  for (std::size_t i = 0; i < content.items().size(); ++i) {
    const Json& part = content.items()[i];
    const std::string kind = text_at(part, "type"), place = fmt::format("{}.{}", path, i);
    if (kind == "image") return refuse(place, "images are");
    if (kind == "document") return refuse(place, "documents are");
    std::string words = text_at(part, kind == "tool_reference" ? "tool_name" : "text");
    if (kind == "search_result") {
      words = text_at(part, "title") + "\n" + text_at(part, "source");
      const Json* inner = part.find("content");
      for (std::size_t k = 0; inner != nullptr && inner->is_array() && k < inner->items().size();
           ++k) {
        words += "\n" + text_at(inner->items()[k], "text");
      }
    } else if (kind != "text" && kind != "tool_reference") {
      return fail(place + ".type", "expected text, got " + shown(Json(kind)));
    }
    if (!words.empty()) out += (out.empty() ? "" : "\n") + words;
  }
  return true;
}

// As the model's template can show them, in the conversation and in its parts alike.
void settle_messages(const HostedModel& model, SentConversation& sent, AnthropicWarnings& notes) {
  std::vector<Warning> warnings, again;
  ChatPrompt part;
  show_history(model, sent.chat, warnings);
  show_tools(model, sent.offered, sent.chat, warnings);
  for (std::vector<Json>& end : sent.kept_ends) {
    part.messages = std::move(end);
    part.is_dressed = false;
    show_history(model, part, again);
    show_tools(model, sent.offered, part, again);
    end = std::move(part.messages);
  }
  for (Warning& it : warnings) {
    notes.add(std::move(it.code), std::move(it.param), std::move(it.message));
  }
}

}  // namespace

SentConversation read_conversation(Fields& fields, const HostedModel* model,
                                   bool keeps_volatile_lines, AnthropicWarnings& notes) {
  SentConversation out;
  ConversationReader reader(fields, model, notes, out);
  const bool keeps_tools = read_anthropic_tools(fields, out.offered, notes);
  reader.read_system(keeps_volatile_lines);
  // Templates write the tools beside the system prompt.
  if (keeps_tools && out.kept_ends.empty()) reader.keep_end();
  if (fields.any("messages") == nullptr) fields.fail(required_field("messages"));
  if (!fields.error()) reader.read_messages();
  Json top = Json::object();
  if (const Json* control = fields.any("cache_control")) top.set("cache_control", *control);
  if (has_cache_control(fields, top, "") && out.kept_ends.size() < kKeptMax) reader.keep_end();
  out.chat.messages = reader.messages();
  if (model != nullptr) settle_messages(*model, out, notes);
  out.hides_thinking =
      read_anthropic_thinking(fields, model, out.chat, out.thought_tokens_max, notes);
  if (model == nullptr || model->chat_template != nullptr) return out;
  fields.fail(unsupported_parameter(
      "messages", model->info.chat_problem.empty()
                      ? "messages: this model has no chat template, so it cannot chat; use "
                        "/v1/completions, or serve it with --chat-template FILE"
                      : "messages: this model cannot chat, because its chat template cannot be "
                        "used: " + model->info.chat_problem));
  return out;
}

}  // namespace quire
