// Grammar: which tokens may come next, and which must, where an answer has to be of a JSON schema,
// a Lark grammar or a regular expression (GrammarSource). Three lives: a GrammarFactory is built
// once per vocabulary (tens to hundreds of milliseconds), a Grammar once per source (to a second,
// within the budgets of time and memory of docs/constrained.md), a GrammarState once per text.
// Whoever is further down keeps what is above it alive.
// Factory and grammar: any thread. A state: one thread at a time; states of one grammar may wait
// for each other for microseconds. Used by host/grammars and engine/constraints/grammar_constraint.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "text/grammar/source.h"
#include "text/tokenizer.h"

struct QuireGrammar;
struct QuireGrammarFactory;
struct QuireGrammarState;

namespace quire {

class Grammar;

class GrammarState {
 public:
  GrammarState(const GrammarState&) = delete;
  GrammarState& operator=(const GrammarState&) = delete;
  ~GrammarState();

  // Bit i of the words says whether token i may come next; tokens that end a text are among them
  // where it may end. No bit: nothing may follow. `words` may be more or less than the vocabulary.
  // kResourceExhausted, here and below: the text is at a place that is beyond the budget of a step.
  Status write_mask(std::span<std::uint32_t> words);

  // Moves on by one token. An error if the grammar does not have it here.
  Status accept(TokenId token);
  // Takes the last tokens back. REQUIRES: so many were accepted.
  Status roll_back(std::size_t tokens);

  // Tokens that must come next, whatever is drawn, written as the tokenizer writes them; where the
  // text that must come could still be a part of a longer token, they end before it.
  Result<std::vector<TokenId>> forced();

  struct End {
    bool is_over = false;  // nothing may follow
    bool may_end = false;  // it is a whole text of the grammar
  };
  Result<End> end();

  enum class Verdict : std::uint8_t { kNo, kBegins, kWhole };
  // Moves on by a text without special tokens, for tests.
  Result<Verdict> accept_text(std::string_view text);

 private:
  friend class Grammar;
  GrammarState(std::shared_ptr<const Grammar> grammar, QuireGrammarState* raw)
      : grammar_(std::move(grammar)), raw_(raw) {}

  std::shared_ptr<const Grammar> grammar_;
  QuireGrammarState* raw_;
};

class GrammarFactory;

class Grammar : public std::enable_shared_from_this<Grammar> {
 public:
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
  ~Grammar();

  Result<std::unique_ptr<GrammarState>> begin() const;

 private:
  friend class GrammarFactory;
  Grammar(std::shared_ptr<const GrammarFactory> factory, QuireGrammar* raw)
      : factory_(std::move(factory)), raw_(raw) {}

  std::shared_ptr<const GrammarFactory> factory_;
  QuireGrammar* raw_;
};

class GrammarFactory : public std::enable_shared_from_this<GrammarFactory> {
 public:
  // `eos`: the tokens that end a text, not empty; all are allowed where one is.
  static Result<std::shared_ptr<const GrammarFactory>> create(
      std::shared_ptr<const Tokenizer> tokenizer, std::span<const TokenId> eos);

  GrammarFactory(const GrammarFactory&) = delete;
  GrammarFactory& operator=(const GrammarFactory&) = delete;
  ~GrammarFactory();

  // kInvalidArgument: the source is no grammar; kResourceExhausted: it breaks a budget.
  Result<std::shared_ptr<const Grammar>> compile(const GrammarSource& source) const;

 private:
  GrammarFactory(std::shared_ptr<const Tokenizer> tokenizer, QuireGrammarFactory* raw)
      : tokenizer_(std::move(tokenizer)), raw_(raw) {}

  std::shared_ptr<const Tokenizer> tokenizer_;
  QuireGrammarFactory* raw_;
};

}  // namespace quire
