#include "engine/constraints/constraint_rows.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire {
namespace {

bool is_set(std::span<const std::uint32_t> words, TokenId token) {
  const auto bit = static_cast<std::size_t>(token);
  return bit / 32 < words.size() && (words[bit / 32] >> (bit % 32) & 1) != 0;
}

}  // namespace

Status ConstraintRows::begin(const Request& request) {
  if (request.constraint == nullptr) return ok_status();
  for (int branch = 0; branch < request.n; ++branch) {
    Result<std::unique_ptr<ConstraintState>> state = request.constraint->begin();
    if (!state.is_ok()) {
      forget(request);
      return state.status();
    }
    branches_[{request.id, branch}] = {std::move(*state), {}};
  }
  return ok_status();
}

void ConstraintRows::forget(const Request& request) {
  if (request.constraint == nullptr) return;
  for (int branch = 0; branch < request.n; ++branch) branches_.erase({request.id, branch});
}

const ConstraintState* ConstraintRows::find(BranchId branch) const {
  const auto it = branches_.find(branch);
  return it == branches_.end() ? nullptr : it->second.state.get();
}

std::string_view ConstraintRows::failure(BranchId branch) const {
  const auto it = branches_.find(branch);
  return it == branches_.end() ? std::string_view() : it->second.failure;
}

bool ConstraintRows::may_feed_forced(const SamplingParams& params) {
  const bool is_banning = params.tokens_min > 0 && !params.stop_ids.empty();
  return params.logprobs < 0 && params.allowed.empty() && params.bad_sequences.empty() &&
         !is_banning;
}

void ConstraintRows::write_masks(const StepPlan& plan, const Scheduler& scheduler,
                                 Executor& executor, SampleSpec& spec, MaskStorage& masks) {
  if (branches_.empty()) return;
  tasks_.clear();
  std::size_t end = 0, count = 0;  // of the row's part of the spec; of masks
  for (const StepRow& row : plan.rows) {
    end += row.want_last;
    const std::uint32_t draws = row.drafts + 1;
    if (row.want_last < draws) continue;
    const std::size_t drawn = end - draws;
    if (spec.rows[drawn].is_discarded || spec.rows[drawn].target >= 0) continue;
    const Sequence* seq = scheduler.find(row.seq);
    QUIRE_CHECK(seq != nullptr, "a row of nobody draws");
    const auto it = branches_.find({seq->request->id, seq->branch});
    if (it == branches_.end()) continue;
    const auto fed = std::span(plan.tokens).subspan(row.tokens.begin, row.tokens.count);
    tasks_.push_back({.branch = &it->second, .params = &seq->request->params,
                      .count = draws, .drafts = fed.last(row.drafts), .words = {},
                      .rows = &spec.rows[drawn]});
    count += draws;
  }
  if (tasks_.empty()) return;
  const std::size_t words = (executor.capacity().vocab + 31) / 32;
  masks.resize(count * words);
  masks_made_ += count;
  std::span<std::uint32_t> left = masks;
  for (Task& task : tasks_) {
    task.words = left.first(task.count * words);
    left = left.subspan(task.words.size());
  }
  executor.for_each(tasks_.size(), [&](std::size_t i) { run(tasks_[i], words); });
}

// What lies behind a draft that the grammar does not have is not looked at.
void ConstraintRows::run(const Task& task, std::size_t words) const {
  ConstraintState& state = *task.branch->state;
  std::size_t walked = 0;
  for (std::size_t i = 0; i < task.count; ++i) {
    const auto mask = task.words.subspan(i * words, words);
    const Result<bool> is_masked = write_one(task, mask);
    if (!is_masked.is_ok()) {
      task.branch->failure = is_masked.status().message();
      std::fill(mask.begin(), mask.end(), 0u);
    }
    if (!is_masked.is_ok() || *is_masked) task.rows[i].mask = mask;
    if (i + 1 == task.count || !is_masked.is_ok()) break;
    const TokenId draft = task.drafts[i];
    const bool is_end = std::binary_search(eos_ids_->begin(), eos_ids_->end(), draft);
    if (is_end || (*is_masked && !is_set(mask, draft))) break;
    if (const Status status = state.accept(draft); !status.is_ok()) break;
    ++walked;
  }
  if (const Status status = state.roll_back(walked); !status.is_ok()) {
    task.branch->failure = status.message();
  }
}

Result<bool> ConstraintRows::write_one(const Task& task, std::span<std::uint32_t> words) const {
  QUIRE_ASSIGN_OR_RETURN(const bool is_masked, task.branch->state->write_mask(words));
  if (!is_masked) return false;
  const std::vector<std::uint32_t>& allowed = task.params->allowed;
  if (!allowed.empty()) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] &= i < allowed.size() ? allowed[i] : 0;
  }
  if (task.params->ignore_eos) {
    for (const TokenId token : *eos_ids_) {
      const auto bit = static_cast<std::size_t>(token);
      if (bit / 32 < words.size()) words[bit / 32] &= ~(1u << (bit % 32));
    }
  }
  return true;
}

Status ConstraintRows::accept(BranchId branch, const Request& request,
                              std::span<const TokenId> tokens) {
  const auto it = branches_.find(branch);
  if (it == branches_.end()) return ok_status();
  ConstraintState& state = *it->second.state;
  for (const TokenId token : tokens) {
    const bool is_end = !request.params.ignore_eos &&
                        std::binary_search(eos_ids_->begin(), eos_ids_->end(), token);
    if (is_end || state.is_over()) break;
    QUIRE_RETURN_IF_ERROR(state.accept(token));
  }
  return ok_status();
}

}  // namespace quire
