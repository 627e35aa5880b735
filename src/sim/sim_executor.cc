#include "sim/sim_executor.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace quire {

Ticket SimExecutor::launch(const StepPlan& plan) {
  const Status status = validate(plan, capacity_);
  QUIRE_CHECK(status.is_ok(), "step {}: {}", plan.step, status.message());
  QUIRE_CHECK(flights_.size() < capacity_.depth, "step {} is one more than {} in flight", plan.step,
              capacity_.depth);
  plans_hash_ = mix64(plans_hash_ * 31 + plan.hash());
  const Nanos starts_at = std::max(now_ + cost_.host, busy_until_);
  Flight& flight = flights_.emplace_back();
  flight.plan = plan;
  flight.result.step = plan.step;
  flight.result.elapsed = cost_.step_time(plan);
  flight.ends_at = busy_until_ = starts_at + flight.result.elapsed;
  for (const StepRow& row : plan.rows) flight.result.rows.emplace_back().seq = row.seq;
  return {plan.step};
}

void SimExecutor::sample(Ticket ticket, const SampleSpec& spec) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [&](const Flight& it) { return it.result.step == ticket.step; });
  QUIRE_CHECK(flight != flights_.end(), "step {} is not in flight", ticket.step);
  QUIRE_CHECK(!flight->is_sampled, "step {} is sampled twice", ticket.step);
  const Status status = validate(spec, flight->plan, capacity_);
  QUIRE_CHECK(status.is_ok(), "step {}: {}", ticket.step, status.message());
  flight->is_sampled = true;
  auto sample = spec.rows.begin();
  for (std::size_t r = 0; r < flight->plan.rows.size(); ++r) {
    const StepRow& row = flight->plan.rows[r];
    answer(flight->plan, row, {sample, row.want_last}, flight->result.rows[r]);
    sample += row.want_last;
  }
  QUIRE_CHECK(sample == spec.rows.end(), "{} rows of step {} were not answered",
              spec.rows.end() - sample, ticket.step);
}

// Noise for every row that is drawn; drafts are compared as a sampler would.
void SimExecutor::answer(const StepPlan& plan, const StepRow& row,
                         std::span<const SampleRow> samples, RowResult& result) const {
  const TokenId* fed = plan.tokens.data() + row.tokens.begin + row.tokens.count - samples.size();
  if (row.flags & kRowHashLogits) result.logits_hashes.assign(samples.size(), 0);
  bool is_open = true;
  for (std::size_t i = 0; i < samples.size() && is_open; ++i) {
    const SampleRow& sample = samples[i];
    if (sample.is_discarded) return;
    TokenId token = sample.target;
    if (token < 0) {
      token = draw(sample);
      if (token < 0 && result.accepted.empty()) result.outcome = RowOutcome::kNothingAllowed;
      if (token < 0) return;
      result.accepted.push_back(token);
      is_open = i + 1 < samples.size() && fed[i + 1] == token;
    }
    if (sample.logprobs >= 0) result.scores.emplace_back().token = token;
  }
}

// The first token from a random one on that is neither banned nor masked; -1: there is none.
TokenId SimExecutor::draw(const SampleRow& sample) const {
  const std::uint64_t noise = mix64(sample.params->seed + sample.stream) + sample.position;
  const auto first = static_cast<std::uint32_t>(mix64(noise) % capacity_.vocab);
  for (std::uint32_t i = 0; i < capacity_.vocab; ++i) {
    const std::uint32_t token = (first + i) % capacity_.vocab;
    const bool is_masked =
        !sample.mask.empty() && (sample.mask[token / 32] >> (token % 32) & 1) == 0;
    const auto& banned = sample.banned;
    const auto id = static_cast<TokenId>(token);
    if (!is_masked && std::find(banned.begin(), banned.end(), id) == banned.end()) return id;
  }
  return -1;
}

StepResult SimExecutor::finish(Ticket ticket) {
  QUIRE_CHECK(!flights_.empty() && flights_.front().result.step == ticket.step &&
                  flights_.front().is_sampled,
              "step {} is finished out of order", ticket.step);
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  finished_at_ = flight.ends_at;
  return std::move(flight.result);
}

}  // namespace quire
