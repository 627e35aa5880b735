#include "text/grammar/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text/ascii.h"
#include "base/text/utf8.h"
#include "text/grammar/lark.h"
#include "text/grammar/pattern.h"

namespace quire {
namespace {

constexpr std::uint32_t kNoEnd = std::numeric_limits<std::uint32_t>::max();

enum class NodeKind : std::uint8_t { kCharacters, kRule, kSequence, kChoice, kRepeat };

struct Node {
  NodeKind kind = NodeKind::kSequence;
  std::vector<std::string> characters;  // as regular expressions of one character each
  std::size_t rule = 0;
  std::uint32_t min = 0, max = 0;  // of a repetition
  std::vector<Node> inner;
  std::uint64_t count = 1;  // the largest product of counts in it
};

struct Rule {
  std::string name;
  std::optional<Node> body;
  std::size_t named_at = 0;  // in the text, first
};

bool is_word(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '_';
}

void append_character(std::uint32_t code, std::string& out) {
  const bool is_plain = code < 0x80 && (is_digit(static_cast<char>(code)) ||
                                        (lower_ascii(static_cast<char>(code)) >= 'a' &&
                                         lower_ascii(static_cast<char>(code)) <= 'z'));
  if (is_plain) out += static_cast<char>(code);
  else out += fmt::format("\\x{{{:X}}}", code);
}

class GbnfReader {
 public:
  explicit GbnfReader(std::string_view in) : in_(in) {}

  Status read() {
    skip_space(true);
    while (at_ < in_.size()) QUIRE_RETURN_IF_ERROR(read_rule());
    for (const Rule& rule : rules_) {
      if (rule.body) continue;
      return fail(fmt::format("the rule '{}' is nowhere", rule.name), rule.named_at);
    }
    if (!names_.contains("root")) return fail("there is no rule 'root'", in_.size());
    return ok_status();
  }

  const std::vector<Rule>& rules() const { return rules_; }
  std::size_t root() const { return names_.at("root"); }

