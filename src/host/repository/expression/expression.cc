#include "host/repository/expression/expression.h"

#include <fmt/format.h>

#include "base/text/ascii.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace quire {
namespace {

Status wrong_at(std::size_t at, std::string_view message) {
  return Status(StatusCode::kInvalidArgument, fmt::format("at character {}: {}", at + 1, message));
}

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

}  // namespace

// By recursive descent, a level for each strength of operators.
class ExpressionReader {
 public:
  ExpressionReader(std::string_view text, const Expression::Inputs& inputs)
      : text_(text), inputs_(inputs) {}

  Result<Expression> read() {
    if (text_.size() > kExpressionTextMax) {
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("it has {} bytes; at most {} are possible", text_.size(),
                                kExpressionTextMax));
    }
    QUIRE_ASSIGN_OR_RETURN(made_.root_, read_level(0));
    skip_spaces();
    if (at_ < text_.size()) {
      return wrong_at(at_, fmt::format("'{}' was not expected", text_.substr(at_, 1)));
    }
    return std::move(made_);
  }

 private:
  using Node = Expression::Node;

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' ||
                                  text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool take(std::string_view word) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    const bool goes_on = is_name_start(word.front()) && end < text_.size() &&
                         is_name_part(text_[end]);
    if (goes_on) return false;
    at_ = end;
    return true;
  }

  Result<std::size_t> add(Node node) {
    if (made_.nodes_.size() == kExpressionNodesMax) {
      return wrong_at(node.at, fmt::format("it has over {} parts", kExpressionNodesMax));
    }
    made_.nodes_.push_back(std::move(node));
    return made_.nodes_.size() - 1;
  }

  Result<std::size_t> call(std::string_view name, std::size_t at,
                           std::vector<std::size_t> arguments) {
    Node node{.at = at, .function = find_expression_function(name)};
    if (node.function == nullptr) {
      return wrong_at(at,
                      fmt::format("there is no function '{}'", name.substr(0, kExpressionShown)));
    }
    std::vector<ExpressionKind> kinds;
    for (const std::size_t argument : arguments) kinds.push_back(made_.nodes_[argument].kind);
    const Result<ExpressionKind> kind = check_expression_call(*node.function, kinds);
    if (!kind.is_ok()) return wrong_at(at, kind.status().message());
    node.kind = *kind;
    node.arguments = std::move(arguments);
    return add(std::move(node));
  }

  // Operators of one strength, from left to right.
  Result<std::size_t> read_level(std::size_t level) {
    static const std::vector<std::string_view> kLevels[] = {  // longer ones first
        {"or"}, {"and"}, {"not"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"},
        {"*", "//", "/", "%"}};
    constexpr std::size_t kNot = 2;
    if (level == std::size(kLevels)) return read_signed();
    if (level == kNot) return read_not(level);
    QUIRE_ASSIGN_OR_RETURN(std::size_t left, read_level(level + 1));
    for (;;) {
      skip_spaces();
      const std::size_t at = at_;
      std::string_view found;
      for (const std::string_view name : kLevels[level]) {
        if (found.empty() && take(name)) found = name;
      }
      if (found.empty()) return left;
      QUIRE_ASSIGN_OR_RETURN(const std::size_t right, read_level(level + 1));
      QUIRE_ASSIGN_OR_RETURN(left, call(found, at, {left, right}));
    }
  }

  Result<std::size_t> read_not(std::size_t level) {
    skip_spaces();
    const std::size_t at = at_;
    if (!take("not")) return read_level(level + 1);
    return nested([&]() -> Result<std::size_t> {
      QUIRE_ASSIGN_OR_RETURN(const std::size_t of, read_not(level));
      return call("not", at, {of});
    });
  }

  Result<std::size_t> read_signed() {
    skip_spaces();
    const std::size_t at = at_;
    if (!take("-")) return read_one();
    return nested([&]() -> Result<std::size_t> {
      QUIRE_ASSIGN_OR_RETURN(const std::size_t of, read_signed());
      return call("negative", at, {of});
    });
  }

  template <typename Read>
  Result<std::size_t> nested(Read read) {
    if (++depth_ > kExpressionDepthMax) {
      return wrong_at(at_, fmt::format("it is nested more than {} deep", kExpressionDepthMax));
    }
    const Result<std::size_t> made = read();
    --depth_;
    return made;
  }

  Result<std::size_t> read_one() {
    skip_spaces();
    const std::size_t at = at_;
    if (at_ == text_.size()) return wrong_at(at, "it ends where a value was expected");
    const char c = text_[at_];
    if (take("(")) {
      QUIRE_ASSIGN_OR_RETURN(const std::size_t inner, nested([&] { return read_level(0); }));
      if (!take(")")) return wrong_at(at_, "')' was expected");
      return inner;
    }
    if (is_digit(c) || c == '.') return read_number();
    if (c == '\'' || c == '"') return read_text();
    if (is_name_start(c)) return read_name();
    return wrong_at(at, fmt::format("'{}' was not expected", text_.substr(at, 1)));
  }

  Result<std::size_t> read_number() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_name_part(text_[at_]) || text_[at_] == '.' ||
                                  ((text_[at_] == '-' || text_[at_] == '+') &&
                                   (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))) {
      ++at_;
    }
    const std::string_view word = text_.substr(begin, at_ - begin);
    const char* end = word.data() + word.size();
    Node node{.at = begin};
    std::int64_t integer = 0;
    const auto whole = std::from_chars(word.data(), end, integer);
    if (whole.ec == std::errc() && whole.ptr == end) {
      node.literal.integers = {integer};
      return add(std::move(node));
    }
    double number = 0;
    const auto read = std::from_chars(word.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) {
      return wrong_at(begin, fmt::format("'{}' is no number", word.substr(0, kExpressionShown)));
    }
    node.kind = node.literal.kind = ExpressionKind::kNumber;
    node.literal.numbers = {number};
    return add(std::move(node));
  }

  Result<std::size_t> read_text() {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    Node node{.kind = ExpressionKind::kText, .at = begin};
    node.literal.kind = ExpressionKind::kText;
    std::string& text = node.literal.texts.emplace_back();
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\') {
        const char escaped = at_ < text_.size() ? text_[at_++] : '\0';
        const std::string_view names = "nrt\\'\"", values = "\n\r\t\\'\"";
        const std::size_t known = escaped == '\0' ? names.npos : names.find(escaped);
        if (known == names.npos) return wrong_at(at_ - 1, "it is no escape of n, r, t, \\, ', \"");
        c = values[known];
      }
      text += c;
    }
    if (at_ == text_.size()) return wrong_at(begin, "the text does not end");
    ++at_;
    return add(std::move(node));
  }

  Result<std::size_t> read_name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (take("(")) {
      return nested([&]() -> Result<std::size_t> {
        QUIRE_ASSIGN_OR_RETURN(std::vector<std::size_t> arguments, read_arguments());
        return call(name, begin, std::move(arguments));
      });
    }
    Node node{.at = begin};
    if (name == "true" || name == "false") {
      node.kind = node.literal.kind = ExpressionKind::kBool;
      node.literal.integers = {name == "true" ? 1 : 0};
      return add(std::move(node));
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].first != name) continue;
      node.is_input = true;
      node.input = i;
      node.kind = inputs_[i].second;
      return add(std::move(node));
    }
    return wrong_at(begin, fmt::format("there is no input '{}'", name.substr(0, kExpressionShown)));
  }

  Result<std::vector<std::size_t>> read_arguments() {
    std::vector<std::size_t> arguments;
    if (take(")")) return arguments;
    for (;;) {
      QUIRE_ASSIGN_OR_RETURN(const std::size_t one, read_level(0));
      arguments.push_back(one);
      if (take(")")) return arguments;
      if (!take(",")) return wrong_at(at_, "',' or ')' was expected");
    }
  }

  std::string_view text_;
  const Expression::Inputs& inputs_;
  Expression made_;
  std::size_t at_ = 0, depth_ = 0;
};

