#include "serve/intake/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quire {
namespace {

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

// What templates read by default, unless the request says otherwise: of two the last holds.
Result<std::vector<TokenId>> encode_with_defaults(const ChatModel& words, const ModelInfo& info,
                                                  const ChatPrompt& chat) {
  if (info.template_kwargs.empty()) return encode_chat(words, chat);
  ChatPrompt asked = chat;
  asked.template_kwargs.insert(asked.template_kwargs.begin(), info.template_kwargs.begin(),
                               info.template_kwargs.end());
  return encode_chat(words, asked);
}

}  // namespace

Parsed<std::vector<TokenId>> encode_text(const HostedModel& model, std::string_view text,
                                         bool add_special, const std::string& field, bool is_cut) {
  if (!is_cut) {
    if (auto refusal = refuse_if_hopeless(model, text, field)) return std::move(*refusal);
  }
  Result<std::vector<TokenId>> ids =
      model.tokenizer->encode(text, {.add_special = add_special, .parse_special = true});
  if (!ids.is_ok()) return no_text(ids.status(), field);
  return std::move(*ids);
}

void wear_dress(const HostedModel& model, ChatPrompt& chat) {
  if (model.dress == nullptr || std::exchange(chat.is_dressed, true)) return;
  std::vector<Json> messages = model.dress->messages;
  const Json* role = chat.messages.empty() ? nullptr : chat.messages.front().find("role");
  const bool has_system = role != nullptr && *role == Json("system");
  if (!model.dress->system.empty() && !has_system) {
    messages.insert(messages.begin(), Json::object({{"role", "system"},
                                                    {"content", model.dress->system}}));
  }
  chat.messages.insert(chat.messages.begin(), messages.begin(), messages.end());
}

Parsed<std::vector<TokenId>> encode_chat(const HostedModel& model, const ChatPrompt& chat,
                                         bool is_cut) {
  if (model.dress != nullptr && !chat.is_dressed) {
    ChatPrompt dressed = chat;
    wear_dress(model, dressed);
    return encode_chat(model, dressed, is_cut);
  }
  constexpr std::uint32_t kCutMax = 1u << 20;  // tokens of a chat before it is cut
  const std::uint32_t context = model.info.context_max;
  const ChatModel words = {*model.tokenizer, *model.chat_template, model.info.words,
                           is_cut ? std::max(context, kCutMax) : context};
  Result<std::vector<TokenId>> ids = encode_with_defaults(words, model.info, chat);
  if (ids.is_ok()) return std::move(*ids);
  if (ids.status().code() == StatusCode::kResourceExhausted) {
    return too_long(model.info, "messages", ids.status().message());
  }
  ApiError refusal = invalid_value("messages", ids.status().message());
  refusal.code = kTemplateError;
  return refusal;
}

bool keeps_states(const HostedModel& model) {
  if (model.engine == nullptr) return false;
  const std::vector<KvGroup>& groups = model.engine->capacity().groups;
  return std::any_of(groups.begin(), groups.end(), holds_states);
}

std::optional<std::uint32_t> end_of_part(const HostedModel& model, const ChatPrompt& part,
                                         const std::vector<TokenId>& prompt) {
  if (part.messages.empty()) return std::nullopt;
  auto ids = encode_chat(model, part);
  if (!ids.is_ok()) {  // some templates want to see a question
    ChatPrompt asking = part;
    asking.messages.push_back(Json::object({{"role", "user"}, {"content", "?"}}));
    ids = encode_chat(model, asking);
  }
  if (!ids.is_ok()) return std::nullopt;
  const auto end = std::mismatch(ids->begin(), ids->end(), prompt.begin(), prompt.end()).first;
  return static_cast<std::uint32_t>(end - ids->begin());
}

std::optional<ApiError> refuse_encoded(const ModelInfo& info, std::size_t prompt_tokens,
                                       const std::string& field) {
  if (info.decoder_start.empty()) {
    return ApiError{.message = "The files of this model do not say what an answer begins with "
                               "(decoder_start_token_id): it cannot answer.",
                    .param = "model",
                    .code = "model_not_capable"};
  }
  if (prompt_tokens <= info.context_max) return std::nullopt;
  return too_long(info, field, fmt::format("your {} have {} tokens", field, prompt_tokens));
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
