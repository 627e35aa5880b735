// LineReader: lines that a person types. At a terminal with editing, history, completion by Tab,
// UTF-8 and pastes of many lines as one (libedit); where there is no such terminal, plain lines.
// Ctrl-C ends the reading of a line, not the program (signals); Ctrl-D on an empty line is the
// end. One at a time; main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire {

enum class LineEnd { kEntered, kInterrupted, kEndOfInput };

struct TypedLine {
  LineEnd end = LineEnd::kEntered;
  std::string text;     // with line feeds where several lines were pasted
  std::string warning;  // for the person; mostly empty
};

class LineReader {
 public:
  // Whole lines that `line` may become.
  using Complete = std::function<std::vector<std::string>(std::string_view line)>;

  // Editing where standard input and output are a terminal that can move its cursor.
  explicit LineReader(Complete complete);
  ~LineReader();

  TypedLine read(const std::string& prompt, bool has_colour);

  void remember(const std::string& message);  // for arrow up
  Status load_history(const std::string& path);
  Status save_history(const std::string& path) const;

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;  // null: plain lines
};

}  // namespace quire
