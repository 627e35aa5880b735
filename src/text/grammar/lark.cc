#include "text/grammar/lark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "text/grammar/pattern.h"

namespace quire {
namespace {

Status fail(std::string_view text, std::size_t at, std::string_view what) {
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  const std::size_t begin = last == std::string_view::npos ? 0 : last + 1;
  return error(StatusCode::kUnsupported, "line {}, column {}: {}", line, at - begin + 1, what);
}

// Where the string or regular expression that begins at `at` ends: at its closing mark, or the
// line's end.
std::size_t closing(std::string_view text, std::size_t at) {
  const char mark = text[at];
  for (++at; at < text.size() && text[at] != mark && text[at] != '\n'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at, text.size());
}

bool is_name(char c) {
  const char low = lower_ascii(c);
  return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// Which rules each rule names, "start" first. What is no rule but looks like a name counts as well:
// it only makes chains longer.
class RuleNames {
 public:
  RuleNames() { number("start"); }

  // A name at the beginning of a line begins a rule, if a colon follows on the same line.
  void take(std::string_view lark, std::size_t& at) {
    const std::size_t begin = at;
    while (at + 1 < lark.size() && is_name(lark[at + 1])) ++at;
    const std::string name(lark.substr(begin, at + 1 - begin));
    const bool is_first = begin == 0 || lark[begin - 1] == '\n' || lark[begin - 1] == '?' ||
                          lark[begin - 1] == '!';
    const std::size_t line_end = std::min(lark.find('\n', at), lark.size());
    const std::size_t named = number(name);
    if (is_first && lark.find(':', at) < line_end) {
      rule_ = named;
    } else {
      names_[rule_].push_back(named);
    }
  }

  std::span<const std::vector<std::size_t>> all() const { return names_; }

 private:
  std::size_t number(const std::string& name) {
    const auto [place, is_new] = numbers_.emplace(name, names_.size());
    if (is_new) names_.emplace_back();
    return place->second;
  }

  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::vector<std::size_t>> names_;
  std::size_t rule_ = 0;
};

}  // namespace

bool is_chain_too_long(std::span<const std::vector<std::size_t>> names) {
  struct Level {
    std::size_t rule = 0;
    std::size_t next = 0;
  };
  std::vector<bool> is_seen(names.size(), false);
  std::vector<Level> levels = {{0, 0}};
  is_seen[0] = true;
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == names[level.rule].size()) {
      levels.pop_back();
      continue;
    }
    const std::size_t rule = names[level.rule][level.next++];
    if (is_seen[rule]) continue;
    is_seen[rule] = true;
    if (levels.size() >= kRuleChainMax) return true;
    levels.push_back({rule, 0});
  }
  return false;
}

Result<GrammarSource> source_of_lark(std::string_view lark) {
  if (lark.size() > kLarkSizeMax) {
    return error(StatusCode::kUnsupported, "the grammar has {} bytes, above the budget of {}",
                 lark.size(), kLarkSizeMax);
  }
  if (const auto bad = first_invalid_utf8(lark)) {
    return error(StatusCode::kInvalidArgument, "the grammar is not UTF-8 (at byte {})", *bad);
  }
  RuleNames rules;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < lark.size(); ++at) {
    const char c = lark[at];
    if (c == '#' || lark.substr(at).starts_with("//")) {
      at = std::min(lark.find('\n', at), lark.size());
    } else if (c == '"' || c == '/') {
      const std::size_t end = closing(lark, at);
      if (c == '/') {  // whether it is one, the compiler says; here its budgets count
        const auto pattern = rewrite_pattern(lark.substr(at + 1, end - at - 1));
        const bool is_budget = !pattern.is_ok() &&
                               pattern.status().message().find("budget") != std::string::npos;
        if (is_budget) return fail(lark, at, pattern.status().message());
      }
      at = end;
    } else if (c == '(' || c == '[' || c == '{') {
      if (++depth > kLarkDepthMax) {
        return fail(lark, at, fmt::format("groups are nested deeper than the budget of {}",
                                          kLarkDepthMax));
      }
    } else if (is_name(c)) {
      rules.take(lark, at);
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  if (is_chain_too_long(rules.all())) {
    return error(StatusCode::kUnsupported, "more than {} rules lead to each other, the budget",
                 kRuleChainMax);
  }
  return GrammarSource{.kind = GrammarKind::kLark, .text = std::string(lark)};
}

Result<GrammarSource> source_of_choice(std::span<const std::string> choices) {
  QUIRE_CHECK(!choices.empty(), "a choice of nothing");
  if (choices.size() > kChoiceTextsMax) {
    return error(StatusCode::kUnsupported, "{} choices are above the budget of {}", choices.size(),
                 kChoiceTextsMax);
  }
  std::string text;
  for (const std::string& choice : choices) {
    text += text.empty() ? "(?:" : "|";
    for (const char c : choice) {
      const auto byte = static_cast<std::uint8_t>(c);
      const char low = lower_ascii(c);
      const bool is_plain = byte >= 0x80 || (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');
      if (is_plain) text += c;
      else text += fmt::format("\\x{{{:X}}}", byte);
    }
  }
  if (text.size() > 4 * kChoiceBytesMax) {
    return error(StatusCode::kUnsupported, "the choices have more bytes than their budget of {}",
                 kChoiceBytesMax);
  }
  return GrammarSource{.kind = GrammarKind::kRegex, .text = text + ")"};
}

}  // namespace quire
