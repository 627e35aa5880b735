#include "lab/eval.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace quire {
namespace {

double log_total(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

// The tables of a sequence that has the memory for itself, from block 1 of each group on; `lane` 1:
// those of its encoder's row.
StepPlan plan_of_one(const Capacity& capacity, std::size_t tokens, std::size_t encoder_tokens,
                     int lane) {
  StepPlan plan;
  plan.groups = static_cast<std::uint32_t>(capacity.groups.size());
  for (const KvGroup& group : capacity.groups) {
    const std::size_t positions = holds_encoder(group) ? encoder_tokens : lane == 0 ? tokens : 0;
    const std::size_t wanted = holds_states(group)
                                   ? 1
                                   : (positions + group.block_tokens - 1) / group.block_tokens;
    QUIRE_CHECK(wanted < group.blocks, "{} tokens need {} blocks of '{}', there are {}", tokens,
                wanted, group.name, group.blocks - 1);
    const auto begin = static_cast<std::uint32_t>(plan.blocks.size());
    plan.tables.push_back({begin, static_cast<std::uint32_t>(wanted)});
    plan.blocks.resize(begin + wanted);
    std::iota(plan.blocks.begin() + begin, plan.blocks.end(), 1);
  }
  return plan;
}

}  // namespace

void compute_logits(LocalExecutor& executor, std::span<const TokenId> ids,
                    std::uint32_t chunk_tokens, const LogitsSink& sink,
                    std::span<const TokenId> encoder_input) {
  const Capacity& capacity = executor.capacity();
  const std::uint32_t chunk =
      std::min({chunk_tokens, capacity.tokens_max, capacity.logits_rows_max});

  const auto encoder_tokens = static_cast<std::uint32_t>(encoder_input.size());
  if (encoder_tokens > 0) {
    StepPlan plan = plan_of_one(capacity, ids.size(), encoder_tokens, 1);
    plan.tokens.assign(encoder_input.begin(), encoder_input.end());
    StepRow& row = plan.rows.emplace_back();
    row.seq = {1};
    row.tokens = {0, encoder_tokens};
    row.encoder_tokens = encoder_tokens;
    row.lane = 1;
    executor.runner().feed(plan);
    executor.runner().compute();
  }
  StepPlan plan = plan_of_one(capacity, ids.size(), encoder_tokens, 0);
  for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
    const std::size_t end = std::min<std::size_t>(begin + chunk, ids.size());
    plan.step += 1;
    plan.tokens.assign(ids.begin() + begin, ids.begin() + end);
    StepRow row;
    row.seq = {1};
    row.tokens = {0, static_cast<std::uint32_t>(end - begin)};
    row.first_position = static_cast<std::uint32_t>(begin);
    row.want_last = row.tokens.count;
    row.encoder_tokens = encoder_tokens;
    plan.rows = {row};
    executor.runner().feed(plan);
    executor.runner().compute();
    const std::span<const float> logits = executor.runner().logits();
    for (std::size_t i = begin; i < end; ++i) {
      sink(i, logits.subspan((i - begin) * capacity.vocab, capacity.vocab));
    }
  }
}

double token_logprob(std::span<const float> logits, TokenId token) {
  return logits[token] - log_total(logits);
}

std::vector<double> token_losses(LocalExecutor& executor, std::span<const TokenId> ids) {
  std::vector<double> losses;
  compute_logits(executor, ids, ~0u, [&](std::size_t position, std::span<const float> logits) {
    if (position + 1 < ids.size()) losses.push_back(-token_logprob(logits, ids[position + 1]));
  });
  return losses;
}

Divergence compare(LocalExecutor& executor, const ReferenceText& reference) {
  Divergence divergence;
  double loss = 0;
  std::size_t agreeing = 0;
  const std::size_t positions = reference.ids.size();
  compute_logits(executor, reference.ids, ~0u, [&](std::size_t position,
                                                   std::span<const float> logits) {
    const double total = log_total(logits);
    if (position + 1 < positions) loss += total - logits[reference.ids[position + 1]];
    const TokenId* tokens = reference.top_tokens.data() + position * reference.top;
    const float* logprobs = reference.top_logprobs.data() + position * reference.top;
    const auto likeliest = std::max_element(logits.begin(), logits.end()) - logits.begin();
    agreeing += likeliest == tokens[0];

    double mass = 0, reference_mass = 0, kl = 0;
    for (std::size_t i = 0; i < reference.top; ++i) {
      mass += std::exp(logits[tokens[i]] - total);
      reference_mass += std::exp(double{logprobs[i]});
    }
    for (std::size_t i = 0; i < reference.top; ++i) {
      const double ours = logits[tokens[i]] - total;
      divergence.logprob_error_max =
          std::max(divergence.logprob_error_max, std::abs(ours - logprobs[i]));
      const double p = std::exp(double{logprobs[i]}) / reference_mass;
      kl += p * (logprobs[i] - std::log(reference_mass) - (ours - std::log(mass)));
    }
    divergence.mean_kl += kl;
  });
  divergence.perplexity = std::exp(loss / static_cast<double>(positions - 1));
  divergence.top1_agreement = static_cast<double>(agreeing) / static_cast<double>(positions);
  divergence.mean_kl /= static_cast<double>(positions);
  return divergence;
}

}  // namespace quire
