// Chat: a conversation with one engine in this process: messages in, streamed text out. It renders
// the model's chat template over the whole history each turn; the prefix cache makes that cheap.
// Main thread; the engine's events reach it through a queue.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/load.h"
#include "engine/engine.h"

namespace quire {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

struct ChatAnswer {
  std::string text;
  Usage usage;
  FinishReason finish = FinishReason::kNone;
};

class Chat {
 public:
  Chat(LoadedModel model, SamplingParams params);
  ~Chat();

  void add(ChatMessage message) { history_.push_back(std::move(message)); }
  void clear() { history_.clear(); }
  bool has_template() const { return model_.chat_template != nullptr; }

  // Sends the history (or, without a template, `text` as it is) and streams the answer to `show`.
  // `is_stopped` is asked every few milliseconds; true cancels the answer.
  Result<ChatAnswer> answer(const std::string& text,
                            const std::function<void(std::string_view)>& show,
                            const std::function<bool()>& is_stopped);

 private:
  Result<std::vector<TokenId>> encode(const std::string& text) const;
  Result<std::string> render() const;
  void take(StepEvents step);

  LoadedModel model_;
  SamplingParams params_;
  std::vector<ChatMessage> history_;
  std::uint64_t turns_ = 0;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<TokenEvent> events_;  // guarded by mutex_

  std::unique_ptr<Engine> engine_;  // last: its thread uses what stands above
};

}  // namespace quire
