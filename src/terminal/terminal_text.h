// TerminalText: a model's text on its way to a terminal, in pieces. Control characters are made
// harmless (a model must not move the cursor, set the clipboard or rename the window), and lines
// are broken between words: a word that turns out not to fit is taken back and written again on the
// next line, so that the text still streams. Lines within ``` fences are never broken.
// Widths are columns (wcwidth: wide characters two, combining ones none). Needs a UTF-8 locale.
// Plain value; main thread.
#pragma once

#include <string>
#include <string_view>

namespace quire {

class TerminalText {
 public:
  // columns 0: lines are not broken.
  explicit TerminalText(int columns) : columns_(columns > 1 ? columns - 1 : 0) {}

  // What to write for `text`, which is whole UTF-8 characters.
  std::string add(std::string_view text);

  int column() const { return column_; }  // where the cursor stands; 0: at the start of a line

 private:
  void add_character(std::string_view bytes, char32_t code, std::string& out);
  void add_in_word(std::string_view bytes, int width, std::string& out);
  void end_line();

  int columns_;  // that may be written to: the last one is left alone, terminals differ there
  int column_ = 0;
  std::string word_;  // under the cursor: its bytes and columns
  int word_columns_ = 0;
  std::string line_head_;  // the first three characters of the line, without indentation
  bool is_in_fence_ = false;
};

// Sets the locale's characters to UTF-8, whatever the environment says. Before threads start.
void use_utf8_locale();

}  // namespace quire
