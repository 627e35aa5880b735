// Evaluation of a model against texts and reference distributions: perplexity, agreement of the
// likeliest token, Kullback-Leibler divergence over the reference's top tokens. Steps are made by
// hand, without a scheduler. One thread drives the executor.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/local_executor.h"

namespace quire {

// Feeds `ids` as one sequence in chunks of at most chunk_tokens and hands over the raw logits of
// every position, in order.  logits: [vocab]. A model with an encoder has its input read before.
using LogitsSink = std::function<void(std::size_t position, std::span<const float> logits)>;
void compute_logits(LocalExecutor& executor, std::span<const TokenId> ids,
                    std::uint32_t chunk_tokens, const LogitsSink& sink,
                    std::span<const TokenId> encoder_input = {});

// Log-softmax of one token, in double.
double token_logprob(std::span<const float> logits, TokenId token);

// Negative log-likelihood in nats of each token but the first.  [ids.size() - 1]
std::vector<double> token_losses(LocalExecutor& executor, std::span<const TokenId> ids);

// Reference distributions: the `top` likeliest tokens at each position, with log-probabilities.
struct ReferenceText {
  std::vector<TokenId> ids;          // [positions]
  std::vector<TokenId> top_tokens;   // [positions, top], best first
  std::vector<float> top_logprobs;   // [positions, top]
  std::size_t top = 0;
};

struct Divergence {
  double perplexity = 0;
  double top1_agreement = 0;      // share of positions whose likeliest token is the reference's
  double mean_kl = 0;             // over the reference's top tokens, renormalised on both sides
  double logprob_error_max = 0;   // over the reference's top tokens
};

Divergence compare(LocalExecutor& executor, const ReferenceText& reference);

}  // namespace quire
