#include "store/modelfile/modelfile.h"

#include <algorithm>

#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "store/modelfile/parameters.h"

namespace quire::store {
namespace {

constexpr std::size_t kCommandsMax = 4096;
constexpr std::string_view kCommands[] = {"from",     "license", "template", "system",
                                          "adapter",  "draft",   "renderer", "parser",
                                          "parameter", "message", "requires"};
constexpr std::string_view kRoles[] = {"system", "user", "assistant"};

template <typename... Args>
Status wrong(int line, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "(line {}): {}", line,
               fmt::format(format, std::forward<Args>(args)...));
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_break(char c) { return c == '\n' || c == '\r'; }

constexpr std::string_view kWhite = " \t\r\n\v\f";

// What stands between its quotes; false: they are not closed yet.
bool unquote(std::string_view text, std::string_view& value) {
  for (const std::string_view quote : {std::string_view("\"\"\""), std::string_view("\"")}) {
    if (!text.starts_with(quote)) continue;
    const bool is_closed = text.size() >= 2 * quote.size() && text.ends_with(quote);
    if (is_closed) value = text.substr(quote.size(), text.size() - 2 * quote.size());
    return is_closed;
  }
  value = text;
  return true;
}

struct Command {
  int line = 0;
  std::string name, key, value;  // name: lower case; key: of a parameter, or a role
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<std::vector<Command>> run() {
    std::vector<Command> commands;
    while (skip_between()) {
      Command command{.line = line_, .name = lower_ascii(word()), .key = {}, .value = {}};
      if (std::find(std::begin(kCommands), std::end(kCommands), command.name) ==
          std::end(kCommands)) {
        return wrong(line_, "command must be one of \"from\", \"license\", \"template\", "
                            "\"system\", \"adapter\", \"draft\", \"renderer\", \"parser\", "
                            "\"parameter\", \"message\", or \"requires\"");
      }
      QUIRE_RETURN_IF_ERROR(skip_blanks(command));
      if (command.name == "parameter" || command.name == "message") {
        QUIRE_RETURN_IF_ERROR(read_key(command));
      }
      QUIRE_RETURN_IF_ERROR(read_value(command));
      if (commands.size() >= kCommandsMax) return wrong(line_, "more than {} commands",
                                                        kCommandsMax);
      commands.push_back(std::move(command));
    }
    return commands;
  }

