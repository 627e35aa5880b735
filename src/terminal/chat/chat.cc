#include "terminal/chat/chat.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/text/utf8.h"

namespace quire {

Chat::Chat(ChatPartner partner) : partner_(std::move(partner)) {
  engine_ = std::make_unique<Engine>(partner_.options, std::move(partner_.executor),
                                     partner_.tokenizer,
                                     [this](StepEvents step) { take(std::move(step)); });
}

Chat::~Chat() = default;

void Chat::take(StepEvents step) {
  const std::lock_guard lock(mutex_);
  stats_ = step.stats;
  std::move(step.events.begin(), step.events.end(), std::back_inserter(events_));
  if (!step.events.empty()) arrived_.notify_one();
}

Result<std::vector<TokenId>> Chat::encode(std::span<const ChatMessage> messages,
                                          bool may_think) const {
  if (!has_template()) {
    return partner_.tokenizer->encode(messages.back().content, {.add_special = true});
  }
  ChatPrompt prompt;
  if (!may_think) prompt.template_kwargs = partner_.not_thinking;
  for (const ChatMessage& message : messages) {
    prompt.messages.push_back(
        Json::object({{"role", message.role}, {"content", message.content}}));
  }
  auto ids = encode_chat(
      {*partner_.tokenizer, *partner_.chat_template, partner_.words, context_max()}, prompt);
  if (ids.is_ok() || ids.status().code() != StatusCode::kResourceExhausted) return ids;
  return error(StatusCode::kInvalidArgument, "the context of this model is {} tokens; {}",
               context_max(), ids.status().message());
}

Result<ChatAnswer> Chat::answer(std::span<const ChatMessage> messages, SamplingParams params,
                                const ChatObserver& observer, bool may_think) {
  // The template's JSON would put U+FFFD in its place, unseen.
  if (const auto at = first_invalid_utf8(messages.back().content)) {
    return error(StatusCode::kInvalidArgument, "the message is not UTF-8 at byte {}", *at);
  }
  Request request;
  request.id = {++turns_};
  QUIRE_ASSIGN_OR_RETURN(request.prompt, encode(messages, may_think));
  const std::size_t prompt_tokens = request.prompt.size();
  if (prompt_tokens >= context_max()) {
    return error(StatusCode::kInvalidArgument,
                 "the conversation has {} tokens and the context of this model {}", prompt_tokens,
                 context_max());
  }
  const int room = static_cast<int>(context_max() - prompt_tokens);
  params.tokens_max = params.tokens_max < 0 ? room : std::min(params.tokens_max, room);
  std::unique_ptr<AnswerPieces> pieces;
  if (partner_.pieces && has_template()) pieces = partner_.pieces(request.prompt, params);
  if (partner_.constraint) request.constraint = partner_.constraint(request.prompt);
  request.params = std::move(params);
  const EngineStats before = engine_->stats();
  QUIRE_RETURN_IF_ERROR(engine_->submit(std::move(request)));
  return await_answer(prompt_tokens, before, pieces.get(), observer);
}

namespace {

void show_pieces(const std::vector<AnswerPiece>& pieces, ChatAnswer& answer,
                 const ChatObserver& observer) {
  for (const AnswerPiece& piece : pieces) {
    if (piece.is_thought) {
      if (observer.show_thought) observer.show_thought(piece.text);
      continue;
    }
    answer.text += piece.text;
    observer.show(piece.text);
  }
}

}  // namespace

ChatAnswer Chat::await_answer(std::uint64_t prompt_tokens, const EngineStats& before,
                              AnswerPieces* pieces, const ChatObserver& observer) {
  const Nanos start = SteadyClock::now();
  Nanos first{0}, last{0};
  ChatAnswer answer;
  bool is_cancelled = false;
  for (bool is_over = false; !is_over;) {
    std::vector<TokenEvent> events;
    EngineStats stats;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, std::chrono::milliseconds(20), [this] { return !events_.empty(); });
      events.swap(events_);
      stats = stats_;
    }
    if (!events.empty()) {
      last = SteadyClock::now();
      if (first.count() == 0) first = last;
    } else if (first.count() == 0 && stats.steps > before.steps) {
      observer.read(std::min(prompt_tokens, stats.computed_tokens - before.computed_tokens +
                                                stats.prefix_cached_tokens -
                                                before.prefix_cached_tokens),
                    prompt_tokens);
    }
    for (const TokenEvent& event : events) {
      if (pieces == nullptr) {
        answer.text += event.text;
        observer.show(event.text);
      } else {
        show_pieces(pieces->take(event), answer, observer);
      }
      answer.usage = event.usage;
      if (event.finish != FinishReason::kNone) answer.finish = event.finish;
      is_over |= event.is_last;
    }
    if (!is_cancelled && observer.is_stopped()) {
      engine_->cancel({turns_});
      is_cancelled = true;
    }
  }
  answer.first_token_seconds = to_seconds(first - start);
  answer.decode_seconds = to_seconds(last - first);
  return answer;
}

}  // namespace quire