 private:
  Status fail(std::string_view what, std::size_t at) const {
    const std::string_view before = in_.substr(0, at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t begin = before.rfind('\n') == std::string_view::npos ? 0
                                                                           : before.rfind('\n') + 1;
    return error(StatusCode::kInvalidArgument, "line {}, column {}: {}", line, at - begin + 1,
                 what);
  }
  Status fail(std::string_view what) const { return fail(what, at_); }
  char peek() const { return at_ < in_.size() ? in_[at_] : '\0'; }

  void skip_space(bool is_line_end_ok);
  Result<std::size_t> read_name();
  Status read_rule();
  Status read_choice(std::size_t depth, Node& out);
  Status read_sequence(std::size_t depth, Node& out);
  Status read_item(std::size_t depth, Node& out);
  Status read_literal(Node& out);
  Status read_class(Node& out);
  Result<std::uint32_t> read_character();
  Status read_repetition(Node& item);
  Status read_counts(std::uint64_t& min, std::uint64_t& max);

  std::string_view in_;
  std::size_t at_ = 0;
  std::vector<Rule> rules_;
  std::unordered_map<std::string, std::size_t> names_;
};

void GbnfReader::skip_space(bool is_line_end_ok) {
  while (at_ < in_.size()) {
    const char c = in_[at_];
    if (c == '#') {
      while (at_ < in_.size() && in_[at_] != '\n' && in_[at_] != '\r') ++at_;
    } else if (c == ' ' || c == '\t' || (is_line_end_ok && (c == '\n' || c == '\r'))) {
      ++at_;
    } else {
      return;
    }
  }
}

// The rule of the name that stands here.
Result<std::size_t> GbnfReader::read_name() {
  const std::size_t begin = at_;
  while (at_ < in_.size() && is_word(in_[at_])) ++at_;
  if (at_ == begin) return fail("expected the name of a rule");
  const auto [place, is_new] =
      names_.emplace(std::string(in_.substr(begin, at_ - begin)), rules_.size());
  if (is_new) {
    if (rules_.size() >= kGbnfRulesMax) {
      return fail(fmt::format("more rules than the budget of {}", kGbnfRulesMax), begin);
    }
    rules_.push_back({.name = place->first, .named_at = begin});
  }
  return place->second;
}

Status GbnfReader::read_rule() {
  const std::size_t begin = at_;
  QUIRE_ASSIGN_OR_RETURN(const std::size_t rule, read_name());
  skip_space(false);
  if (!in_.substr(at_).starts_with("::=")) return fail("expected '::='");
  if (rules_[rule].body) {
    return fail(fmt::format("the rule '{}' is there twice", rules_[rule].name), begin);
  }
  at_ += 3;
  skip_space(true);
  Node body;
  QUIRE_RETURN_IF_ERROR(read_choice(0, body));
  rules_[rule].body = std::move(body);
  if (at_ < in_.size() && peek() != '\n' && peek() != '\r') {
    return fail(peek() == ')' ? "')' closes no group" : "expected the end of the line");
  }
  skip_space(true);
  return ok_status();
}

Status GbnfReader::read_choice(std::size_t depth, Node& out) {
  out.kind = NodeKind::kChoice;
  while (true) {
    Node sequence;
    QUIRE_RETURN_IF_ERROR(read_sequence(depth, sequence));
    out.count = std::max(out.count, sequence.count);
    out.inner.push_back(std::move(sequence));
    if (peek() != '|') return ok_status();
    ++at_;
    skip_space(true);
  }
}

Status GbnfReader::read_sequence(std::size_t depth, Node& out) {
  while (true) {
    const char c = peek();
    const bool is_item = c == '"' || c == '[' || c == '(' || c == '.' || is_word(c);
    if (!is_item) {
      if (c == '<' || c == '!') return fail("references to tokens are not supported");
      if (c == '*' || c == '+' || c == '?' || c == '{') return fail("nothing to repeat");
      return ok_status();
    }
    Node item;
    QUIRE_RETURN_IF_ERROR(read_item(depth, item));
    skip_space(depth > 0);
    QUIRE_RETURN_IF_ERROR(read_repetition(item));
    skip_space(depth > 0);
    out.count = std::max(out.count, item.count);
    out.inner.push_back(std::move(item));
  }
}

Status GbnfReader::read_item(std::size_t depth, Node& out) {
  if (peek() == '"') return read_literal(out);
  if (peek() == '[') return read_class(out);
  if (peek() == '.') {
    out = {.kind = NodeKind::kCharacters, .characters = {"(?s:.)"}};
    ++at_;
    return ok_status();
  }
  if (peek() != '(') {
    out.kind = NodeKind::kRule;
    QUIRE_ASSIGN_OR_RETURN(out.rule, read_name());
    return ok_status();
  }
  if (depth >= kGbnfDepthMax) {
    return fail(fmt::format("groups are nested deeper than the budget of {}", kGbnfDepthMax));
  }
  const std::size_t begin = at_++;
  skip_space(true);
  QUIRE_RETURN_IF_ERROR(read_choice(depth + 1, out));
  if (peek() != ')') {
    return at_ < in_.size() ? fail("expected ')'") : fail("a group is not closed", begin);
  }
  ++at_;
  return ok_status();
}

Status GbnfReader::read_literal(Node& out) {
  const std::size_t begin = at_++;
  out.kind = NodeKind::kCharacters;
  while (peek() != '"') {
    if (at_ >= in_.size()) return fail("a literal is not closed", begin);
    QUIRE_ASSIGN_OR_RETURN(const std::uint32_t code, read_character());
    append_character(code, out.characters.emplace_back());
  }
  ++at_;
  return ok_status();
}

Status GbnfReader::read_class(Node& out) {
  const std::size_t begin = at_++;
  out.kind = NodeKind::kCharacters;
  std::string text = "[";
  if (peek() == '^') {
    text += '^';
    ++at_;
  }
  const std::size_t empty = text.size();
  while (peek() != ']') {
    if (at_ >= in_.size()) return fail("a class is not closed", begin);
    const std::size_t item = at_;
    QUIRE_ASSIGN_OR_RETURN(const std::uint32_t low, read_character());
    append_character(low, text);
    const bool is_range = peek() == '-' && at_ + 1 < in_.size() && in_[at_ + 1] != ']';
    if (!is_range) continue;
    ++at_;
    QUIRE_ASSIGN_OR_RETURN(const std::uint32_t high, read_character());
    if (high < low) return fail("a range of a class is reversed", item);
    text += '-';
    append_character(high, text);
  }
  ++at_;
  if (text.size() == empty) {
    if (empty == 1) return fail("an empty class allows nothing", begin);
    text = "(?s:.)";
  } else {
    text += ']';
  }
  out.characters = {std::move(text)};
  return ok_status();
}

Result<std::uint32_t> GbnfReader::read_character() {
  const std::size_t begin = at_;
  if (peek() != '\\') {
    std::size_t size = 1;
    while (at_ + size < in_.size() && (static_cast<std::uint8_t>(in_[at_ + size]) & 0xC0) == 0x80) {
      ++size;
    }
    std::uint32_t code = static_cast<std::uint8_t>(peek());
    if (size > 1) code &= (1U << (7 - size)) - 1;
    for (std::size_t i = 1; i < size; ++i) {
      code = code << 6 | (static_cast<std::uint8_t>(in_[at_ + i]) & 0x3F);
    }
    at_ += size;
    return code;
  }
  ++at_;
  const char kind = peek();
  ++at_;
  constexpr std::string_view kNamed = "trn\\\"[]-^";
  constexpr std::string_view kMeant = "\t\r\n\\\"[]-^";
  const std::size_t named = kNamed.find(kind);
  if (kind != '\0' && named != std::string_view::npos) {
    return static_cast<std::uint32_t>(kMeant[named]);
  }
  const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  if (digits == 0) return fail("an escape that GBNF does not know", begin);
  std::uint32_t code = 0;
  for (std::size_t i = 0; i < digits; ++i, ++at_) {
    const int digit = hex_value(peek());
    if (digit < 0) return fail(fmt::format("expected {} hexadecimal digits", digits), begin);
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return fail("this escape is no character", begin);
  }
  return code;
}

Status GbnfReader::read_counts(std::uint64_t& min, std::uint64_t& max) {
  const auto read_number = [&](std::uint64_t& value) {
    if (!is_digit(peek())) return false;
    for (value = 0; is_digit(peek()); ++at_) {
      value = std::min<std::uint64_t>(value * 10 + static_cast<std::uint64_t>(peek() - '0'),
                                      kPatternCountMax + 1);
    }
    skip_space(false);
    return true;
  };
  ++at_;
  skip_space(false);
  if (!read_number(min)) return fail("expected a number");
  max = min;
  if (peek() == ',') {
    ++at_;
    skip_space(false);
    if (!read_number(max)) max = kNoEnd;
  }
  if (peek() != '}') return fail("expected '}'");
  ++at_;
  return ok_status();
}

Status GbnfReader::read_repetition(Node& item) {
  while (true) {
    const std::size_t begin = at_;
    std::uint64_t min = 0;
    std::uint64_t max = kNoEnd;
    if (peek() == '{') {
      QUIRE_RETURN_IF_ERROR(read_counts(min, max));
    } else if (peek() == '*' || peek() == '+' || peek() == '?') {
      if (peek() == '+') min = 1;
      if (peek() == '?') max = 1;
      ++at_;
    } else {
      return ok_status();
    }
    if (max < min) return fail("a count is reversed", begin);
    const std::uint64_t count = std::max<std::uint64_t>(max == kNoEnd ? min : max, 1);
    if (count > kPatternCountMax) {
      return fail(fmt::format("a count is above the budget of {}", kPatternCountMax), begin);
    }
    const std::uint64_t product = count * item.count;
    if (count > 1 && item.count > 1 && product > kPatternNestedMax) {
      return fail(fmt::format("counts in counts come to {}, above the budget of {}", product,
                              kPatternNestedMax), begin);
    }
    Node repeat{.kind = NodeKind::kRepeat,
                .min = static_cast<std::uint32_t>(min),
                .max = static_cast<std::uint32_t>(max),
                .count = product};
    repeat.inner.push_back(std::move(item));
    item = std::move(repeat);
    skip_space(false);
  }
}

class LarkWriter {
 public:
  LarkWriter(const std::vector<Rule>& rules, std::size_t root) : rules_(rules), root_(root) {}

