#include "text/chat_prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/clock.h"
#include "text/control_text.h"

namespace quire {
namespace {

Json text_part(std::string text) {
  return Json::object({{"type", "text"}, {"text", std::move(text)}});
}

// An object, or the text of one. What is no object stays as it was written.
Json fit_arguments(const Json& arguments, bool as_text) {
  if (as_text) return arguments.is_object() ? Json(dump(arguments)) : arguments;
  if (!arguments.is_string()) return arguments;
  Result<Json> parsed = parse_json(arguments.as_string().empty() ? "{}" : arguments.as_string());
  return parsed.is_ok() && parsed->is_object() ? std::move(*parsed) : arguments;
}

// What people have written.
struct Writings {
  std::vector<Json> messages;
  std::vector<Json::Member> materials;
};

// Rebuilds `value` with every text replaced by change(text), names of members too.
template <typename Change>
Json with_all_texts(const Json& value, const Change& change) {
  if (value.is_string()) return Json(change(value.as_string()));
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& item : value.items()) list.push(with_all_texts(item, change));
    return list;
  }
  if (!value.is_object()) return value;
  std::vector<Json::Member> members;
  for (const auto& [name, inner] : value.members()) {
    members.emplace_back(change(name), with_all_texts(inner, change));
  }
  return Json::object(std::move(members));
}

// The same of a message, but for its own members' names, its role and the kinds of its parts, which
// are checked where messages are read. What a tool was called with is nobody's list.
template <typename Change>
Json with_texts(const Json& value, const Change& change) {
  if (value.is_string()) return Json(change(value.as_string()));
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& item : value.items()) list.push(with_texts(item, change));
    return list;
  }
  if (!value.is_object()) return value;
  Json object = Json::object();
  for (const auto& [name, inner] : value.members()) {
    const bool is_fixed = name == "role" || name == "type";
    object.set(name, is_fixed               ? inner
                     : name == "tool_calls" ? with_all_texts(inner, change)
                                            : with_texts(inner, change));
  }
  return object;
}

template <typename Change>
Writings with_texts(const Writings& writings, const Change& change) {
  Writings out;
  for (const Json& message : writings.messages) out.messages.push_back(with_texts(message, change));
  for (const auto& [name, value] : writings.materials) {
    out.materials.emplace_back(name, with_all_texts(value, change));
  }
  return out;
}

template <typename Visit>
void each_text(const Json& value, const Visit& visit, bool visits_names = false) {
  if (value.is_string()) return visit(value.as_string());
  if (value.is_array()) {
    for (const Json& item : value.items()) each_text(item, visit, visits_names);
  }
  if (!value.is_object()) return;
  for (const auto& [name, inner] : value.members()) {
    if (visits_names) visit(name);
    each_text(inner, visit, visits_names || name == "tool_calls");
  }
}

// The content with `tail` behind its last text; nothing if it has no text.
std::optional<Json> with_tail(const Json& content, std::string_view tail) {
  if (content.is_string()) return Json(content.as_string() + std::string(tail));
  if (!content.is_array()) return std::nullopt;
  std::vector<Json> parts = content.items();
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const Json* text = part->find("text");
    if (text == nullptr || !text->is_string()) continue;
    part->set("text", text->as_string() + std::string(tail));
    return Json::array(std::move(parts));
  }
  return std::nullopt;
}

// Two characters for private use that nobody has written.
struct Marks {
  std::string control, end;
};

Marks unused_marks(const Writings& writings) {
  std::string all = dump(Json::array(writings.messages));
  for (const auto& material : writings.materials) all += dump(material.second);
  std::vector<std::string> found;
  for (unsigned low = 0; found.size() < 2; ++low) {
    QUIRE_CHECK(low < 0x1000, "{} bytes of messages use every private character", all.size());
    const unsigned code = 0x10F000 + low;
    const std::string mark = {static_cast<char>(0xF0 | code >> 18),
                              static_cast<char>(0x80 | (code >> 12 & 0x3F)),
                              static_cast<char>(0x80 | (code >> 6 & 0x3F)),
                              static_cast<char>(0x80 | (code & 0x3F))};
    if (all.find(mark) == std::string::npos) found.push_back(mark);
  }
  return {found[0], found[1]};
}

// --- rendering ---

