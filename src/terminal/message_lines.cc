// Typed lines to messages: see message_lines.h.
#include "terminal/message_lines.h"

#include <utility>

namespace quire {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";

}  // namespace

std::optional<std::string> MessageLines::take() {
  std::string message = std::move(text_);
  clear();
  return message;
}

std::optional<std::string> MessageLines::add(std::string_view line) {
  if (!is_open() && line.starts_with(kQuotes)) {
    is_in_block_ = true;
    line.remove_prefix(kQuotes.size());
    if (line.empty()) return std::nullopt;  // the block begins on the next line
  }
  if (is_in_block_) {
    const bool is_end = line.ends_with(kQuotes);
    if (is_end) line.remove_suffix(kQuotes.size());
    text_ += line;
    if (is_end) return take();
    text_ += '\n';
    return std::nullopt;
  }
  is_continued_ = line.ends_with('\\');
  if (is_continued_) {
    line.remove_suffix(1);
    text_ += line;
    text_ += '\n';
    return std::nullopt;
  }
  text_ += line;
  return take();
}

}  // namespace quire