  // The root's first.
  std::vector<std::vector<std::size_t>> references() const {
    std::vector<std::vector<std::size_t>> all = {{root_ + 1}};
    for (const Rule& rule : rules_) {
      each_reference(*rule.body, [&names = all.emplace_back()](std::size_t other) {
        names.push_back(other + 1);
      });
    }
    return all;
  }

  std::string write() {
    find_used();
    is_one_lexeme_ = !is_recursive();
    std::string out = fmt::format("start: {}\n", name(root_));
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
      if (!is_used_[rule]) continue;
      out += name(rule) + ": ";
      write_node(*rules_[rule].body, out);
      out += '\n';
    }
    return out;
  }

 private:
  // Lexemes have capitals.
  std::string name(std::size_t rule) const {
    return fmt::format("{}{}", is_one_lexeme_ ? "R" : "r", rule);
  }

  template <typename Take>
  static void each_reference(const Node& node, const Take& take) {
    if (node.kind == NodeKind::kRule) take(node.rule);
    for (const Node& inner : node.inner) each_reference(inner, take);
  }

  void find_used() {
    is_used_.assign(rules_.size(), false);
    std::vector<std::size_t> open = {root_};
    is_used_[root_] = true;
    while (!open.empty()) {
      const std::size_t rule = open.back();
      open.pop_back();
      each_reference(*rules_[rule].body, [&](std::size_t other) {
        if (!is_used_[other]) open.push_back(other);
        is_used_[other] = true;
      });
    }
  }

