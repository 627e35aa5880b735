// ChatScreen: where a chat's words go. The answer, and it alone, goes to standard output; at a
// terminal it is made harmless and broken between words. Everything else (prompts, figures,
// progress, complaints) goes to the terminal too, or to standard error where output is a pipe.
// While an answer comes, what is typed is not echoed into it. Main thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/nanos.h"
#include "terminal/chat/chat.h"
#include "terminal/terminal_text.h"

namespace quire {

class ChatScreen {
 public:
  ChatScreen();

  void note(std::string_view text) const;      // about the chat: a line, dim
  void page(std::string_view text) const;      // asked for: lines as they are
  void complain(std::string_view text) const;  // to standard error

  // One answer: begin, any number of calls between, end (false: there was none). Thoughts are dim,
  // or a word that stands for them; a pipe gets none.
  void begin_answer(bool has_word_wrap, bool folds_thoughts);
  void show(std::string_view text);
  void show_thought(std::string_view text);
  void show_progress(std::uint64_t done, std::uint64_t total);
  void end_answer(bool has_answer);

  bool has_colour() const { return has_colour_; }

 private:
  void erase_progress();
  void set_echo(bool is_on) const;

  bool is_terminal_;  // standard output
  bool can_move_cursor_;
  bool has_colour_;
  std::FILE* aside_;  // for what is not the answer
  TerminalText text_{0};
  char last_ = '\n';  // byte of the answer
  int columns_ = 0;            // to break lines at; 0: they are left as they are
  bool folds_thoughts_ = false, is_thinking_ = false;
  bool has_progress_ = false;  // a line of it is on the screen
  std::uint64_t progress_ = 0;
  Nanos begun_{0};
};

// "412 prompt tokens: 380 cached, 32 computed at 1210 tokens/s;
//  first token after 45 ms; 120 generated at 95.3 tokens/s; end: stop"
std::string figures_text(const ChatAnswer& answer);

// Why an answer ended before the model wanted to; empty if it did not.
std::string early_end_text(const ChatAnswer& answer, std::uint32_t context_max);

}  // namespace quire
