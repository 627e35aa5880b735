#include "runtime/acceptance.h"

#include <utility>

#include "base/check.h"

namespace quire {
namespace {

// samples, outcomes: [row.want_last]. `fed` are the tokens at which logits were wanted.
void accept_row(std::span<const TokenId> fed, std::span<const SampleRow> samples,
                std::span<Sampler::Outcome> outcomes, RowResult& result) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].is_discarded) return;
    Sampler::Outcome& outcome = outcomes[i];
    const bool is_draw = samples[i].target < 0;
    if (outcome.outcome != RowOutcome::kOk) {
      if (!result.accepted.empty()) return;  // the next row meets it again
      result.outcome = outcome.outcome;
      result.scores.clear();
      return;
    }
    if (is_draw) result.accepted.push_back(outcome.token);
    if (outcome.is_scored) result.scores.push_back(std::move(outcome.score));
    // The row goes on behind a draw only if that was what the next draft had guessed.
    if (is_draw && i + 1 < samples.size() && fed[i + 1] != outcome.token) return;
  }
}

}  // namespace

std::vector<RowResult> accept_rows(const StepPlan& plan, const SampleSpec& spec,
                                   std::span<Sampler::Outcome> outcomes) {
  QUIRE_CHECK(spec.rows.size() == outcomes.size() && spec.rows.size() == plan.logits_rows(),
              "{} outcomes of {} sampled rows, the plan wanted {}", outcomes.size(),
              spec.rows.size(), plan.logits_rows());
  std::vector<RowResult> results(plan.rows.size());
  std::size_t done = 0;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    const StepRow& row = plan.rows[r];
    QUIRE_CHECK(row.want_last <= row.tokens.count &&
                    std::size_t{row.tokens.begin} + row.tokens.count <= plan.tokens.size(),
                "sequence {}: {} of {} tokens from {} on, of {}", row.seq.value, row.want_last,
                row.tokens.count, row.tokens.begin, plan.tokens.size());
    const auto tokens = std::span(plan.tokens).subspan(row.tokens.begin, row.tokens.count);
    results[r].seq = row.seq;
    accept_row(tokens.last(row.want_last), std::span(spec.rows).subspan(done, row.want_last),
               outcomes.subspan(done, row.want_last), results[r]);
    done += row.want_last;
  }
  return results;
}

}  // namespace quire
