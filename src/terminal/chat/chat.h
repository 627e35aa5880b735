// Chat: answers of one model in this process. A conversation's messages go in, the answer streams
// out; the model's chat template is rendered over all of them each turn, and the prefix cache makes
// that cheap: only what is new is computed. It keeps no conversation; Conversation does.
// Main thread; the engine's events reach it through a queue.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "terminal/chat/chat_partner.h"
#include "terminal/chat/chat_session.h"

namespace quire {

struct ChatAnswer {
  std::string text;  // without its thoughts
  Usage usage;
  FinishReason finish = FinishReason::kNone;
  double first_token_seconds = 0;  // from the question on
  double decode_seconds = 0;       // from the first token to the last
};

// Who watches an answer come. Called on the main thread.
struct ChatObserver {
  std::function<void(std::string_view text)> show;
  std::function<void(std::string_view text)> show_thought;  // before it
  // Of the prompt's tokens, cached ones included; every few milliseconds until the first token.
  std::function<void(std::uint64_t done, std::uint64_t total)> read;
  std::function<bool()> is_stopped;  // true cancels the answer
};

class Chat {
 public:
  explicit Chat(ChatPartner partner);
  ~Chat();

  const ChatModelFacts& facts() const { return partner_.facts; }
  bool has_template() const { return partner_.chat_template != nullptr; }
  std::uint32_t context_max() const { return partner_.facts.context_max; }

  // Without a chat template the last message is the prompt, as it is.
  Result<ChatAnswer> answer(std::span<const ChatMessage> messages, SamplingParams params,
                            const ChatObserver& observer, bool may_think = true);

 private:
  Result<std::vector<TokenId>> encode(std::span<const ChatMessage> messages,
                                      bool may_think) const;
  void take(StepEvents step);
  ChatAnswer await_answer(std::uint64_t prompt_tokens, const EngineStats& before,
                          AnswerPieces* pieces, const ChatObserver& observer);

  ChatPartner partner_;
  std::uint64_t turns_ = 0;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<TokenEvent> events_;  // guarded by mutex_
  EngineStats stats_;               // guarded by mutex_

  std::unique_ptr<Engine> engine_;  // last: its thread uses what stands above
};

}  // namespace quire
