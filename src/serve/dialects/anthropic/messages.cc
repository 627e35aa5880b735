#include "serve/dialects/anthropic/messages.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/anthropic/answer.h"
#include "serve/dialects/anthropic/conversation.h"
#include "serve/dialects/anthropic/request.h"
#include "serve/house.h"
#include "serve/intake/prompt.h"
#include "serve/intake/tools/answer_grammar.h"

namespace quire {
namespace {

// The bytes that were sent say how many tokens there are at least, where nobody counted them.
ApiError prompt_too_long(const HostedModel& model, std::size_t tokens) {
  const std::size_t room = model.info.context_max - 1;  // an answer has a token
  return {.message = fmt::format("prompt is too long: {} tokens > {} maximum",
                                 std::max(tokens, room + 1), room),
          .param = "messages",
          .code = "context_length_exceeded"};
}

std::size_t tokens_at_least(const HostedModel& model, const ChatPrompt& chat) {
  std::string all;
  for (const Json& message : chat.messages) all += dump(message);
  return model.tokenizer->tokens_min(all);
}

Parsed<std::vector<TokenId>> encode(const HostedModel& model, const ChatPrompt& chat) {
  auto ids = encode_chat(model, chat);
  if (!ids.is_ok()) {
    const bool is_too_long = ids.error().code == "context_length_exceeded";
    return is_too_long ? prompt_too_long(model, tokens_at_least(model, chat)) : ids.error();
  }
  if (ids->size() >= model.info.context_max) return prompt_too_long(model, ids->size());
  return ids;
}

// Where a model with states is asked to keep one. Others keep every block as long as there is room.
std::vector<std::uint32_t> message_ends(const HostedModel& model,
                                        const SentConversation& conversation,
                                        const std::vector<TokenId>& prompt) {
  std::vector<std::uint32_t> ends;
  if (!keeps_states(model)) return ends;
  ChatPrompt part = conversation.chat;
  part.continue_final_message = part.add_generation_prompt = false;
  for (const std::vector<Json>& messages : conversation.kept_ends) {
    part.messages = messages;
    const auto end = end_of_part(model, part, prompt);
    if (end && *end > 0 && (ends.empty() || *end > ends.back())) ends.push_back(*end);
  }
  return ends;
}

// What both endpoints read: the model and the conversation.
SentConversation read_prompt(Fields& fields, const DialectContext& context, Generation& generation,
                         AnthropicWarnings& notes) {
  read_anthropic_model(fields, context, generation);
  return read_conversation(fields, generation.model.get(), context.keeps_volatile_lines, notes);
}

}  // namespace

Parsed<Call> parse_anthropic_message(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  AnthropicRequest wanted;
  wanted.request_id = request.id;
  SentConversation conversation = read_prompt(fields, context, wanted, wanted.warned);
  read_anthropic_sampling(fields, wanted);
  check_thinking_budget(fields, wanted);
  wanted.grammar = read_output_format(fields);
  read_anthropic_rest(fields, request, wanted.warned);
  if (fields.error()) return *fields.error();

  auto ids = encode(*wanted.model, conversation.chat);
  if (!ids.is_ok()) return ids.error();
  wanted.hides_thinking = conversation.hides_thinking;
  const auto room = static_cast<std::int64_t>(wanted.model->info.context_max - ids->size());
  const std::int64_t asked = std::max<std::int64_t>(*wanted.tokens_max, 1);
  wanted.is_capped = asked > room;
  wanted.params.tokens_max = static_cast<int>(std::min(asked, room));

  wanted.shape = shape_of(*wanted.model, *ids, conversation.offered, wanted.params);
  std::vector<Warning> warnings;
  auto held = hold_answer(*wanted.model, conversation.offered, std::move(wanted.grammar),
                          wanted.shape, warnings);
  if (!held.is_ok()) return held.error();
  for (const Warning& it : warnings) wanted.warned.add(it.code, it.param, it.message);

  Call call{.model = wanted.model, .is_stream = wanted.is_stream, .prompt_field = "messages",
            .unknown_fields = wanted.warned.unknown(),
            .volatile_lines = std::move(conversation.volatile_lines)};
  call.frame = framing_of(
      {frame_of(*wanted.model, wanted.shape, *held, conversation.thought_tokens_max)});
  if (held->holds_less && context.house != nullptr) {
    context.house->metrics.count_tools_not_enforced();
  }
  call.grammar = std::move(held->grammar);
  std::vector<std::uint32_t> ends = message_ends(*wanted.model, conversation, *ids);
  call.requests.push_back(make_request(wanted, context.tenant, std::move(*ids)));
  call.requests.back().message_ends = std::move(ends);
  call.writer = std::make_unique<MessageAnswer>(wanted, call.requests);
  return call;
}

Parsed<Call> parse_anthropic_count(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  Generation wanted;
  AnthropicWarnings notes;
  const SentConversation conversation = read_prompt(fields, context, wanted, notes);
  read_output_format(fields);
  read_anthropic_rest(fields, request, notes);
  if (fields.error()) return *fields.error();
  auto ids = encode_chat(*wanted.model, conversation.chat);
  if (!ids.is_ok()) {
    const bool is_too_long = ids.error().code == "context_length_exceeded";
    if (!is_too_long) return ids.error();
    return prompt_too_long(*wanted.model, tokens_at_least(*wanted.model, conversation.chat));
  }
  Json answer = Json::object({{"input_tokens", ids->size()}});
  notes.add_to(answer);
  return ready_call(answer);
}

}  // namespace quire