Result<std::string> render(const ChatModel& model, const ChatPrompt& chat, Writings writings) {
  Json context = Json::object();
  context.set("messages", Json::array(std::move(writings.messages)));
  for (auto& [name, value] : writings.materials) context.set(name, std::move(value));
  context.set("add_generation_prompt", chat.add_generation_prompt);
  context.set("bos_token", model.words.bos_text);
  context.set("eos_token", model.words.eos_text);
  for (const auto& [name, value] : chat.template_kwargs) context.set(name, value);
  RenderLimits limits;
  limits.unix_seconds = SteadyClock::unix_seconds();
  limits.utc_offset_seconds = SteadyClock::utc_offset_seconds(limits.unix_seconds);
  limits.output_size_max = model.context_max * model.tokenizer.token_size_max() + 1;
  return model.chat_template.render(dump(context), limits);
}

// A message that stays open is rendered with a mark and a blank behind its words, and the prompt
// ends at the mark. Where the blank is gone the template trims, and would have trimmed the words.
Result<std::string> render_open(const ChatModel& model, const ChatPrompt& chat,
                                Writings writings, const Marks& marks) {
  constexpr std::string_view kBlank = " \t\n\r\v\f";
  std::vector<Json>& messages = writings.messages;
  const Json* content = messages.back().find("content");
  const auto tailed = content == nullptr ? std::nullopt : with_tail(*content, marks.end + " ");
  if (!tailed) {
    return error(StatusCode::kInvalidArgument,
                 "continue_final_message: the last message has no text");
  }
  messages.back().set("content", *tailed);
  QUIRE_ASSIGN_OR_RETURN(std::string text, render(model, chat, std::move(writings)));
  const std::size_t at = text.rfind(marks.end);
  if (at == std::string::npos) {
    return error(StatusCode::kInvalidArgument,
                 "continue_final_message: the template does not keep the last message's text");
  }
  const bool is_trimmed = !std::string_view(text).substr(at).starts_with(marks.end + " ");
  text.resize(at);
  if (is_trimmed) text.resize(text.find_last_not_of(kBlank) + 1);
  return text;
}

Result<std::string> render_text(const ChatModel& model, const ChatPrompt& chat,
                                const Writings& writings, const Marks& marks) {
  Result<std::string> text = chat.continue_final_message
                                 ? render_open(model, chat, writings, marks)
                                 : render(model, chat, writings);
  if (text.is_ok()) return text;
  if (text.status().code() == StatusCode::kResourceExhausted) {
    return error(StatusCode::kResourceExhausted, "your messages render to more text than that");
  }
  return error(StatusCode::kInvalidArgument, "The chat template refuses these messages: {}",
               text.status().message());
}

// --- encoding ---

// Control tokens without a mark become themselves. A stretch between two of them that has a mark is
// encoded as letters; all the others are encoded together with the control tokens around them.
Result<std::vector<TokenId>> encode_around(const Tokenizer& tokenizer, std::string_view text,
                                           std::string_view mark, const ControlText& control,
                                           bool add_special) {
  QUIRE_ASSIGN_OR_RETURN(auto ids, tokenizer.encode("", {.add_special = add_special}));
  const auto append = [&](const std::string& piece, bool parse_special) -> Status {
    if (piece.empty()) return ok_status();
    QUIRE_ASSIGN_OR_RETURN(const auto more,
                           tokenizer.encode(piece, {.add_special = false,
                                                    .parse_special = parse_special}));
    ids.insert(ids.end(), more.begin(), more.end());
    return ok_status();
  };
  std::size_t begin = 0;  // of what is not encoded yet
  std::size_t piece = 0;  // where the text behind the last control token begins
  const auto end_piece = [&](std::size_t end) -> Status {
    const std::string_view words = text.substr(piece, end - piece);
    if (words.find(mark) == std::string_view::npos) return ok_status();
    QUIRE_RETURN_IF_ERROR(append(std::string(text.substr(begin, piece - begin)), true));
    QUIRE_RETURN_IF_ERROR(append(unmarked(words, mark), false));
    begin = end;
    return ok_status();
  };
  for (std::size_t at = 0; at < text.size();) {
    const ControlText::Token* token = control.find_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    QUIRE_RETURN_IF_ERROR(end_piece(at));
    at = piece = at + token->text.size();
  }
  QUIRE_RETURN_IF_ERROR(end_piece(text.size()));
  QUIRE_RETURN_IF_ERROR(append(std::string(text.substr(begin)), true));
  return ids;
}

Result<std::vector<TokenId>> encode_marked(const ChatModel& model, const ChatPrompt& chat,
                                           const Writings& writings, const std::string& text,
                                           const Marks& marks, const ControlText& control) {
  const auto marked = with_texts(writings, [&](const std::string& words) {
    return control.marked(words, marks.control);
  });
  const Result<std::string> overlay = render_text(model, chat, marked, marks);
  if (!overlay.is_ok() || unmarked(*overlay, marks.control) != text) {
    return error(StatusCode::kInvalidArgument,
                 "A message holds a control token of this model (such as \"<|im_end|>\") and the "
                 "chat template rewrites messages, so that it cannot be kept apart from the "
                 "conversation's own. Remove it from the message.");
  }
  return encode_around(model.tokenizer, *overlay, marks.control, control,
                       chat.add_special_tokens);
}

