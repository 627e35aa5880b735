#include "terminal/chat/chat_screen.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr std::chrono::seconds kPatience{1};

void write(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

}  // namespace

ChatScreen::ChatScreen()
    : is_terminal_(is_terminal(STDOUT_FILENO)),
      can_move_cursor_(quire::can_move_cursor(STDOUT_FILENO)),
      has_colour_(quire::has_colour(is_terminal_ ? STDOUT_FILENO : STDERR_FILENO)),
      aside_(is_terminal_ ? stdout : stderr) {}

void ChatScreen::note(std::string_view text) const {
  write(aside_, styled(Style::kDim, text, has_colour_) + "\n");
}

void ChatScreen::page(std::string_view text) const {
  write(aside_, text);
  if (!text.ends_with('\n')) write(aside_, "\n");
}

void ChatScreen::complain(std::string_view text) const {
  write(stderr, styled(Style::kRed, "quire: ", quire::has_colour(STDERR_FILENO)) +
                    std::string(text) + "\n");
}

// Typed ahead, a line is read after the answer; its echo would stand in the middle of it.
void ChatScreen::set_echo(bool is_on) const {
  termios modes{};
  if (!is_terminal_ || ::tcgetattr(STDIN_FILENO, &modes) != 0) return;
  modes.c_lflag = is_on ? modes.c_lflag | ECHO : modes.c_lflag & ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &modes);
}

void ChatScreen::begin_answer(bool has_word_wrap, bool folds_thoughts) {
  columns_ = has_word_wrap && can_move_cursor_ ? terminal_columns(STDOUT_FILENO) : 0;
  text_ = TerminalText(columns_);
  folds_thoughts_ = folds_thoughts;
  is_thinking_ = false;
  last_ = '\n';
  begun_ = SteadyClock::now();
  set_echo(false);
}

void ChatScreen::show(std::string_view text) {
  erase_progress();
  if (text.empty()) return;
  if (std::exchange(is_thinking_, false)) {
    write(stdout, folds_thoughts_ ? "\n" : "\n\n");
    text_ = TerminalText(columns_);
  }
  last_ = text.back();
  write(stdout, is_terminal_ ? text_.add(text) : std::string(text));
}

void ChatScreen::show_thought(std::string_view text) {
  erase_progress();
  if (text.empty() || !is_terminal_) return;
  const bool is_first = !std::exchange(is_thinking_, true);
  last_ = 't';  // the line is open
  if (!folds_thoughts_) {
    write(stdout, styled(Style::kDim, text_.add(text), has_colour_));
  } else if (is_first) {
    write(stdout, styled(Style::kDim, "(thinking)", has_colour_));
  }
}

void ChatScreen::show_progress(std::uint64_t done, std::uint64_t total) {
  if (!quire::can_move_cursor(STDERR_FILENO) || SteadyClock::now() - begun_ < kPatience) return;
  if (has_progress_ && done == progress_) return;
  progress_ = done;
  write(stderr, fmt::format("\r\033[KReading: {} of {} tokens", grouped(done), grouped(total)));
  has_progress_ = true;
}

void ChatScreen::erase_progress() {
  if (has_progress_) write(stderr, "\r\033[K");
  has_progress_ = false;
}

void ChatScreen::end_answer(bool has_answer) {
  erase_progress();
  if (has_answer && (last_ != '\n' || is_terminal_)) write(stdout, "\n");
  set_echo(true);
}

std::string figures_text(const ChatAnswer& answer) {
  const Usage& usage = answer.usage;
  const std::uint32_t computed = usage.prompt_tokens - std::min(usage.cached_tokens,
                                                                usage.prompt_tokens);
  const auto rate = [](double tokens, double seconds) { return tokens / std::max(seconds, 1e-9); };
  std::string line = fmt::format(
      "{} prompt tokens: {} cached, {} computed at {:.0f} tokens/s;\n "
      "first token after {:.0f} ms; ",
      usage.prompt_tokens, usage.cached_tokens, computed,
      rate(computed, answer.first_token_seconds), 1e3 * answer.first_token_seconds);
  line += usage.generated_tokens < 2
              ? fmt::format("{} generated", usage.generated_tokens)
              : fmt::format("{} generated at {:.1f} tokens/s", usage.generated_tokens,
                            rate(usage.generated_tokens - 1, answer.decode_seconds));
  return line + fmt::format("; end: {}", finish_reason_name(answer.finish));
}

std::string early_end_text(const ChatAnswer& answer, std::uint32_t context_max) {
  if (answer.finish == FinishReason::kCancelled) return "[stopped]";
  if (answer.finish != FinishReason::kLength) return {};
  if (answer.usage.prompt_tokens + answer.usage.generated_tokens >= context_max) {
    return fmt::format("[cut: the context of {} tokens is full]", grouped(context_max));
  }
  return fmt::format("[cut at max_tokens, after {}]", grouped(answer.usage.generated_tokens));
}

}  // namespace quire
