#include "apps/chat.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/json.h"

namespace quire {

Chat::Chat(LoadedModel model, SamplingParams params)
    : model_(std::move(model)), params_(std::move(params)) {
  engine_ = std::make_unique<Engine>(model_.options, std::move(model_.executor), model_.tokenizer,
                                     [this](StepEvents step) { take(std::move(step)); });
}

Chat::~Chat() = default;

void Chat::take(StepEvents step) {
  if (step.events.empty()) return;
  const std::lock_guard lock(mutex_);
  std::move(step.events.begin(), step.events.end(), std::back_inserter(events_));
  arrived_.notify_one();
}

Result<std::string> Chat::render() const {
  const ModelConfig& config = model_.files->config();
  Json messages = Json::array();
  for (const ChatMessage& message : history_) {
    Json entry = Json::object();
    entry.set("role", message.role);
    entry.set("content", message.content);
    messages.push(std::move(entry));
  }
  Json context = Json::object();
  context.set("messages", std::move(messages));
  context.set("add_generation_prompt", true);
  context.set("bos_token", config.bos_text);
  context.set("eos_token", config.eos_text);
  RenderLimits limits;
  limits.unix_seconds = SteadyClock::unix_seconds();
  return model_.chat_template->render(dump(context), limits);
}

Result<std::vector<TokenId>> Chat::encode(const std::string& text) const {
  if (!has_template()) return model_.tokenizer->encode(text, {.add_special = true});
  QUIRE_ASSIGN_OR_RETURN(const std::string prompt, render());
  return model_.tokenizer->encode(prompt, {.add_special = false, .parse_special = true});
}

Result<ChatAnswer> Chat::answer(const std::string& text,
                                const std::function<void(std::string_view)>& show,
                                const std::function<bool()>& is_stopped) {
  Request request;
  request.id = {++turns_};
  request.params = params_;
  request.params.seed += turns_;
  QUIRE_ASSIGN_OR_RETURN(request.prompt, encode(text));
  const auto context = engine_->capacity().context_max;
  if (request.prompt.size() >= context) {
    return error(StatusCode::kInvalidArgument,
                 "the conversation has {} tokens, the context {}; /clear starts afresh",
                 request.prompt.size(), context);
  }
  request.params.tokens_max = std::min<int>(
      request.params.tokens_max, static_cast<int>(context - request.prompt.size()));
  QUIRE_RETURN_IF_ERROR(engine_->submit(std::move(request)));

  ChatAnswer answer;
  bool is_cancelled = false;
  for (bool is_over = false; !is_over;) {
    std::vector<TokenEvent> events;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, std::chrono::milliseconds(20), [this] { return !events_.empty(); });
      events.swap(events_);
    }
    for (const TokenEvent& event : events) {
      answer.text += event.text;
      show(event.text);
      answer.usage = event.usage;
      if (event.finish != FinishReason::kNone) answer.finish = event.finish;
      is_over |= event.is_last;
    }
    if (!is_cancelled && is_stopped()) {
      engine_->cancel({turns_});
      is_cancelled = true;
    }
  }
  return answer;
}

}  // namespace quire
