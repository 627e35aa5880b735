// ConstraintRows: the constraints of the branches that are alive, and what they mean for a step:
// masks for the rows that draw, before they are drawn, and tokens that need no drawing, after a
// commit. A row that verifies drafts has a mask for each of them: the state walks along the drafts
// and back again.
// The masks of a step are made together, each row's by one thread of the executor's; an executor
// that computes meanwhile is not waited for. What a mask allows is narrowed by what the request
// allows itself, and tokens that end a text are not among it where they are to be ignored.
// Engine thread; owned by EngineCore.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "core/constraint.h"
#include "core/executor.h"
#include "core/request.h"
#include "core/step.h"
#include "sched/scheduler.h"

namespace quire {

// Words of the masks of one step's rows; reused by later steps.
using MaskStorage = std::vector<std::uint32_t>;

class ConstraintRows {
 public:
  // `eos_ids` outlives this; ascending.
  explicit ConstraintRows(const std::vector<TokenId>& eos_ids) : eos_ids_(&eos_ids) {}

  Status begin(const Request& request);
  void forget(const Request& request);
  bool is_empty() const { return branches_.empty(); }

  // Puts masks into the rows of a spec; `masks` is kept as long as the spec.
  void write_masks(const StepPlan& plan, const Scheduler& scheduler, Executor& executor,
                   SampleSpec& spec, MaskStorage& masks);

  // Null: the branch may say anything.
  const ConstraintState* find(BranchId branch) const;
  // Why its mask could not be made; empty: it could.
  std::string_view failure(BranchId branch) const;

  // Moves a branch on by tokens that were committed, to the first that ends its text. An error: its
  // grammar cannot follow.
  Status accept(BranchId branch, const Request& request, std::span<const TokenId> tokens);

  // Whether tokens that must come may be fed without being drawn: nobody asks how likely they were,
  // and nothing else has a say.
  static bool may_feed_forced(const SamplingParams& params);

  std::uint64_t masks_made() const { return masks_made_; }

 private:
  struct Branch {
    std::unique_ptr<ConstraintState> state;
    std::string failure;
  };
  // One row's work: masks for `count` rows of the spec, after the drafts fed before.
  struct Task {
    Branch* branch = nullptr;
    const SamplingParams* params = nullptr;
    std::size_t count = 0;
    std::span<const TokenId> drafts;     // [count - 1]
    std::span<std::uint32_t> words;      // [count, words of a mask]
    SampleRow* rows = nullptr;           // [count]
  };

  void run(const Task& task, std::size_t words) const;
  Result<bool> write_one(const Task& task, std::span<std::uint32_t> words) const;

  const std::vector<TokenId>* eos_ids_;
  std::map<BranchId, Branch> branches_;
  std::vector<Task> tasks_;  // of the step, then reused
  std::uint64_t masks_made_ = 0;
};

}  // namespace quire
