// LarkWriter: a grammar in llguidance's Lark, rule by rule. Literals of formats become the control
// tokens that the vocabulary has for them, and letters elsewhere. A rule that is asked for twice is
// written once. One grammar; one thread. Used by tool_grammar and loose_grammar.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/control_text.h"
#include "text/tokenizer.h"

namespace quire {

class LarkWriter {
 public:
  // White space that may be there.
  static constexpr std::string_view kGap = "WS?";

  explicit LarkWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer), control_(tokenizer) {}

  // The name of a rule with this body.
  std::string rule(std::string_view stem, const std::string& body, bool is_lazy = false);

  // A name for a rule that is defined later.
  std::string reserve(std::string_view stem);
  void define(const std::string& name, const std::string& body);

  // The literal where it has to stand.
  std::string spelled(std::string_view literal) const;

  // Free text up to the literal's beginning and the literal; `rest`, the part of the literal that
  // stands behind what is looked for: a control token, or letters up to the next white space.
  std::string text_until(std::string_view literal);

  // As text_until(), but ending where it is certain that the literal is coming; `rest` is what is
  // missing of it then.
  std::string head(std::string_view literal, std::string& rest);

  // The literal where free text may come instead: it is taken as soon as it cannot be text.
  std::string here(std::string_view literal);

  bool has_control(std::string_view literal) const;

  // The whole, beginning with `start`.
  std::string grammar(const std::string& start) const;

  static std::string quoted(std::string_view text);
  static std::string regex_escaped(std::string_view text);

 private:
  struct Piece {
    std::string text;   // letters
    TokenId token = -1;  // or a control token
    bool is_gap = false;  // or white space
  };
  std::vector<Piece> pieces(std::string_view literal) const;
  static std::string spelled(const std::vector<Piece>& pieces, std::size_t from);

  const Tokenizer& tokenizer_;
  const ControlText control_;
  std::vector<std::string> lines_;
  std::unordered_map<std::string, std::string> names_;  // of rules, by their body
  std::size_t count_ = 0;
};

}  // namespace quire
