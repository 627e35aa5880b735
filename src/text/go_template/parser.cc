#include "text/go_template/parser.h"

#include <algorithm>
#include <optional>
#include <set>

#include "text/go_template/functions.h"
#include "text/go_template/lexer.h"
#include "text/go_template/line_error.h"

namespace quire::go {
namespace {

// What ended a list of nodes.
enum class Stop { kEof, kEnd, kElse };

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Tree> run() {
    tree_.bodies.push_back({});
    std::vector<Node> nodes;
    QUIRE_ASSIGN_OR_RETURN(const Stop stop, list(nodes, 0));
    if (stop != Stop::kEof) return wrong_at(line_, "unexpected {{{{{}}}}}", stop_name(stop));
    tree_.bodies.front().nodes = std::move(nodes);
    for (const auto& [line, name] : used_) {
      const bool is_there = std::any_of(tree_.bodies.begin() + 1, tree_.bodies.end(),
                                        [&](const NamedBody& body) { return body.name == name; });
      if (!is_there) return wrong_at(line, "template {} not defined", dump(Json(name)));
    }
    tree_.fields.assign(fields_.begin(), fields_.end());
    return std::move(tree_);
  }

 private:
  static std::string_view stop_name(Stop stop) { return stop == Stop::kElse ? "else" : "end"; }

  const Token* look() const { return at_ < tokens_.size() ? &tokens_[at_] : nullptr; }
  bool is_next(TokenKind kind) const { return look() != nullptr && look()->kind == kind; }
  bool is_word(std::string_view name) const {
    return is_next(TokenKind::kName) && look()->text == name;
  }
  bool take(TokenKind kind) {
    if (!is_next(kind)) return false;
    line_ = tokens_[at_++].line;
    return true;
  }
  void skip_spaces() {
    while (take(TokenKind::kSpace)) {
    }
  }
  Status expect_end(std::string_view where) {
    skip_spaces();
    if (take(TokenKind::kEnd)) return ok_status();
    return wrong_at(line_, "unexpected word in {}", where);
  }

  // Nodes up to {{end}}, {{else}} (whose word has been read) or the end of the source.
  Result<Stop> list(std::vector<Node>& nodes, int depth) {
    if (depth > kDepthMax) return wrong_at(line_, "more than {} actions in each other", kDepthMax);
    while (const Token* token = look()) {
      line_ = token->line;
      if (token->kind == TokenKind::kText) {
        nodes.push_back(Node{.kind = NodeKind::kText, .line = line_, .text = token->text});
        ++at_;
        continue;
      }
      if (is_word("end")) {
        ++at_;
        QUIRE_RETURN_IF_ERROR(expect_end("end"));
        return Stop::kEnd;
      }
      if (is_word("else")) {
        ++at_;
        return Stop::kElse;
      }
      QUIRE_RETURN_IF_ERROR(action(nodes, depth));
    }
    return Stop::kEof;
  }

  Status action(std::vector<Node>& nodes, int depth) {
    const int line = line_;
    if (is_word("if")) return control(NodeKind::kIf, "if", nodes, depth);
    if (is_word("range")) return control(NodeKind::kRange, "range", nodes, depth);
    if (is_word("with")) return control(NodeKind::kWith, "with", nodes, depth);
    if (is_word("define")) return define(depth);
    if (is_word("block")) return block(nodes, depth);
    if (is_word("template")) return use_template(nodes, depth);
    for (const auto& [name, kind] : {std::pair{"break", NodeKind::kBreak},
                                     std::pair{"continue", NodeKind::kContinue}}) {
      if (!is_word(name)) continue;
      ++at_;
      if (ranges_ == 0) return wrong_at(line, "{{{{{}}}}} outside {{{{range}}}}", name);
      nodes.push_back(Node{.kind = kind, .line = line, .text = {}});
      return expect_end(name);
    }
    Node node{.kind = NodeKind::kAction, .line = line, .text = {}};
    QUIRE_RETURN_IF_ERROR(pipeline(node.pipeline, depth, "command"));
    nodes.push_back(std::move(node));
    return expect_end("command");
  }

  // if, range, with: behind the word. An "else if" is an if of its own within the else.
  Status control(NodeKind kind, std::string_view name, std::vector<Node>& nodes, int depth) {
    if (depth > kDepthMax) return wrong_at(line_, "more than {} actions in each other", kDepthMax);
    ++at_;
    Node node{.kind = kind, .line = line_, .text = {}};
    const std::size_t scope = variables_.size();
    QUIRE_RETURN_IF_ERROR(pipeline(node.pipeline, depth, name));
    QUIRE_RETURN_IF_ERROR(expect_end(name));
    ranges_ += kind == NodeKind::kRange ? 1 : 0;
    QUIRE_ASSIGN_OR_RETURN(Stop stop, list(node.body, depth + 1));
    ranges_ -= kind == NodeKind::kRange ? 1 : 0;
    if (stop == Stop::kElse) {
      skip_spaces();
      const bool is_chained = (kind == NodeKind::kIf && is_word("if")) ||
                              (kind == NodeKind::kWith && is_word("with"));
      if (is_chained) {  // it ends with our end
        QUIRE_RETURN_IF_ERROR(control(kind, name, node.otherwise, depth + 1));
        stop = Stop::kEnd;
      } else {
        QUIRE_RETURN_IF_ERROR(expect_end("else"));
        QUIRE_ASSIGN_OR_RETURN(stop, list(node.otherwise, depth + 1));
        if (stop == Stop::kElse) return wrong_at(line_, "expected end; found {{{{else}}}}");
      }
    }
    if (stop == Stop::kEof) return wrong_at(node.line, "{{{{{}}}}} without its {{{{end}}}}", name);
    variables_.resize(scope);
    nodes.push_back(std::move(node));
    return ok_status();
  }

