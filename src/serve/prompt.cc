#include "serve/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace quire {
namespace {

// A stretch of the rendered text that came from a message's content.
struct ContentSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
};

ApiError too_long(const ModelInfo& info, const std::string& field, std::string_view what) {
  return {.message = fmt::format("This model's maximum context length is {} tokens. However, {}. "
                                 "Please reduce the length of the {}.",
                                 info.context_max, what, field),
          .param = field,
          .code = "context_length_exceeded"};
}

std::optional<ApiError> refuse_if_hopeless(const HostedModel& model, std::string_view text,
                                           const std::string& field) {
  const std::size_t tokens_min = model.tokenizer->tokens_min(text);
  if (tokens_min <= model.info.context_max) return std::nullopt;
  return too_long(model.info, field,
                  fmt::format("your {} have at least {} tokens", field, tokens_min));
}

ApiError no_text(const Status& status, const std::string& field) {
  return invalid_value(field, fmt::format("The {} cannot be tokenized: {}", field,
                                          status.message()));
}

// --- control tokens ---

struct ControlToken {
  std::string_view text;
  TokenId id = -1;
};

std::vector<ControlToken> control_tokens(const Tokenizer& tokenizer) {
  std::vector<ControlToken> tokens;
  for (const TokenId id : tokenizer.special_tokens()) {
    if (!tokenizer.token_text(id).empty()) tokens.push_back({tokenizer.token_text(id), id});
  }
  // The longest that matches at a place is the one that counts there.
  std::sort(tokens.begin(), tokens.end(), [](const ControlToken& a, const ControlToken& b) {
    return a.text.size() > b.text.size();
  });
  return tokens;
}

bool holds_control_text(std::string_view text, const std::vector<ControlToken>& tokens) {
  return std::any_of(tokens.begin(), tokens.end(), [&](const ControlToken& token) {
    return text.find(token.text) != std::string_view::npos;
  });
}

// --- where the contents are in the rendered text ---

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\v\f";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string placeholder(std::size_t index) {
  return fmt::format("\xEE\x82\xA1quire-content-{}\xEE\x82\xA2", index);
}

// Renders again with a placeholder for each content and lays the result over `text`. Nothing if the
// template does more to a content than trimming it.
std::optional<std::vector<ContentSpan>> find_contents(
    std::string_view text, std::string_view with_placeholders,
    const std::vector<std::string_view>& contents) {
  std::vector<ContentSpan> spans;
  std::size_t at = 0;
  while (!with_placeholders.empty()) {
    const std::size_t next = with_placeholders.find("\xEE\x82\xA1quire-content-");
    const std::string_view own = with_placeholders.substr(0, next);
    if (!text.substr(at).starts_with(own)) return std::nullopt;
    at += own.size();
    if (next == std::string_view::npos) break;
    with_placeholders.remove_prefix(next);
    const auto found = std::find_if(contents.begin(), contents.end(), [&](const auto& content) {
      const auto index = static_cast<std::size_t>(&content - contents.data());
      return with_placeholders.starts_with(placeholder(index));
    });
    if (found == contents.end()) return std::nullopt;
    with_placeholders.remove_prefix(
        placeholder(static_cast<std::size_t>(found - contents.begin())).size());
    const std::string_view content = text.substr(at).starts_with(*found) ? *found : trimmed(*found);
    if (!text.substr(at).starts_with(content)) return std::nullopt;
    spans.push_back({at, at + content.size()});
    at += content.size();
  }
  if (at != text.size()) return std::nullopt;
  return spans;
}

// The text between control tokens is encoded as the tokenizer would encode it there anyway; only a
// control token that lies in a content, wholly or in part, stays text.
Result<std::vector<TokenId>> encode_around(const Tokenizer& tokenizer, std::string_view text,
                                           const std::vector<ControlToken>& tokens,
                                           const std::vector<ContentSpan>& contents,
                                           bool add_special) {
  QUIRE_ASSIGN_OR_RETURN(auto ids, tokenizer.encode("", {.add_special = add_special}));
  std::size_t begin = 0;  // of the text not encoded yet
  const auto encode_up_to = [&](std::size_t end) -> Status {
    if (end == begin) return ok_status();
    QUIRE_ASSIGN_OR_RETURN(auto piece, tokenizer.encode(text.substr(begin, end - begin),
                                                        {.add_special = false}));
    ids.insert(ids.end(), piece.begin(), piece.end());
    return ok_status();
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto token = std::find_if(tokens.begin(), tokens.end(), [&](const ControlToken& token) {
      return text.substr(at).starts_with(token.text);
    });
    const std::size_t end = token == tokens.end() ? at + 1 : at + token->text.size();
    const bool is_content = std::any_of(contents.begin(), contents.end(), [&](ContentSpan span) {
      return at < span.end && end > span.begin;
    });
    if (token == tokens.end() || is_content) {
      ++at;
      continue;
    }
    QUIRE_RETURN_IF_ERROR(encode_up_to(at));
    ids.push_back(token->id);
    at = begin = end;
  }
  QUIRE_RETURN_IF_ERROR(encode_up_to(text.size()));
  return ids;
}

// --- rendering ---

std::vector<std::string_view> contents_of(const std::vector<Json>& messages) {
  std::vector<std::string_view> contents;
  for (const Json& message : messages) {
    const Json* content = message.find("content");
    const bool is_text = content != nullptr && content->is_string();
    contents.push_back(is_text ? std::string_view(content->as_string()) : std::string_view());
  }
  return contents;
}

