// ThoughtBudget: a Constraint for models that think before they answer. It lets the thought run
// free, closes one that has had its tokens by forcing a phrase and the mark that ends it, and hands
// what comes after to another constraint, where there is one: what an answer has to look like says
// nothing of the thought before it.
// Marks are found in the text, so that it does not matter in which tokens a model writes them.
// Made where a request is made (any thread), asked by constraint_rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/constraint.h"
#include "text/tokenizer.h"

namespace quire {

struct ThoughtBudgetOptions {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<TokenId> eos_ids;
  std::vector<std::string> begins;  // marks, as the model writes them
  std::string ends;
  bool begins_in_thought = false;   // the prompt has opened one
  bool may_think = true;            // else the answer begins with its first token
  std::optional<std::uint32_t> tokens_max;  // of thoughts; nothing: they end when they like
  std::vector<TokenId> closing;     // closes a thought that has had them: a phrase and `ends`
  std::shared_ptr<const Constraint> inner;  // null: anything
  bool inner_reads_thoughts = false;        // it has the thought in it, or begins behind that
};

class ThoughtBudget final : public Constraint {
 public:
  // REQUIRES: `closing` is not empty where tokens_max is set; `ends` and `begins` are not empty.
  explicit ThoughtBudget(ThoughtBudgetOptions options);

  Result<std::unique_ptr<ConstraintState>> begin() const override;

 private:
  std::shared_ptr<const ThoughtBudgetOptions> options_;
};

}  // namespace quire