  Result<std::string> template_name(std::string_view clause) {
    skip_spaces();
    if (!is_next(TokenKind::kConstant) || !look()->value.is_string()) {
      return wrong_at(line_, "{} needs a name in quotes", clause);
    }
    return tokens_[at_++].value.as_string();
  }

  // The body of a template up to its end.
  Status body_of(std::string name, int depth) {
    const int line = line_;
    std::vector<Node> nodes;
    const auto outer = std::exchange(variables_, {});
    const int ranges = std::exchange(ranges_, 0);
    QUIRE_ASSIGN_OR_RETURN(const Stop stop, list(nodes, depth + 1));
    variables_ = outer;
    ranges_ = ranges;
    if (stop != Stop::kEnd) return wrong_at(line, "a template without its {{{{end}}}}");
    if (tree_.bodies.size() > kBodiesMax) {
      return wrong_at(line, "more than {} templates", kBodiesMax);
    }
    const auto known = std::find_if(tree_.bodies.begin() + 1, tree_.bodies.end(),
                                    [&](const NamedBody& body) { return body.name == name; });
    if (known != tree_.bodies.end()) {
      known->nodes = std::move(nodes);  // the last one holds
    } else {
      tree_.bodies.push_back({std::move(name), std::move(nodes)});
    }
    return ok_status();
  }

  Status define(int depth) {
    if (depth > 0) return wrong_at(line_, "{{{{define}}}} within another action");
    ++at_;
    QUIRE_ASSIGN_OR_RETURN(std::string name, template_name("define"));
    QUIRE_RETURN_IF_ERROR(expect_end("define"));
    return body_of(std::move(name), depth);
  }

  Status block(std::vector<Node>& nodes, int depth) {
    QUIRE_RETURN_IF_ERROR(use_template(nodes, depth));
    return body_of(nodes.back().text, depth);
  }

  Status use_template(std::vector<Node>& nodes, int depth) {
    Node node{.kind = NodeKind::kTemplate, .line = line_, .text = {}};
    const std::string clause = look()->text;
    ++at_;
    QUIRE_ASSIGN_OR_RETURN(node.text, template_name(clause));
    skip_spaces();
    node.has_pipeline = !is_next(TokenKind::kEnd);
    if (node.has_pipeline) QUIRE_RETURN_IF_ERROR(pipeline(node.pipeline, depth, clause));
    QUIRE_RETURN_IF_ERROR(expect_end(clause));
    used_.emplace_back(node.line, node.text);
    nodes.push_back(std::move(node));
    return ok_status();
  }

  // "$x :=", "$x =", of a range "$i, $x :=": nothing where the pipeline begins with no such thing.
  Status declaration(Pipeline& out, bool is_range) {
    const std::size_t begin = at_;
    std::vector<std::string> names;
    while (is_next(TokenKind::kVariable) && names.size() < 2) {
      names.push_back("$" + tokens_[at_++].text);
      skip_spaces();
      if (names.size() == 1 && is_range && take(TokenKind::kComma)) {
        skip_spaces();
        continue;
      }
      break;
    }
    const bool is_declaration = is_next(TokenKind::kDeclare);
    if (names.empty() || (!is_declaration && !is_next(TokenKind::kAssign))) {
      at_ = begin;
      return ok_status();
    }
    ++at_;
    out.is_declaration = is_declaration;
    for (const std::string& name : names) {
      if (!is_declaration && !is_known(name)) return wrong_at(line_, "undefined variable {}", name);
    }
    out.variables = std::move(names);
    return ok_status();
  }

