// Detokenizer: the tokens of one sequence, one after the other, as text that is always whole UTF-8.
// The concatenation of what append() and the final flush() return is the same for any split and
// equals decoding the whole: the tokens' bytes in order, ill-formed parts as U+FFFD (see utf8.h).
// A space at the very start is dropped only where the tokens begin a text (`is_start_of_text`) and
// the vocabulary writes such a space; a completion that follows a prompt keeps it.
// One sequence, one thread. Used by the engine inside commit, and by the command line.
#pragma once

#include <span>
#include <string>

#include "base/ids.h"
#include "base/text/utf8.h"
#include "text/tokenizer.h"

namespace quire {

struct DetokenizerOptions {
  bool shows_special = false;     // write control tokens as their text instead of nothing
  std::span<const TokenId> shown = {};  // these in any case, ascending; they outlive the object
  bool is_start_of_text = false;  // the first token begins the text: nothing stands before it
};

class Detokenizer {
 public:
  // `tokenizer` outlives this object.
  Detokenizer(const Tokenizer& tokenizer, DetokenizerOptions options)
      : tokenizer_(&tokenizer),
        shown_(options.shown),
        shows_special_(options.shows_special),
        drops_space_(options.is_start_of_text && tokenizer.strips_leading_space()) {}

  // The text that this token completes; may be empty.
  std::string append(TokenId token);

  // The end of the sequence: half a character becomes U+FFFD.
  std::string flush();

  // No half character is held back.
  bool is_between_characters() const { return stream_.is_between_characters(); }

 private:
  const Tokenizer* tokenizer_;
  Utf8Stream stream_;
  std::span<const TokenId> shown_;
  bool shows_special_;
  bool drops_space_;  // until the first byte of text
};

}  // namespace quire
