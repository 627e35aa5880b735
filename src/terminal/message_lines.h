// MessageLines: joins typed lines to messages. A line alone is a message; a line that ends in a
// backslash goes on in the next one; three quotation marks open a block that ends with the line
// that ends in three of them. What stands in a block is taken as it is, backslashes and all.
// Plain value; main thread. Used by Conversation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace quire {

class MessageLines {
 public:
  // The message that `line` completes, if it does.
  std::optional<std::string> add(std::string_view line);

  bool is_open() const { return is_in_block_ || is_continued_; }
  void clear() { *this = MessageLines(); }
  std::size_t size() const { return text_.size(); }  // of what is there so far

 private:
  std::optional<std::string> take();

  std::string text_;
  bool is_in_block_ = false;
  bool is_continued_ = false;
};

}  // namespace quire
