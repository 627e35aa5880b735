#include "terminal/chat/conversation.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "store/local_store.h"
#include "terminal/signals.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr std::size_t kMessageSizeMax = std::size_t{16} << 20;

}  // namespace

std::vector<ChatMessage> messages_for(const ChatState& state) {
  std::vector<ChatMessage> messages;
  if (!state.settings.system.empty()) messages.push_back({"system", state.settings.system});
  messages.insert(messages.end(), state.messages.begin(), state.messages.end());
  return messages;
}

Result<ChatAnswer> ask(Chat& chat, const ChatState& state, ChatScreen& screen) {
  take_interrupt();
  SamplingParams params = state.settings.sampling;
  params.seed = state.settings.seed.value_or(std::random_device{}());
  screen.begin_answer(state.settings.has_word_wrap, !state.settings.shows_thoughts);
  auto answer = chat.answer(
      messages_for(state), std::move(params),
      {.show = [&](std::string_view text) { screen.show(text); },
       .show_thought = [&](std::string_view text) { screen.show_thought(text); },
       .read = [&](std::uint64_t done, std::uint64_t total) { screen.show_progress(done, total); },
       .is_stopped = [] { return is_interrupted(); }},
      state.settings.may_think);
  screen.end_answer(answer.is_ok());
  take_interrupt();
  if (!answer.is_ok()) return answer;
  if (answer->finish == FinishReason::kFault || answer->finish == FinishReason::kNonFinite) {
    return error(StatusCode::kInternal, "the model failed ({})",
                 finish_reason_name(answer->finish));
  }
  return answer;
}

Conversation::Conversation(Chat& chat, ChatState state)
    : chat_(chat),
      state_(std::move(state)),
      commands_(state_, chat.facts()),
      reader_([this](std::string_view line) { return commands_.completions(line); }) {}

void Conversation::load_history() {
  const auto folder = store::store_folder();
  if (!folder.is_ok()) return;  // it was said when the model was looked for
  history_path_ = *folder + "/history";
  if (const Status status = reader_.load_history(history_path_); !status.is_ok()) {
    screen_.complain(status.message());
    history_path_.clear();
  }
}

void Conversation::save_history() {
  if (history_path_.empty() || !state_.settings.has_history) return;
  if (const Status status = reader_.save_history(history_path_); !status.is_ok()) {
    screen_.complain(status.message());
  }
}

void Conversation::hold() {
  if (!chat_.has_template()) {
    const std::string& problem = chat_.facts().chat_problem;
    screen_.note(problem.empty() ? "This model has no chat template: each message is a prompt of "
                                   "its own."
                                 : "This model's chat template cannot be used, so that each "
                                   "message is a prompt of its own: " + problem);
  }
  screen_.note(fmt::format("{}. Type a message; /help lists commands, Ctrl-D leaves.",
                           chat_.facts().name));
  load_history();
  for (Message message; read_message(message);) {
    if (!message.is_command) {
      reply_to(std::move(message.text));
    } else if (!obey(message.text)) {
      break;
    }
    if (is_ending()) break;
  }
  save_history();
}

bool Conversation::read_message(Message& message) {
  MessageLines lines;
  message = Message();
  for (;;) {
    TypedLine typed = reader_.read(lines.is_open() ? "... " : ">>> ", screen_.has_colour());
    if (!typed.warning.empty()) screen_.complain(typed.warning);
    if (typed.end == LineEnd::kEndOfInput) {
      screen_.page("");
      return false;
    }
    if (typed.end == LineEnd::kInterrupted) {
      take_interrupt();
      lines.clear();
      screen_.page("");
      screen_.note("(Ctrl-D or /bye leaves)");
      continue;
    }
    // A paste of several lines is one message as it stands, unless a block is open around it.
    const bool is_paste = typed.text.find('\n') != std::string::npos;
    if (!lines.is_open()) message.is_command = typed.text.starts_with('/') && !is_paste;
    auto whole = is_paste && !lines.is_open() && !typed.text.starts_with("\"\"\"")
                     ? std::optional<std::string>(typed.text)
                     : lines.add(typed.text);
    if (lines.size() > kMessageSizeMax) {
      screen_.complain("the message has over 16 million bytes and was dropped");
      lines.clear();
      continue;
    }
    if (!whole) continue;
    if (whole->find_first_not_of(" \t\n") == std::string::npos) continue;
    if (state_.settings.has_history) reader_.remember(*whole);
    message.text = std::move(*whole);
    return true;
  }
}

bool Conversation::obey(const std::string& line) {
  const auto reply = commands_.obey(line);
  if (!reply.is_ok()) {
    screen_.complain(reply.status().message());
    return true;
  }
  if (!reply->text.empty()) screen_.page(reply->text);
  return !reply->is_leaving;
}

void Conversation::reply_to(std::string message) {
  if (message.starts_with(" /")) message.erase(0, 1);  // the space that made it a message
  state_.messages.push_back({"user", std::move(message)});
  const auto answer = ask(chat_, state_, screen_);
  if (!answer.is_ok()) {
    state_.messages.pop_back();
    screen_.complain(answer.status().message() +
                     (answer.status().code() == StatusCode::kInvalidArgument
                          ? "; the message was not added (/clear starts afresh)" : ""));
    return;
  }
  state_.messages.push_back({"assistant", answer->text});
  state_.context_used = answer->usage.prompt_tokens + answer->usage.generated_tokens;
  const std::string why = early_end_text(*answer, chat_.context_max());
  if (!why.empty()) screen_.note(why);
  if (state_.settings.is_verbose) screen_.note("[" + figures_text(*answer) + "]");
  screen_.page("");
}

}  // namespace quire