  bool is_known(const std::string& name) const {
    return name == "$" || std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  Status pipeline(Pipeline& out, int depth, std::string_view clause) {
    if (depth > kDepthMax) return wrong_at(line_, "more than {} in each other", kDepthMax);
    skip_spaces();
    out.line = look() != nullptr ? look()->line : line_;
    QUIRE_RETURN_IF_ERROR(declaration(out, clause == "range"));
    do {
      skip_spaces();
      Command made;
      QUIRE_RETURN_IF_ERROR(command(made, depth));
      if (made.words.empty()) return wrong_at(out.line, "missing value for {}", clause);
      const Word& first = made.words.front();
      const bool is_first = out.commands.empty();
      if (is_first) join_slice(made);
      if (!is_first && first.kind == WordKind::kConstant) {
        return wrong_at(out.line, "non executable command in pipeline stage {}",
                        out.commands.size() + 1);
      }
      out.commands.push_back(std::move(made));
      skip_spaces();
    } while (take(TokenKind::kPipe));
    // A variable holds from behind the pipeline that declares it.
    if (out.is_declaration) {
      variables_.insert(variables_.end(), out.variables.begin(), out.variables.end());
    }
    return ok_status();
  }

  // (len (slice L ...)) becomes one call.
  static void join_slice(Command& made) {
    const auto calls = [](const Word& word, std::string_view function) {
      return word.kind == WordKind::kFunction && word.name == function;
    };
    if (made.words.size() != 2 || !calls(made.words[0], "len")) return;
    Word& inner = made.words[1];
    if (inner.kind != WordKind::kPipeline || !inner.fields.empty()) return;
    Pipeline& pipeline = inner.inner.front();
    if (pipeline.commands.size() != 1 || !pipeline.variables.empty()) return;
    Command slice = std::move(pipeline.commands.front());
    if (calls(slice.words.front(), "slice")) {
      slice.words.front().name = kSliceLength;
      made = std::move(slice);
    } else {
      pipeline.commands.front() = std::move(slice);
    }
  }

  Status command(Command& out, int depth) {
    constexpr std::size_t kWordsMax = 256;
    for (;;) {
      skip_spaces();
      Word word;
      QUIRE_ASSIGN_OR_RETURN(const bool is_there, operand(word, depth));
      if (!is_there) return ok_status();
      while (is_next(TokenKind::kField)) {
        const bool may = word.kind != WordKind::kConstant && word.kind != WordKind::kFunction;
        if (!may) return wrong_at(line_, "unexpected .{} behind a word", look()->text);
        word.fields.push_back(tokens_[at_].text);
        fields_.insert(tokens_[at_++].text);
      }
      out.words.push_back(std::move(word));
      if (out.words.size() > kWordsMax) return wrong_at(line_, "more than {} words", kWordsMax);
      const bool goes_on = is_next(TokenKind::kSpace) || is_next(TokenKind::kOpen);
      if (!goes_on) return ok_status();
    }
  }

  Result<bool> operand(Word& word, int depth) {
    const Token* token = look();
    if (token == nullptr) return false;
    line_ = token->line;
    switch (token->kind) {
      case TokenKind::kDot: word.kind = WordKind::kDot; break;
      case TokenKind::kField:
        word.kind = WordKind::kField;
        word.fields.push_back(token->text);
        fields_.insert(token->text);
        break;
      case TokenKind::kVariable:
        word.kind = WordKind::kVariable;
        word.name = "$" + token->text;
        if (!is_known(word.name)) return wrong_at(line_, "undefined variable {}", word.name);
        break;
      case TokenKind::kConstant:
        word.kind = WordKind::kConstant;
        word.value = token->value;
        break;
      case TokenKind::kName:
        word.kind = WordKind::kFunction;
        word.name = token->text;
        if (find_function(word.name) == nullptr) {
          return wrong_at(line_, "function {} not defined", dump(Json(word.name)));
        }
        break;
      case TokenKind::kOpen: {
        ++at_;
        word.kind = WordKind::kPipeline;
        word.inner.emplace_back();
        QUIRE_RETURN_IF_ERROR(pipeline(word.inner.front(), depth + 1, "parenthesized pipeline"));
        skip_spaces();
        if (!take(TokenKind::kClose)) return wrong_at(line_, "unclosed left paren");
        return true;
      }
      default: return false;
    }
    ++at_;
    return true;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  int ranges_ = 0;  // that we are in
  std::vector<std::string> variables_;
  std::vector<std::pair<int, std::string>> used_;  // templates, by line
  std::set<std::string> fields_;
  Tree tree_;
};

bool writes_answer(const Pipeline& pipeline) {
  return std::any_of(pipeline.commands.begin(), pipeline.commands.end(), [](const Command& it) {
    return std::any_of(it.words.begin(), it.words.end(), [](const Word& word) {
      const bool has_field = std::find(word.fields.begin(), word.fields.end(), "Response") !=
                             word.fields.end();
      return has_field || std::any_of(word.inner.begin(), word.inner.end(), writes_answer);
    });
  });
}

void mark_behind_answer(std::vector<Node>& nodes, bool& is_behind) {
  for (Node& node : nodes) {
    node.is_behind_answer = is_behind;
    if (node.kind == NodeKind::kAction && writes_answer(node.pipeline)) is_behind = true;
    mark_behind_answer(node.body, is_behind);
    mark_behind_answer(node.otherwise, is_behind);
  }
}

}  // namespace

Result<Tree> parse(std::string_view source) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<Token> tokens, lex(source));
  QUIRE_ASSIGN_OR_RETURN(Tree tree, Parser(std::move(tokens)).run());
  bool is_behind = false;
  mark_behind_answer(tree.bodies.front().nodes, is_behind);
  return tree;
}

}  // namespace quire::go