// Exactly one where the model's file wants one.
void settle_bos(const ChatWords& words, std::vector<TokenId>& ids) {
  if (!words.adds_bos || words.bos_id < 0) return;
  const auto is_bos = [&](TokenId id) { return id == words.bos_id; };
  ids.erase(ids.begin(), std::find_if_not(ids.begin(), ids.end(), is_bos));
  ids.insert(ids.begin(), words.bos_id);
}

}  // namespace

Json fit_content(const Json& message, ContentForm form) {
  const Json* content = message.find("content");
  if (content == nullptr) return message;
  Json fitted = message;
  if (form == ContentForm::kParts && content->is_string()) {
    fitted.set("content", Json::array({text_part(content->as_string())}));
  }
  if (form != ContentForm::kText || !content->is_array()) return fitted;
  std::string joined;
  for (const Json& part : content->items()) {
    const Json* text = part.find("text");
    if (text == nullptr || !text->is_string()) return message;  // no text could stand for it
    if (&part != &content->items().front()) joined += '\n';
    joined += text->as_string();
  }
  fitted.set("content", std::move(joined));
  return fitted;
}

Json fit_calls(const Json& message, const ChatTemplate& chat_template) {
  Json fitted = message;
  const Json* thought = message.find("reasoning_content");
  const std::string_view member = chat_template.thought_member();
  if (thought != nullptr && !member.empty()) fitted.set(std::string(member), *thought);
  const Json* calls = message.find("tool_calls");
  if (calls == nullptr || !calls->is_array()) return fitted;
  Json list = Json::array();
  for (Json call : calls->items()) {
    Json function = call.find("function") != nullptr ? *call.find("function") : Json::object();
    if (const Json* arguments = function.find("arguments")) {
      function.set("arguments",
                   fit_arguments(*arguments, chat_template.wants_arguments_as_text()));
      call.set("function", std::move(function));
    }
    list.push(std::move(call));
  }
  fitted.set("tool_calls", std::move(list));
  const Json* content = message.find("content");
  const bool is_silent = content != nullptr && *content == Json("");
  if (is_silent && chat_template.wants_calls_alone()) fitted.set("content", Json());
  return fitted;
}

Result<std::vector<TokenId>> encode_chat(const ChatModel& model, const ChatPrompt& chat) {
  QUIRE_CHECK(!chat.messages.empty(), "a chat without messages");
  std::size_t size = 0;  // bytes
  Writings writings{.messages = {}, .materials = chat.materials};
  std::vector<Json>& messages = writings.messages;
  for (const Json& message : chat.messages) {
    const Json* role = message.find("role");
    const bool has_role = role != nullptr && role->is_string();
    each_text(message, [&](const std::string& text) { size += text.size(); });
    messages.push_back(fit_content(
        fit_calls(message, model.chat_template),
        model.chat_template.content_form(has_role ? role->as_string() : "")));
  }
  if (size / model.tokenizer.token_size_max() > model.context_max ||
      messages.size() > model.context_max) {
    return error(StatusCode::kResourceExhausted, "your messages are longer than that");
  }
  const ControlText control(model.tokenizer);
  bool has_risk = false;
  const auto look = [&](const std::string& words) { has_risk |= control.has_risk(words); };
  for (const Json& message : messages) each_text(message, look);
  for (const auto& material : writings.materials) each_text(material.second, look, true);
  const bool needs_marks = has_risk || chat.continue_final_message;
  const Marks marks = needs_marks ? unused_marks(writings) : Marks{};
  QUIRE_ASSIGN_OR_RETURN(const std::string text, render_text(model, chat, writings, marks));
  if (const std::size_t tokens_min = model.tokenizer.tokens_min(text);
      tokens_min > model.context_max) {
    return error(StatusCode::kResourceExhausted, "your messages have at least {} tokens",
                 tokens_min);
  }
  Result<std::vector<TokenId>> ids =
      has_risk ? encode_marked(model, chat, writings, text, marks, control)
               : model.tokenizer.encode(text, {.add_special = chat.add_special_tokens,
                                               .parse_special = true});
  if (ids.is_ok() && chat.settles_bos) settle_bos(model.words, *ids);
  return ids;
}

}  // namespace quire
