// Typed lines, by libedit or plain: see line_reader.h.
#include "terminal/line_reader.h"

#include <errno.h>
#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cwchar>
#include <filesystem>

#include "terminal/signals.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr int kHistoryLines = 1000;
constexpr std::uintmax_t kHistorySizeMax = std::uintmax_t{8} << 20;
constexpr std::size_t kPasteMax = std::size_t{1} << 20;  // characters
constexpr std::size_t kPlainLineMax = std::size_t{16} << 20;
constexpr std::wstring_view kPasteEnd = L"\033[201~";

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Where the keyboard's names for keys differ from libedit's own bindings, or it has none.
constexpr const char* kBindings[][2] = {
    {"^R", "em-inc-search-prev"},  {"^W", "ed-delete-prev-word"}, {"^L", "ed-clear-screen"},
    {"\033[3~", "ed-delete-next-char"}, {"\033[H", "ed-move-to-beg"}, {"\033[F", "ed-move-to-end"},
    {"\033[1~", "ed-move-to-beg"}, {"\033[4~", "ed-move-to-end"}, {"\033OH", "ed-move-to-beg"},
    {"\033OF", "ed-move-to-end"},  {"\033[1;5C", "em-next-word"}, {"\033[1;5D", "ed-prev-word"},
    {"\033[200~", "quire-paste"},  {"^I", "quire-complete"},
};

}  // namespace

struct LineReader::Editor {
  explicit Editor(Complete completer);
  ~Editor();

  static Editor& of(EditLine* line) {
    void* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return *static_cast<Editor*>(self);
  }
  static char* prompt_of(EditLine* line) { return of(line).prompt.data(); }
  static int read_character(EditLine* line, wchar_t* out);
  static unsigned char paste(EditLine* line, int);
  static unsigned char complete_line(EditLine* line, int);
  void adapt_to_terminal();

  EditLine* line;
  History* history;
  Complete complete;
  std::string prompt;
  std::string warning;
  LineEnd end = LineEnd::kEntered;
};

LineReader::Editor::Editor(Complete completer)
    : line(el_init("quire", stdin, stdout, stderr)),
      history(history_init()),
      complete(std::move(completer)) {
  HistEvent event;
  ::history(history, &event, H_SETSIZE, kHistoryLines);
  ::history(history, &event, H_SETUNIQUE, 1);
  el_set(line, EL_CLIENTDATA, this);
  el_set(line, EL_GETCFN, &Editor::read_character);
  el_set(line, EL_PROMPT_ESC, &Editor::prompt_of, '\1');
  el_set(line, EL_HIST, ::history, history);
  el_set(line, EL_EDITOR, "emacs");
  el_set(line, EL_ADDFN, "quire-paste", "insert what the terminal pastes", &Editor::paste);
  el_set(line, EL_ADDFN, "quire-complete", "complete a command", &Editor::complete_line);
  for (const auto& [key, action] : kBindings) el_set(line, EL_BIND, key, action, nullptr);
  el_source(line, nullptr);  // what the user has in ~/.editrc
}

LineReader::Editor::~Editor() {
  el_end(line);
  history_end(history);
}

// libedit swallows the first interrupted read, so this one is ours. 1: a character; 0: the end;
// -1: interrupted.
int LineReader::Editor::read_character(EditLine* line, wchar_t* out) {
  Editor& self = of(line);
  std::mbstate_t state{};
  for (;;) {
    if (is_interrupted()) {
      self.end = is_ending() ? LineEnd::kEndOfInput : LineEnd::kInterrupted;
      return -1;
    }
    char byte = 0;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) {
      self.adapt_to_terminal();
      continue;
    }
    if (count <= 0) {
      self.end = LineEnd::kEndOfInput;
      return 0;
    }
    const std::size_t size = std::mbrtowc(out, &byte, 1, &state);
    if (size == static_cast<std::size_t>(-2)) continue;  // the rest of the character follows
    if (size == static_cast<std::size_t>(-1)) *out = L'\uFFFD';
    return 1;
  }
}

void LineReader::Editor::adapt_to_terminal() {
  if (take_window_change()) {
    el_resize(line);
    el_set(line, EL_REFRESH);
  }
  if (take_continuation()) {  // the shell has set the terminal to its own liking meanwhile
    el_set(line, EL_PREP_TERM, 0);
    el_set(line, EL_PREP_TERM, 1);
    el_set(line, EL_REFRESH);
  }
}

