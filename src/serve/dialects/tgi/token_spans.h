// Where the tokens of a text stand in it, in characters: [start, stop). Tokens that were added to
// the text stand nowhere: 0, 0. Two that share a character both cover it. Where the vocabulary
// writes something else than the text has (it normalises), a token covers as many characters as it
// has itself.
// Pure; any thread. Used by tokenize.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace quire {

struct TokenSpan {
  std::size_t start = 0, stop = 0;  // characters
  std::string_view text;            // of the text, whole characters
};

std::vector<TokenSpan> token_spans(const Tokenizer& tokenizer, std::string_view text,
                                   const std::vector<TokenId>& ids);

}  // namespace quire
