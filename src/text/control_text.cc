#include "text/control_text.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::string_view kBlank = " \t\n\r\v\f";

std::size_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Behind the first character of what begins at `at`.
std::size_t next_character(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && (byte_at(text, at) & 0xC0) == 0x80;) ++at;
  return at;
}

// Whether `text` ends with a beginning of `token` that is not all of it.
bool ends_with_beginning(std::string_view text, std::string_view token) {
  for (std::size_t size = std::min(token.size() - 1, text.size()); size > 0; --size) {
    if (text.ends_with(token.substr(0, size))) return true;
  }
  return false;
}

bool begins_with_end(std::string_view text, std::string_view token) {
  for (std::size_t size = std::min(token.size() - 1, text.size()); size > 0; --size) {
    if (text.starts_with(token.substr(token.size() - size))) return true;
  }
  return false;
}

}  // namespace

ControlText::ControlText(const Tokenizer& tokenizer) {
  for (const TokenId id : tokenizer.special_tokens()) {
    const std::string_view text = tokenizer.token_text(id);
    if (text.empty()) continue;
    by_first_byte_[byte_at(text, 0)].push_back({text, id});
    all_.push_back(text);
  }
  for (std::vector<Token>& tokens : by_first_byte_) {
    std::sort(tokens.begin(), tokens.end(),
              [](const Token& a, const Token& b) { return a.text.size() > b.text.size(); });
  }
}

const ControlText::Token* ControlText::find_at(std::string_view text, std::size_t at) const {
  QUIRE_CHECK(at < text.size(), "place {} of a text of {} bytes", at, text.size());
  for (const Token& token : by_first_byte_[byte_at(text, at)]) {
    if (text.substr(at).starts_with(token.text)) return &token;
  }
  return nullptr;
}

template <typename Found>
void ControlText::each_risk(std::string_view text, Found found) const {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return;
  const std::size_t end = text.find_last_not_of(kBlank) + 1;
  const std::string_view core = text.substr(first, end - first);
  const auto is_any = [&](auto predicate) {
    return std::any_of(all_.begin(), all_.end(),
                       [&](std::string_view token) { return predicate(core, token); });
  };
  if (is_any(begins_with_end)) found(first);
  for (std::size_t at = first; at < end;) {
    const Token* token = find_at(text, at);
    if (token != nullptr) found(next_character(text, at));
    at = next_character(text, at);
  }
  if (is_any(ends_with_beginning)) found(end);
}

bool ControlText::has_risk(std::string_view text) const {
  bool has_one = false;
  each_risk(text, [&](std::size_t) { has_one = true; });
  return has_one;
}

std::string ControlText::marked(std::string_view text, std::string_view mark) const {
  std::string out;
  std::size_t begin = 0;
  each_risk(text, [&](std::size_t at) {
    out += text.substr(begin, at - begin);
    out += mark;
    begin = at;
  });
  return out += text.substr(begin);
}

std::string unmarked(std::string_view text, std::string_view mark) {
  std::string out;
  for (;;) {
    const std::size_t at = text.find(mark);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + mark.size());
  }
}

}  // namespace quire
