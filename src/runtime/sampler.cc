#include "runtime/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "runtime/noise.h"

namespace quire {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Most nuclei are narrower than this; a wider one is found by sorting the whole vocabulary.
constexpr std::size_t kCandidatesFirst = 256;

// Tokens whose noise is made at once, and candidates from which on that pays.
constexpr std::size_t kNoiseBlock = 256;
constexpr std::size_t kWide = 2048;

// Steps 2 and 3: what may not be drawn at all, and the client's bias.
void apply_masks(const SampleRow& row, std::span<float> logits) {
  if (!row.mask.empty()) {
    QUIRE_CHECK(row.mask.size() * 32 >= logits.size(), "a mask of {} words for {} tokens",
                row.mask.size(), logits.size());
    for (std::size_t token = 0; token < logits.size(); ++token) {
      if ((row.mask[token / 32] >> (token % 32) & 1) == 0) logits[token] = kNever;
    }
  }
  const auto logit = [&logits](TokenId token) -> float& {
    QUIRE_CHECK(token >= 0 && static_cast<std::size_t>(token) < logits.size(),
                "token {} of a vocabulary of {}", token, logits.size());
    return logits[static_cast<std::size_t>(token)];
  };
  for (const TokenId token : row.banned) logit(token) = kNever;
  for (const LogitBias& bias : row.params->logit_bias) logit(bias.token) += bias.bias;
}

// `tokens` in order: none lies outside the vocabulary.
void check_tokens(std::span<const TokenId> sorted, std::size_t vocab) {
  QUIRE_CHECK(sorted.empty() ||
                  (sorted.front() >= 0 && static_cast<std::size_t>(sorted.back()) < vocab),
              "tokens {} to {} in a vocabulary of {}", sorted.front(), sorted.back(), vocab);
}

// Step 4. Each distinct token is penalised once, however often it occurred.
void apply_penalties(const SampleRow& row, std::span<float> logits) {
  const SamplingParams& params = *row.params;
  const bool is_repetition = params.repetition_penalty != 1;
  const bool is_additive = params.presence_penalty != 0 || params.frequency_penalty != 0;
  if (!is_repetition && !is_additive) return;

  if (is_repetition) {
    std::vector<TokenId> seen(row.history.begin(), row.history.end());
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    check_tokens(seen, logits.size());
    for (const TokenId token : seen) {
      float& logit = logits[token];
      logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    }
  }
  if (is_additive) {
    QUIRE_CHECK(row.prompt_count <= row.history.size(), "a prompt of {} in a history of {}",
                row.prompt_count, row.history.size());
    std::vector<TokenId> generated(row.history.begin() + row.prompt_count, row.history.end());
    std::sort(generated.begin(), generated.end());
    check_tokens(generated, logits.size());
    for (std::size_t i = 0; i < generated.size();) {
      const TokenId token = generated[i];
      std::size_t count = 0;
      for (; i < generated.size() && generated[i] == token; ++i) ++count;
      logits[token] -= params.frequency_penalty * static_cast<float>(count);
      logits[token] -= params.presence_penalty;
    }
  }
}

// Where the sorted candidates end after min_p and top_p, or nothing if more of them are needed.
// `log_total` is the log of the sum of exp(logit / T) over everything that min_p and top_k leave.
std::size_t kept_by_top_p(std::span<const Candidate> sorted, double temperature, double top_p,
                          double log_total) {
  double mass = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    mass += std::exp(sorted[i].logit / temperature - log_total);
    if (mass >= top_p) return i + 1;
  }
  return sorted.size() + 1;
}

double log_sum_exp(std::span<const Candidate> sorted, double temperature) {
  const double largest = sorted[0].logit / temperature;
  double sum = 0;
  for (const Candidate& c : sorted) sum += std::exp(c.logit / temperature - largest);
  return largest + std::log(sum);
}

// Steps 6 to 8: the candidates that may be drawn, best first.
std::vector<Candidate> filter(const Backend& backend, const SamplingParams& params,
                              std::span<const float> logits) {
  const double temperature = params.temperature;
  const bool is_top_k = params.top_k > 0 && static_cast<std::size_t>(params.top_k) < logits.size();
  std::size_t count = is_top_k ? params.top_k : std::min(kCandidatesFirst, logits.size());
  for (;;) {
    std::vector<Candidate> sorted(count);
    backend.top_candidates(logits, sorted);
    const bool is_whole = is_top_k || count == logits.size();
    while (!sorted.empty() && sorted.back().logit == kNever) sorted.pop_back();
    if (sorted.empty()) return sorted;

    bool is_cut = sorted.size() < count;
    if (params.min_p > 0) {
      const double floor = sorted[0].logit + temperature * std::log(double{params.min_p});
      while (sorted.back().logit < floor) {
        sorted.pop_back();
        is_cut = true;
      }
    }
    if (params.top_p < 1) {
      const bool is_complete = is_whole || is_cut;  // nothing beyond `sorted` can be drawn
      double log_total;
      if (is_complete) {
        log_total = log_sum_exp(sorted, temperature);
      } else if (params.min_p > 0) {
        log_total = std::numeric_limits<double>::infinity();  // unknown: sort everything
      } else {
        std::vector<float> scaled(logits.size());
        for (std::size_t i = 0; i < scaled.size(); ++i) {
          scaled[i] = static_cast<float>(logits[i] / temperature);
        }
        log_total = backend.logsumexp(scaled);
      }
      const std::size_t kept = kept_by_top_p(sorted, temperature, params.top_p, log_total);
      if (kept <= sorted.size()) {
        sorted.resize(kept);
        return sorted;
      }
    }
    if (is_whole || is_cut) return sorted;
    count = logits.size();
  }
}