Result<std::string> render(const HostedModel& model, const ChatPrompt& chat,
                           std::vector<Json> messages) {
  const ModelInfo& info = model.info;
  Json context = Json::object();
  context.set("messages", Json::array(std::move(messages)));
  context.set("add_generation_prompt", chat.add_generation_prompt);
  context.set("bos_token", info.bos_text);
  context.set("eos_token", info.eos_text);
  for (const auto& [name, value] : chat.template_kwargs) context.set(name, value);
  RenderLimits limits;
  limits.unix_seconds = SteadyClock::unix_seconds();
  limits.output_size_max = std::size_t{info.context_max} * model.tokenizer->token_size_max() + 1;
  return model.chat_template->render(dump(context), limits);
}

// The last message stays open: what the template writes after its content is dropped.
Status leave_final_message_open(std::string_view content, std::string& text) {
  const std::string_view wanted = trimmed(content);
  const std::size_t at = text.rfind(wanted);
  if (at == std::string::npos) {
    return error(StatusCode::kInvalidArgument,
                 "continue_final_message: the template does not keep the last message's text");
  }
  text.resize(at + wanted.size());
  return ok_status();
}

Parsed<std::string> render_text(const HostedModel& model, const ChatPrompt& chat) {
  Result<std::string> text = render(model, chat, chat.messages);
  if (text.is_ok() && chat.continue_final_message) {
    const Status status = leave_final_message_open(contents_of(chat.messages).back(), *text);
    if (!status.is_ok()) text = status;
  }
  if (text.is_ok()) return std::move(*text);
  if (text.status().code() == StatusCode::kResourceExhausted) {
    return too_long(model.info, "messages", "your messages render to more text than that");
  }
  return invalid_value("messages", fmt::format("The chat template refuses these messages: {}",
                                               text.status().message()));
}

Parsed<std::vector<TokenId>> encode_apart(const HostedModel& model, const ChatPrompt& chat,
                                          std::string_view text,
                                          const std::vector<ControlToken>& tokens) {
  std::vector<Json> messages = chat.messages;
  for (std::size_t i = 0; i < messages.size(); ++i) messages[i].set("content", placeholder(i));
  ChatPrompt with_placeholders = chat;
  with_placeholders.messages = messages;
  Parsed<std::string> overlay = render_text(model, with_placeholders);
  const auto spans = overlay.is_ok()
                         ? find_contents(text, *overlay, contents_of(chat.messages))
                         : std::nullopt;
  if (!spans) {
    return invalid_value("messages", "A message's content holds the text of a control token, and "
                                     "this model's chat template does not allow to keep them "
                                     "apart.");
  }
  Result<std::vector<TokenId>> ids = encode_around(*model.tokenizer, text, tokens, *spans,
                                                   chat.add_special_tokens);
  if (!ids.is_ok()) return no_text(ids.status(), "messages");
  return std::move(*ids);
}

}  // namespace

Parsed<std::vector<TokenId>> encode_text(const HostedModel& model, std::string_view text,
                                         bool add_special, const std::string& field) {
  if (auto refusal = refuse_if_hopeless(model, text, field)) return std::move(*refusal);
  Result<std::vector<TokenId>> ids =
      model.tokenizer->encode(text, {.add_special = add_special, .parse_special = true});
  if (!ids.is_ok()) return no_text(ids.status(), field);
  return std::move(*ids);
}

Parsed<std::vector<TokenId>> encode_chat(const HostedModel& model, const ChatPrompt& chat) {
  std::size_t content_size = 0;  // bytes
  const std::vector<std::string_view> contents = contents_of(chat.messages);
  for (const std::string_view content : contents) content_size += content.size();
  if (content_size / model.tokenizer->token_size_max() > model.info.context_max ||
      contents.size() > model.info.context_max) {
    return too_long(model.info, "messages", "your messages are longer than that");
  }
  Parsed<std::string> text = render_text(model, chat);
  if (!text.is_ok()) return text.error();
  if (auto refusal = refuse_if_hopeless(model, *text, "messages")) return std::move(*refusal);

  const std::vector<ControlToken> tokens = control_tokens(*model.tokenizer);
  const bool is_mixed =
      std::any_of(contents.begin(), contents.end(), [&](std::string_view content) {
        return holds_control_text(content, tokens);
      });
  if (is_mixed) return encode_apart(model, chat, *text, tokens);
  return encode_text(model, *text, chat.add_special_tokens, "messages");
}

Parsed<int> fit_tokens_max(const ModelInfo& info, std::size_t prompt_tokens,
                           std::optional<std::int64_t> asked, std::int64_t fallback,
                           const std::string& field) {
  const auto prompt = static_cast<std::int64_t>(prompt_tokens);
  const std::int64_t room = static_cast<std::int64_t>(info.context_max) - prompt;
  if (asked && *asked > room) {
    return too_long(info, field,
                    fmt::format("you requested {} tokens ({} in the {}, {} in the completion)",
                                prompt + *asked, prompt, field, *asked));
  }
  if (!asked && room < 1) {
    return too_long(info, field, fmt::format("your {} have {} tokens", field, prompt));
  }
  return static_cast<int>(asked.value_or(std::min(fallback, room)));
}

}  // namespace quire