// Bracketed paste: everything up to the closing mark is inserted at once, line feeds included.
unsigned char LineReader::Editor::paste(EditLine* line, int) {
  std::wstring text;
  bool is_too_long = false;
  for (wchar_t c = 0; !text.ends_with(kPasteEnd);) {
    if (el_wgetc(line, &c) != 1) return CC_EOF;
    if (c == L'\0') continue;
    text += c == L'\r' ? L'\n' : c;
    if (text.size() > kPasteMax) {
      is_too_long = true;
      text.erase(0, text.size() - kPasteEnd.size());
    }
  }
  if (is_too_long) {
    of(line).warning = "the paste has over a million characters and was left out";
    return CC_REFRESH_BEEP;
  }
  text.resize(text.size() - kPasteEnd.size());
  while (text.ends_with(L'\n')) text.pop_back();
  if (text.empty()) return CC_NORM;
  return el_winsertstr(line, text.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

unsigned char LineReader::Editor::complete_line(EditLine* line, int) {
  const LineInfo* info = el_line(line);
  const std::string typed(info->buffer, info->cursor);
  std::vector<std::string> lines = of(line).complete(typed);
  if (info->cursor != info->lastchar || lines.empty()) return CC_REFRESH_BEEP;
  std::string common = lines.front();
  for (const std::string& other : lines) {
    common.resize(std::mismatch(common.begin(), common.end(), other.begin(), other.end()).first -
                  common.begin());
  }
  if (lines.size() == 1) common += ' ';
  if (common.size() <= typed.size()) return CC_REFRESH_BEEP;
  return el_insertstr(line, common.c_str() + typed.size()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

LineReader::LineReader(Complete complete) {
  if (can_move_cursor(STDOUT_FILENO) && is_terminal(STDIN_FILENO)) {
    editor_ = std::make_unique<Editor>(std::move(complete));
  }
}

LineReader::~LineReader() = default;

namespace {

TypedLine read_plain_line() {
  TypedLine typed;
  for (;;) {
    const int c = is_interrupted() ? EOF : std::getchar();
    if (c == EOF) {
      const bool is_interrupt = is_interrupted() && !is_ending();
      std::clearerr(stdin);
      if (!is_interrupt && !typed.text.empty()) return typed;
      typed.end = is_interrupt ? LineEnd::kInterrupted : LineEnd::kEndOfInput;
      return typed;
    }
    if (c == '\n') return typed;
    if (typed.text.size() == kPlainLineMax) {
      typed.warning = "the line has over 16 million bytes and was cut";
      continue;
    }
    typed.text += static_cast<char>(c);
  }
}

}  // namespace

TypedLine LineReader::read(const std::string& prompt, bool has_colour) {
  if (!editor_) {
    std::FILE* stream = is_terminal(STDOUT_FILENO) ? stdout : stderr;
    std::fputs(prompt.c_str(), stream);
    std::fflush(stream);
    return read_plain_line();
  }
  Editor& editor = *editor_;
  const std::size_t word = prompt.find_last_not_of(' ') + 1;
  // libedit drops an escape at the very end, so the space stands behind it.
  editor.prompt = has_colour ? "\1\033[1;32m\1" + prompt.substr(0, word) + "\1\033[0m\1" +
                                   prompt.substr(word)
                             : prompt;
  editor.end = LineEnd::kEntered;
  editor.warning.clear();
  write_out("\033[?2004h");
  // libedit shows the prompt before it takes the terminal over: Ctrl-D in between would be lost.
  el_set(editor.line, EL_PREP_TERM, 1);
  int size = 0;
  errno = 0;
  const char* text = el_gets(editor.line, &size);
  write_out("\033[?2004l");
  TypedLine typed;
  typed.warning = editor.warning;
  if (text == nullptr || size <= 0) {
    typed.end = editor.end == LineEnd::kEntered ? LineEnd::kEndOfInput : editor.end;
    return typed;
  }
  typed.text.assign(text, static_cast<std::size_t>(size));
  if (typed.text.ends_with('\n')) typed.text.pop_back();
  return typed;
}

void LineReader::remember(const std::string& message) {
  if (!editor_) return;
  HistEvent event;
  ::history(editor_->history, &event, H_ENTER, message.c_str());
}

Status LineReader::load_history(const std::string& path) {
  std::error_code failure;
  if (!editor_ || !std::filesystem::exists(path, failure)) return ok_status();
  const auto size = std::filesystem::file_size(path, failure);
  if (failure || size > kHistorySizeMax) {
    return error(StatusCode::kCorrupt, "{} is no history of typed lines, and is left alone", path);
  }
  HistEvent event;
  if (size > 0 && ::history(editor_->history, &event, H_LOAD, path.c_str()) < 0) {
    return error(StatusCode::kCorrupt, "{} is no history of typed lines, and is left alone", path);
  }
  return ok_status();
}

Status LineReader::save_history(const std::string& path) const {
  if (!editor_) return ok_status();
  std::error_code failure;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failure);
  HistEvent event;
  if (::history(editor_->history, &event, H_SAVE, path.c_str()) < 0) {
    return error(StatusCode::kUnavailable, "the history cannot be written to {}", path);
  }
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  return ok_status();
}

}  // namespace quire