Result<Expression> Expression::parse(std::string_view text, const Inputs& inputs) {
  return ExpressionReader(text, inputs).read();
}

bool Expression::uses(std::size_t input) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& it) {
    return it.is_input && it.input == input;
  });
}

Result<ExpressionValue> Expression::evaluate(const ExpressionInputs& inputs) const {
  std::size_t work = 0;
  return value_of(root_, inputs, work);
}

Result<ExpressionValue> Expression::value_of(std::size_t node, const ExpressionInputs& inputs,
                                             std::size_t& work) const {
  const Node& here = nodes_[node];
  Result<ExpressionValue> made = here.literal;
  if (here.is_input) made = inputs.whole(here.input);
  if (here.function != nullptr) {
    made = call(here, inputs, work);
  } else if (!made.is_ok()) {
    return wrong_at(here.at, made.status().message());
  }
  if (!made.is_ok()) return made;
  work += made->count();
  if (work > kExpressionWorkMax) {
    return wrong_at(here.at, fmt::format("its values have over {} elements together",
                                         kExpressionWorkMax));
  }
  return made;
}

Result<ExpressionValue> Expression::call(const Node& node, const ExpressionInputs& inputs,
                                         std::size_t& work) const {
  const Node& first = nodes_[node.arguments.front()];
  const bool takes_last = first.is_input && node.function->name == "last";
  std::vector<ExpressionValue> arguments;
  for (std::size_t i = takes_last ? 1 : 0; i < node.arguments.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(arguments.emplace_back(), value_of(node.arguments[i], inputs, work));
  }
  std::int64_t dim = -1;
  if (takes_last && !arguments.empty()) {
    if (arguments.front().count() != 1) return wrong_at(node.at, "'last': one integer is needed");
    dim = arguments.front().integers.front();
  }
  const Result<ExpressionValue> made =
      takes_last ? inputs.last(first.input, dim) : node.function->run(arguments);
  if (made.is_ok()) return made;
  return wrong_at(node.at, fmt::format("'{}': {}", node.function->name, made.status().message()));
}

}  // namespace quire
