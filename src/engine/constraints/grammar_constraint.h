// GrammarConstraint: a compiled grammar as the engine's Constraint. Its states keep what the
// grammar forces as tokens that are decided once: the crate, asked again in the middle of them, may
// write the rest of the same text in other tokens.
// Made where a request is made (any thread), asked by constraint_rows.
#pragma once

#include <memory>

#include "core/constraint.h"
#include "text/grammar/grammar.h"

namespace quire {

class GrammarConstraint final : public Constraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<const Grammar> grammar)
      : grammar_(std::move(grammar)) {}

  Result<std::unique_ptr<ConstraintState>> begin() const override;

 private:
  std::shared_ptr<const Grammar> grammar_;
};

}  // namespace quire
