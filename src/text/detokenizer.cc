// Detokenizer: token bytes through the UTF-8 stream.
#include "text/detokenizer.h"

#include <algorithm>
#include <string_view>

namespace quire {

std::string Detokenizer::append(TokenId token) {
  std::string text;
  const bool is_shown = shows_special_ || std::ranges::binary_search(shown_, token);
  if (!is_shown && tokenizer_->is_special(token)) return text;
  std::string_view bytes = tokenizer_->token_bytes(token);
  if (drops_space_ && !bytes.empty()) {
    if (bytes.front() == ' ') bytes.remove_prefix(1);
    drops_space_ = false;
  }
  stream_.append(bytes, text);
  return text;
}

std::string Detokenizer::flush() {
  std::string text;
  stream_.flush(text);
  return text;
}

}  // namespace quire
