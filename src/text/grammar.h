// Grammar: which tokens may come next under a JSON schema. A GrammarFactory is built once per
// vocabulary (tens to hundreds of milliseconds); a Grammar is one sequence's state.
// The factory: any thread. A grammar: one thread at a time. Constrained output is built on this in
// a later issue; today a test computes one mask.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "text/tokenizer.h"

struct QuireGrammar;
struct QuireGrammarFactory;

namespace quire {

class Grammar {
 public:
  explicit Grammar(QuireGrammar* raw) : raw_(raw) {}
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
  ~Grammar();

  // Bit i of the words says whether token i may come next. `words` is [ceil(vocab_size / 32)].
  Status write_mask(std::span<std::uint32_t> words);

  // Moves on by one token that the mask allows.
  Status accept(TokenId token);

 private:
  QuireGrammar* raw_;
};

class GrammarFactory {
 public:
  // An error where the vocabulary cannot write JSON at all. `eos` is allowed where a text may end.
  static Result<std::shared_ptr<const GrammarFactory>> create(const Tokenizer& tokenizer,
                                                              TokenId eos);

  GrammarFactory(const GrammarFactory&) = delete;
  GrammarFactory& operator=(const GrammarFactory&) = delete;
  ~GrammarFactory();

  Result<std::unique_ptr<Grammar>> from_schema(std::string_view json_schema) const;

 private:
  explicit GrammarFactory(QuireGrammarFactory* raw) : raw_(raw) {}

  QuireGrammarFactory* raw_;
};

}  // namespace quire