// Step 9 over candidates sorted best first: once the largest possible noise cannot lift the next
// candidate over the best score, neither can any after it.
TokenId draw(std::span<const Candidate> sorted, double temperature, GumbelNoise noise) {
  TokenId best = -1;
  double best_score = -std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : sorted) {
    const double scaled = candidate.logit / temperature;
    if (scaled + kGumbelMax < best_score) break;
    const double score = scaled + noise(candidate.token);
    if (score > best_score || (score == best_score && candidate.token < best)) {
      best_score = score;
      best = candidate.token;
    }
  }
  return best;
}

// Step 9 over every token that is not worse than `worst`, in id order. A block of tokens whose
// noise cannot lift even its largest logit over the best score is passed over, and of the others
// all but the few words that could.
TokenId draw_wide(const Backend& backend, std::span<const float> logits, double temperature,
                  TokenId likeliest, const Candidate& worst, GumbelNoise noise) {
  std::array<std::uint32_t, kNoiseBlock> words;  // [4, kNoiseBlock / 4]
  TokenId best = likeliest;
  double best_score = logits[likeliest] / temperature + noise(likeliest);
  for (std::size_t begin = 0; begin < logits.size(); begin += kNoiseBlock) {
    const auto block = logits.subspan(begin, std::min(kNoiseBlock, logits.size() - begin));
    const double lift = best_score - backend.max_value(block) / temperature;
    if (lift > kGumbelMax) continue;
    const std::uint32_t least = least_word_of(lift);
    const std::uint64_t stream = noise.stream(static_cast<TokenId>(begin));
    if (backend.philox_words(noise.seed(), noise.position(), stream, words) < least) continue;
    for (std::size_t i = 0; i < block.size(); ++i) {
      const std::uint32_t word = words[i % 4 * (kNoiseBlock / 4) + i / 4];
      if (word < least || block[i] < worst.logit) continue;
      const auto token = static_cast<TokenId>(begin + i);
      if (block[i] == worst.logit && token > worst.token) continue;
      const double score = block[i] / temperature + gumbel_of(word);
      if (score > best_score || (score == best_score && token < best)) {
        best_score = score;
        best = token;
      }
    }
  }
  return best;
}

TokenId draw_token(const Backend& backend, const SampleRow& row, std::span<const float> logits) {
  const SamplingParams& params = *row.params;
  const double temperature = params.temperature;
  Candidate likeliest;
  backend.top_candidates(logits, {&likeliest, 1});
  if (likeliest.logit == kNever) return -1;  // everything is masked
  if (params.temperature == 0) return likeliest.token;
  const GumbelNoise noise(params.seed, row.position, row.stream);
  if (params.top_k <= 0 && params.top_p >= 1 && params.min_p <= 0) {
    const Candidate worst = {std::numeric_limits<TokenId>::max(), kNever};
    return draw_wide(backend, logits, temperature, likeliest.token, worst, noise);
  }
  const std::vector<Candidate> sorted = filter(backend, params, logits);
  if (sorted.size() < kWide) return draw(sorted, temperature, noise);
  return draw_wide(backend, logits, temperature, likeliest.token, sorted.back(), noise);
}

TokenScore score_token(const Backend& backend, std::span<const float> logits, double log_total,
                       TokenId token, int alternatives) {
  TokenScore score;
  score.token = token;
  score.logprob = static_cast<float>(logits[token] - log_total);
  score.rank = 1;
  for (const float logit : logits) score.rank += logit > logits[token];
  std::vector<Candidate> top(std::min<std::size_t>(alternatives, logits.size()));
  if (!top.empty()) backend.top_candidates(logits, top);
  for (const Candidate& c : top) {
    score.top.push_back({c.token, static_cast<float>(c.logit - log_total)});
  }
  return score;
}

bool needs_edits(const SampleRow& row) {
  const SamplingParams& p = *row.params;
  return !row.mask.empty() || !row.banned.empty() || !p.logit_bias.empty() ||
         p.repetition_penalty != 1 || p.presence_penalty != 0 || p.frequency_penalty != 0;
}

}  // namespace

Sampler::Outcome Sampler::sample_row(const SampleRow& row, std::span<const float> logits) const {
  Outcome outcome;
  if (row.is_discarded) return outcome;
  const double log_total = backend_.logsumexp(logits);
  if (!std::isfinite(log_total)) {
    outcome.outcome = RowOutcome::kNonFinite;
    return outcome;
  }

  if (row.target >= 0) {
    outcome.token = row.target;
  } else if (needs_edits(row)) {
    std::vector<float> edited(logits.begin(), logits.end());
    apply_masks(row, edited);
    apply_penalties(row, edited);
    outcome.token = draw_token(backend_, row, edited);
  } else {
    outcome.token = draw_token(backend_, row, logits);
  }
  if (outcome.token < 0) {
    outcome.outcome = RowOutcome::kNothingAllowed;
    return outcome;
  }
  QUIRE_CHECK(static_cast<std::size_t>(outcome.token) < logits.size(),
              "token {} of a vocabulary of {}", outcome.token, logits.size());
  if (row.logprobs >= 0) {
    outcome.is_scored = true;
    outcome.score = score_token(backend_, logits, log_total, outcome.token, row.logprobs);
  }
  return outcome;
}

std::vector<Sampler::Outcome> Sampler::sample(std::span<const SampleRow> rows, const float* logits,
                                              int vocab) {
  std::vector<Outcome> outcomes(rows.size());
  backend_.parallel(static_cast<int>(rows.size()), [&](int i) {
    outcomes[i] = sample_row(rows[i], {logits + std::size_t(i) * vocab, std::size_t(vocab)});
  });
  return outcomes;
}

}  // namespace quire
