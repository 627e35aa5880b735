#include "serve/dialects/ollama/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/intake/prompt.h"
#include "text/fill_in_middle.h"

namespace quire {
namespace {

ApiError too_long(const std::string& field) {
  return {.message = "the input length exceeds the context length", .param = field,
          .code = "context_length_exceeded"};
}

bool is_too_long(const ApiError& error) { return error.code == "context_length_exceeded"; }

const char* field_of(const OllamaRequest& request) {
  return request.is_chat ? "messages" : "prompt";
}

std::size_t room_of(const OllamaRequest& request) {
  return context_of(request) - std::size_t{1};  // an answer has a token
}

bool may_drop(const ChatPrompt& chat, std::size_t message) {
  const Json* role = chat.messages[message].find("role");
  return message + 1 < chat.messages.size() && role != nullptr && *role != Json("system");
}

ChatPrompt without_oldest(const ChatPrompt& chat, std::size_t count) {
  ChatPrompt rest = chat;
  rest.messages.clear();
  for (std::size_t i = 0; i < chat.messages.size(); ++i) {
    if (count > 0 && may_drop(chat, i)) {
      --count;
    } else {
      rest.messages.push_back(chat.messages[i]);
    }
  }
  return rest;
}

// With the model's template, or the one that the request brings.
Parsed<std::vector<TokenId>> encode_templated(const OllamaRequest& request, ChatPrompt chat,
                                              bool is_cut) {
  const HostedModel& model = *request.model;
  if (request.chat_template == nullptr) return encode_chat(model, chat, is_cut);
  constexpr std::uint32_t kCutMax = 1u << 20;  // tokens of a chat before it is cut
  wear_dress(model, chat);
  const std::uint32_t context = model.info.context_max;
  auto ids = encode_chat(ChatModel{*model.tokenizer, *request.chat_template, model.info.words,
                                   is_cut ? std::max(context, kCutMax) : context},
                         chat);
  if (ids.is_ok()) return std::move(*ids);
  if (ids.status().code() == StatusCode::kResourceExhausted) return too_long(field_of(request));
  return invalid_value("template", ids.status().message());
}

// Ids that fit; nothing: they do not, or the error.
Parsed<std::optional<std::vector<TokenId>>> try_chat(const OllamaRequest& request,
                                                     const ChatPrompt& chat) {
  using Ids = std::optional<std::vector<TokenId>>;
  auto ids = encode_templated(request, chat, false);
  if (!ids.is_ok() && is_too_long(ids.error())) return Ids();
  if (!ids.is_ok()) return ids.error();
  if (ids->size() > room_of(request)) return Ids();
  return Ids(std::move(*ids));
}

}  // namespace

std::uint32_t context_of(const OllamaRequest& request) {
  const std::uint32_t most = request.model->info.context_max;
  const std::uint32_t asked = request.options.context_max;
  return std::max(asked == 0 ? most : std::min(asked, most), std::uint32_t{2});
}

Parsed<std::vector<TokenId>> encode_fitting(OllamaRequest& request, ChatPrompt chat) {
  auto whole = try_chat(request, chat);
  if (!whole.is_ok()) return whole.error();
  if (*whole) return std::move(**whole);
  if (!request.truncates) return too_long(field_of(request));
  std::size_t most = 0;
  for (std::size_t i = 0; i < chat.messages.size(); ++i) most += may_drop(chat, i) ? 1 : 0;
  std::size_t low = 1, high = most + 1;  // of those that fit the least is in [low, high)
  std::optional<std::vector<TokenId>> best;
  std::size_t dropped = most;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    auto fitting = try_chat(request, without_oldest(chat, middle));
    if (fitting.is_ok() && *fitting) {
      best = std::move(*fitting);
      dropped = middle;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (dropped > 0) {
    add_warning(request.warned, {"truncated", field_of(request),
                                 fmt::format("The chat does not fit the context of {} tokens: the "
                                             "{} oldest messages were left out.",
                                             context_of(request), dropped)});
  }
  if (best) return std::move(*best);
  auto ids = encode_templated(request, without_oldest(chat, most), true);
  if (!ids.is_ok()) return ids.error();
  return fit_tokens(request, std::move(*ids), field_of(request));
}

Parsed<std::vector<TokenId>> encode_plain(OllamaRequest& request, std::string_view text) {
  auto ids = encode_text(*request.model, text, true, "prompt", request.truncates);
  if (!ids.is_ok() && is_too_long(ids.error())) return too_long("prompt");
  if (!ids.is_ok()) return ids.error();
  return fit_tokens(request, std::move(*ids), "prompt");
}

Parsed<std::vector<TokenId>> encode_between(OllamaRequest& request, std::string_view before,
                                            std::string_view behind) {
  const HostedModel& model = *request.model;
  const auto tokens = find_gap_tokens(*model.tokenizer);
  if (!tokens) {
    return unsupported_parameter("suffix", fmt::format("\"{}\" does not support insert",
                                                       request.model_name));
  }
  auto ids = encode_gap(*model.tokenizer, *tokens, before, behind);
  if (!ids.is_ok()) return invalid_value("prompt", ids.status().message());
  if (ids->size() > room_of(request)) return too_long("prompt");
  request.params.stop_ids.insert(request.params.stop_ids.end(), tokens->ends.begin(),
                                 tokens->ends.end());
  return std::move(*ids);
}

Parsed<std::vector<TokenId>> fit_tokens(OllamaRequest& request, std::vector<TokenId> ids,
                                        const std::string& field) {
  const std::size_t room = room_of(request);
  if (ids.size() <= room) return ids;
  if (!request.truncates) return too_long(field);
  const std::size_t kept = std::min<std::size_t>(request.options.keep_first, room);
  const std::size_t surplus = ids.size() - room;
  ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(kept),
            ids.begin() + static_cast<std::ptrdiff_t>(kept + surplus));
  add_warning(request.warned,
              {"truncated", field,
               fmt::format("The prompt does not fit the context of {} tokens: {} tokens behind its "
                           "first {} were left out.", context_of(request), surplus, kept)});
  return ids;
}

}  // namespace quire
