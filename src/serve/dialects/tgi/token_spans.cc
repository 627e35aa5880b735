#include "serve/dialects/tgi/token_spans.h"

#include <algorithm>

namespace quire {
namespace {

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// A walk through the text that counts characters.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  std::string_view rest() const { return text_.substr(at_); }

  TokenSpan pass(std::size_t bytes) {
    std::size_t first = at_;  // of the character that the token begins in
    std::size_t start = begun_;
    if (at_ < text_.size() && !begins_character(text_[at_])) {
      --start;
      while (first > 0 && !begins_character(text_[first])) --first;
    }
    const std::size_t end = std::min(at_ + bytes, text_.size());
    for (; at_ < end; ++at_) begun_ += begins_character(text_[at_]) ? 1 : 0;
    std::size_t last = at_;
    while (last < text_.size() && !begins_character(text_[last])) ++last;
    return {start, begun_, text_.substr(first, last - first)};
  }

  TokenSpan pass_characters(std::size_t count) {
    std::size_t bytes = 0;
    for (const std::string_view left = rest(); bytes < left.size(); ++bytes) {
      if (begins_character(left[bytes]) && count-- == 0) break;
    }
    return pass(bytes);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;     // bytes
  std::size_t begun_ = 0;  // characters that begin before `at_`
};

}  // namespace

std::vector<TokenSpan> token_spans(const Tokenizer& tokenizer, std::string_view text,
                                   const std::vector<TokenId>& ids) {
  Walk walk(text);
  std::vector<TokenSpan> spans;
  for (const TokenId id : ids) {
    if (tokenizer.is_special(id)) {
      const std::string_view name = tokenizer.token_text(id);
      spans.push_back(walk.rest().starts_with(name) ? walk.pass(name.size()) : TokenSpan{});
      continue;
    }
    const std::string_view bytes = tokenizer.token_bytes(id);
    const bool has_own_space = bytes.starts_with(' ') && !walk.rest().starts_with(' ');
    const std::string_view written = bytes.substr(has_own_space ? 1 : 0);
    spans.push_back(walk.rest().starts_with(written)
                        ? walk.pass(written.size())
                        : walk.pass_characters(static_cast<std::size_t>(std::count_if(
                              written.begin(), written.end(), begins_character))));
  }
  return spans;
}

}  // namespace quire
