// ControlText: finds in a text what reads like a control token ("<|im_end|>"), and marks it where
// somebody who may not speak as the model wrote it. A mark is one character that occurs nowhere
// else in the conversation; it is put inside each control token and at an end of the text that
// could become one together with what a template writes beside it. A marked text survives trimming,
// cutting and joining as the plain one does, so that after a template has been rendered every
// control token without a mark is the template's own.
// Views into the tokenizer, which outlives it. Immutable; any thread. Used by chat_prompt.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace quire {

class ControlText {
 public:
  struct Token {
    std::string_view text;
    TokenId id = -1;
  };

  explicit ControlText(const Tokenizer& tokenizer);

  // The longest control token that begins at `at`; null if none does.
  const Token* find_at(std::string_view text, std::size_t at) const;

  // Whether `text` holds a control token, or an end of one at its own begin or end.
  bool has_risk(std::string_view text) const;

  // `text` with a mark wherever has_risk() sees one.
  std::string marked(std::string_view text, std::string_view mark) const;

 private:
  // Calls `found(offset)` for each place that wants a mark, in order.
  template <typename Found>
  void each_risk(std::string_view text, Found found) const;

  std::array<std::vector<Token>, 256> by_first_byte_;  // the longest first
  std::vector<std::string_view> all_;
};

// `text` without its marks.
std::string unmarked(std::string_view text, std::string_view mark);

}  // namespace quire