 private:
  // To the next command; false: there is none.
  bool skip_between() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && !is_break(text_[at_])) ++at_;
        if (at_ == text_.size()) return false;
        count(at_);
      } else if (is_break(c)) {
        count(at_);
      } else if (!is_blank(c)) {
        return true;
      }
    }
    return false;
  }

  void count(std::size_t at) {  // \r\n is one
    const bool is_second = text_[at] == '\n' && at > 0 && text_[at - 1] == '\r';
    if (is_break(text_[at]) && !is_second) ++line_;
  }

  std::string word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) && !is_break(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Something has to follow on the same line.
  Status skip_blanks(const Command& command) {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ == text_.size()) return error(StatusCode::kInvalidArgument, "unexpected EOF");
    if (is_break(text_[at_])) return wrong(line_, "{} has no value", command.name);
    return ok_status();
  }

  Status read_key(Command& command) {
    command.key = word();
    if (command.name == "message") {
      command.key = lower_ascii(command.key);
      if (std::find(std::begin(kRoles), std::end(kRoles), command.key) == std::end(kRoles)) {
        return wrong(line_, "message role must be one of \"system\", \"user\", or \"assistant\"");
      }
    } else if (!std::all_of(command.key.begin(), command.key.end(),
                            [](char c) { return is_letter_or_digit(c) || c == '_'; })) {
      return wrong(line_, "a parameter's name has letters, digits and _");
    }
    return skip_blanks(command);
  }

  Status read_value(Command& command) {
    const std::size_t begin = at_;
    std::string_view value;
    for (;; ++at_) {
      const bool is_end = at_ == text_.size();
      if (!is_end && !is_break(text_[at_])) continue;
      const bool is_whole = unquote(trimmed(text_.substr(begin, at_ - begin), kWhite), value);
      if (!is_end) count(at_);
      if (is_whole) {
        command.value = value;
        at_ += is_end ? 0 : 1;
        return ok_status();
      }
      if (is_end) return error(StatusCode::kInvalidArgument, "unexpected EOF");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

// Windows' editors write UTF-16, and marks at the beginning.
Result<std::string> decoded(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) return std::string(bytes.substr(3));
  const bool is_little = bytes.starts_with("\xFF\xFE"), is_big = bytes.starts_with("\xFE\xFF");
  if (!is_little && !is_big) return std::string(bytes);
  std::string text;
  const auto unit = [&](std::size_t at) {
    const auto low = static_cast<unsigned char>(bytes[is_little ? at : at + 1]);
    const auto high = static_cast<unsigned char>(bytes[is_little ? at + 1 : at]);
    return static_cast<std::uint32_t>(high << 8 | low);
  };
  for (std::size_t at = 2; at + 1 < bytes.size(); at += 2) {
    std::uint32_t code = unit(at);
    const bool is_pair = code >= 0xD800 && code < 0xDC00 && at + 3 < bytes.size();
    if (is_pair) {
      code = 0x10000 + ((code - 0xD800) << 10) + (unit(at += 2) & 0x3FF);
    } else if (code >= 0xD800 && code < 0xE000) {
      return error(StatusCode::kInvalidArgument, "the file is no UTF-16");
    }
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
      continue;
    }
    if (code >= 0x10000) put(0xF0 | code >> 18);
    if (code >= 0x800) put(code >= 0x10000 ? 0x80 | (code >> 12 & 0x3F) : 0xE0 | code >> 12);
    put(code >= 0x800 ? 0x80 | (code >> 6 & 0x3F) : 0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  }
  return text;
}

Status set_parameter(const Command& command, Modelfile& file) {
  auto value = parameter_value(command.key, command.value);
  if (!value.is_ok()) return wrong(command.line, "{}", value.status().message());
  const Parameter* known = find_parameter(command.key);
  if (known->is_gone) {
    file.warnings.push_back(fmt::format("(line {}): parameter {} has no effect any more",
                                        command.line, command.key));
  }
  if (known->type != ParameterType::kTexts) {
    file.dress.parameters.set(command.key, std::move(*value));
    return ok_status();
  }
  const Json* before = file.dress.parameters.find(command.key);
  Json list = before != nullptr ? *before : Json::array();
  list.push(std::move(*value));
  if (list.items().size() > kStopsMax) {
    return wrong(command.line, "more than {} of {}", kStopsMax, command.key);
  }
  file.dress.parameters.set(command.key, std::move(list));
  return ok_status();
}

Status take(const Command& command, Modelfile& file) {
  ModelDress& dress = file.dress;
  if (command.value.size() > ModelDress::kTextMax) {
    return wrong(command.line, "more than {} bytes", ModelDress::kTextMax);
  }
  const std::pair<std::string_view, std::string*> texts[] = {
      {"template", &dress.chat_template}, {"system", &dress.system},
      {"renderer", &dress.renderer}, {"parser", &dress.parser}, {"requires", &dress.needs}};
  for (const auto& [name, text] : texts) {
    if (command.name == name) *text = command.value;
  }
  if (command.name == "requires" && !is_version(command.value)) {
    return wrong(command.line, "requires must be a valid semver (e.g. 0.14.0)");
  }
  if (command.name == "from") file.from.push_back(command.value);
  if (command.name == "adapter") {
    if (file.adapters.size() >= Modelfile::kAdaptersMax) {
      return wrong(command.line, "more than {} adapters", Modelfile::kAdaptersMax);
    }
    file.adapters.push_back(command.value);
  }
  if (command.name == "draft") file.drafts.push_back(command.value);
  if (command.name == "license") {
    if (dress.licenses.size() >= ModelDress::kLicensesMax) {
      return wrong(command.line, "more than {} licences", ModelDress::kLicensesMax);
    }
    dress.licenses.push_back(command.value);
  }
  if (command.name == "message") {
    if (dress.messages.size() >= ModelDress::kMessagesMax) {
      return wrong(command.line, "more than {} messages", ModelDress::kMessagesMax);
    }
    dress.messages.push_back(Json::object({{"role", command.key}, {"content", command.value}}));
  }
  if (command.name == "parameter") return set_parameter(command, file);
  return ok_status();
}

}  // namespace

bool is_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  for (int part = 0; part < 3; ++part) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == 0) return false;
    text.remove_prefix(digits);
    if (part < 2 && !text.starts_with('.')) return false;
    if (part < 2) text.remove_prefix(1);
  }
  return text.empty() || text.front() == '-' || text.front() == '+';
}

Result<Modelfile> parse_modelfile(std::string_view bytes) {
  if (bytes.size() > kModelfileMax) {
    return error(StatusCode::kInvalidArgument, "a Modelfile of {} bytes; at most {}", bytes.size(),
                 kModelfileMax);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string text, decoded(bytes));
  if (const auto bad = first_invalid_utf8(text)) {
    return error(StatusCode::kInvalidArgument, "the file is no UTF-8 at byte {}", *bad);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<Command> commands, Reader(text).run());
  Modelfile file;
  for (const Command& command : commands) QUIRE_RETURN_IF_ERROR(take(command, file));
  if (file.from.empty()) return error(StatusCode::kInvalidArgument, "no FROM line");
  file.dress.from = file.from.front();
  return file;
}

}  // namespace quire::store