  // Rules that wait for no other are taken away until none is left, or only those in a ring and
  // what leads to it.
  bool is_recursive() const {
    std::vector<std::vector<std::size_t>> users(rules_.size());
    std::vector<std::size_t> waits_for(rules_.size(), 0);
    std::vector<std::size_t> ready;
    std::size_t left = 0;
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
      if (!is_used_[rule]) continue;
      ++left;
      each_reference(*rules_[rule].body, [&](std::size_t other) {
        users[other].push_back(rule);
        ++waits_for[rule];
      });
      if (waits_for[rule] == 0) ready.push_back(rule);
    }
    while (!ready.empty()) {
      const std::size_t rule = ready.back();
      ready.pop_back();
      --left;
      for (const std::size_t user : users[rule]) {
        if (--waits_for[user] == 0) ready.push_back(user);
      }
    }
    return left > 0;
  }

  void write_node(const Node& node, std::string& out) const {
    switch (node.kind) {
      case NodeKind::kCharacters:
        write_characters(node, out);
        break;
      case NodeKind::kRule:
        out += name(node.rule);
        break;
      case NodeKind::kSequence:
        if (node.inner.empty()) out += "\"\"";
        for (std::size_t i = 0; i < node.inner.size(); ++i) {
          if (i > 0) out += ' ';
          write_node(node.inner[i], out);
        }
        break;
      case NodeKind::kChoice:
        out += '(';
        for (std::size_t i = 0; i < node.inner.size(); ++i) {
          if (i > 0) out += " | ";
          write_node(node.inner[i], out);
        }
        out += ')';
        break;
      case NodeKind::kRepeat:
        out += '(';
        write_node(node.inner.front(), out);
        out += ')';
        if (node.max == kNoEnd && node.min <= 1) out += node.min == 0 ? '*' : '+';
        else if (node.min == 0 && node.max == 1) out += '?';
        else if (node.max == kNoEnd) out += fmt::format("{{{},}}", node.min);
        else out += fmt::format("{{{},{}}}", node.min, node.max);
        break;
    }
  }

  void write_characters(const Node& node, std::string& out) const {
    if (node.characters.empty()) {
      out += "\"\"";
      return;
    }
    if (is_one_lexeme_) {
      out += '/';
      for (const std::string& character : node.characters) out += character;
      out += '/';
      return;
    }
    for (std::size_t i = 0; i < node.characters.size(); ++i) {
      out += fmt::format("{}/{}/", i > 0 ? " " : "", node.characters[i]);
    }
  }

  const std::vector<Rule>& rules_;
  std::size_t root_;
  bool is_one_lexeme_ = false;
  std::vector<bool> is_used_;
};

}  // namespace

Result<GrammarSource> source_of_gbnf(std::string_view gbnf) {
  if (gbnf.size() > kGbnfSizeMax) {
    return error(StatusCode::kUnsupported, "the grammar has {} bytes, above the budget of {}",
                 gbnf.size(), kGbnfSizeMax);
  }
  if (const auto bad = first_invalid_utf8(gbnf)) {
    return error(StatusCode::kInvalidArgument, "the grammar is not UTF-8 (at byte {})", *bad);
  }
  GbnfReader reader(gbnf);
  QUIRE_RETURN_IF_ERROR(reader.read());
  LarkWriter writer(reader.rules(), reader.root());
  if (is_chain_too_long(writer.references())) {
    return error(StatusCode::kUnsupported, "more than {} rules lead to each other, the budget",
                 kRuleChainMax);
  }
  return GrammarSource{.kind = GrammarKind::kLark, .text = writer.write()};
}

}  // namespace quire
