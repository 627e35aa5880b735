// Constraint: what an answer has to look like, as the engine needs to know it: which tokens may
// come next and which must. A Constraint is made before its request and shared by its branches;
// each branch has a state, which follows the tokens that were committed.
// Forced tokens are decided once: what forced() says stays true until it has been accepted, so that
// a branch gets the same tokens whether they are fed at once or drawn one by one under masks that
// allow nothing else.
// A constraint: any thread. A state: one thread at a time. Made by engine/constraints/, used there
// by constraint_rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/ids.h"
#include "base/status.h"

namespace quire {

class ConstraintState {
 public:
  virtual ~ConstraintState() = default;

  // Bit i of the words says whether token i may be drawn; tokens that end a text are among them
  // where it may end. False: every token may, and nothing was written. Several states may be asked
  // at once, each by one thread.
  virtual Result<bool> write_mask(std::span<std::uint32_t> words) = 0;

  // Moves on by one token. An error if it is none that may come here.
  virtual Status accept(TokenId token) = 0;
  // Takes back the last tokens. REQUIRES: so many were accepted, and none was forced before them.
  virtual Status roll_back(std::size_t tokens) = 0;

  // The tokens that come next, whatever the model says; empty: it has a choice.
  virtual std::span<const TokenId> forced() const = 0;
  virtual bool is_over() const = 0;   // nothing may follow
  virtual bool may_end() const = 0;   // the text is whole
};

class Constraint {
 public:
  virtual ~Constraint() = default;
  virtual Result<std::unique_ptr<ConstraintState>> begin() const = 0;
};

}  // namespace quire
