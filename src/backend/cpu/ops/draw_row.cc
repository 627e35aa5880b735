#include "backend/cpu/ops/draw_row.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "backend/cpu/ops/candidates.h"
#include "backend/noise.h"
#include "base/check.h"

namespace quire {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Most nuclei are narrower than this; a wider one is found by sorting the whole vocabulary.
constexpr std::size_t kCandidatesFirst = 256;

// Tokens whose noise is made at once, and candidates from which on that pays.
constexpr std::size_t kNoiseBlock = 256;
constexpr std::size_t kWide = 2048;

// Steps 2 and 3: what may not be drawn at all, and the client's bias.
void apply_masks(const DrawTask& task, std::span<float> logits) {
  if (!task.mask.empty()) {
    QUIRE_CHECK(task.mask.size() * 32 >= logits.size(), "a mask of {} words for {} tokens",
                task.mask.size(), logits.size());
    for (std::size_t token = 0; token < logits.size(); ++token) {
      if ((task.mask[token / 32] >> (token % 32) & 1) == 0) logits[token] = kNever;
    }
  }
  const auto logit = [&logits](std::int32_t token) -> float& {
    QUIRE_CHECK(token >= 0 && static_cast<std::size_t>(token) < logits.size(),
                "token {} of a vocabulary of {}", token, logits.size());
    return logits[static_cast<std::size_t>(token)];
  };
  for (const std::int32_t token : task.banned) logit(token) = kNever;
  for (const TokenBias& bias : task.biases) logit(bias.token) += bias.bias;
}

// `tokens` in order: none lies outside the vocabulary.
void check_tokens(std::span<const std::int32_t> sorted, std::size_t vocab) {
  QUIRE_CHECK(sorted.empty() ||
                  (sorted.front() >= 0 && static_cast<std::size_t>(sorted.back()) < vocab),
              "tokens {} to {} in a vocabulary of {}", sorted.front(), sorted.back(), vocab);
}

// Step 4. Each distinct token is penalised once, however often it occurred.
void apply_penalties(const DrawTask& task, std::span<float> logits) {
  const bool is_repetition = task.repetition_penalty != 1;
  const bool is_additive = task.presence_penalty != 0 || task.frequency_penalty != 0;
  if (!is_repetition && !is_additive) return;

  if (is_repetition) {
    std::vector<std::int32_t> seen(task.history.begin(), task.history.end());
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    check_tokens(seen, logits.size());
    for (const std::int32_t token : seen) {
      float& logit = logits[token];
      logit = logit > 0 ? logit / task.repetition_penalty : logit * task.repetition_penalty;
    }
  }
  if (is_additive) {
    QUIRE_CHECK(task.prompt_count <= task.history.size(), "a prompt of {} in a history of {}",
                task.prompt_count, task.history.size());
    std::vector<std::int32_t> generated(task.history.begin() + task.prompt_count,
                                        task.history.end());
    std::sort(generated.begin(), generated.end());
    check_tokens(generated, logits.size());
    for (std::size_t i = 0; i < generated.size();) {
      const std::int32_t token = generated[i];
      std::size_t count = 0;
      for (; i < generated.size() && generated[i] == token; ++i) ++count;
      logits[token] -= task.frequency_penalty * static_cast<float>(count);
      logits[token] -= task.presence_penalty;
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
std::vector<Candidate> filter(const KernelTable& kernels, const DrawTask& task,
                              std::span<const float> logits) {
  const double temperature = task.temperature;
  const bool is_top_k = task.top_k > 0 && static_cast<std::size_t>(task.top_k) < logits.size();
  std::size_t count = is_top_k ? task.top_k : std::min(kCandidatesFirst, logits.size());
  for (;;) {
    std::vector<Candidate> sorted(count);
    top_candidates(kernels, logits, sorted);
    const bool is_whole = is_top_k || count == logits.size();
    while (!sorted.empty() && sorted.back().logit == kNever) sorted.pop_back();
    if (sorted.empty()) return sorted;

    bool is_cut = sorted.size() < count;
    if (task.min_p > 0) {
      const double floor = sorted[0].logit + temperature * std::log(double{task.min_p});
      while (sorted.back().logit < floor) {
        sorted.pop_back();
        is_cut = true;
      }
    }
    if (task.top_p < 1) {
      const bool is_complete = is_whole || is_cut;  // nothing beyond `sorted` can be drawn
      double log_total;
      if (is_complete) {
        log_total = log_sum_exp(sorted, temperature);
      } else if (task.min_p > 0) {
        log_total = std::numeric_limits<double>::infinity();  // unknown: sort everything
      } else {
        std::vector<float> scaled(logits.size());
        for (std::size_t i = 0; i < scaled.size(); ++i) {
          scaled[i] = static_cast<float>(logits[i] / temperature);
        }
        log_total = logsumexp(kernels, scaled);
      }
      const std::size_t kept = kept_by_top_p(sorted, temperature, task.top_p, log_total);
      if (kept <= sorted.size()) {
        sorted.resize(kept);
        return sorted;
      }
    }
    if (is_whole || is_cut) return sorted;
    count = logits.size();
  }
}

// Step 9. Keeps those whose surprise is nearest to the entropy, until they have so much of the
// mass; their order stays.
void keep_typical(double temperature, double typical_p, std::vector<Candidate>& sorted) {
  const double log_total = log_sum_exp(sorted, temperature);
  std::vector<double> surprise(sorted.size());
  double entropy = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    surprise[i] = log_total - sorted[i].logit / temperature;
    entropy += std::exp(-surprise[i]) * surprise[i];
  }
  std::vector<std::size_t> nearest(sorted.size());
  std::iota(nearest.begin(), nearest.end(), std::size_t{0});
  std::stable_sort(nearest.begin(), nearest.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(surprise[a] - entropy) < std::abs(surprise[b] - entropy);
  });
  std::size_t kept = 0;
  for (double mass = 0; kept < nearest.size() && mass < typical_p; ++kept) {
    mass += std::exp(-surprise[nearest[kept]]);
  }
  nearest.resize(kept);
  std::sort(nearest.begin(), nearest.end());
  for (std::size_t i = 0; i < kept; ++i) sorted[i] = sorted[nearest[i]];
  sorted.resize(kept);
}

// Step 10 over candidates sorted best first: once the largest possible noise cannot lift the next
// candidate over the best score, neither can any after it.
std::int32_t draw(std::span<const Candidate> sorted, double temperature, GumbelNoise noise) {
  std::int32_t best = -1;
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

// Step 10 over every token that is not worse than `worst`, in id order. A block of tokens whose
// noise cannot lift even its largest logit over the best score is passed over, and of the others
// all but the few words that could.
std::int32_t draw_wide(const KernelTable& kernels, std::span<const float> logits,
                       double temperature, std::int32_t likeliest, const Candidate& worst,
                       GumbelNoise noise) {
  std::array<std::uint32_t, kNoiseBlock> words;  // [4, kNoiseBlock / 4]
  std::int32_t best = likeliest;
  double best_score = logits[likeliest] / temperature + noise(likeliest);
  for (std::size_t begin = 0; begin < logits.size(); begin += kNoiseBlock) {
    const auto block = logits.subspan(begin, std::min(kNoiseBlock, logits.size() - begin));
    const float tallest = kernels.max_value(block.data(), static_cast<int>(block.size()));
    const double lift = best_score - tallest / temperature;
    if (lift > kGumbelMax) continue;
    const std::uint32_t least = least_word_of(lift);
    const std::uint64_t stream = noise.stream(static_cast<std::int32_t>(begin));
    const std::uint32_t largest = kernels.philox_words(noise.seed(), noise.position(), stream,
                                                       kNoiseBlock / 4, words.data());
    if (largest < least) continue;
    for (std::size_t i = 0; i < block.size(); ++i) {
      const std::uint32_t word = words[i % 4 * (kNoiseBlock / 4) + i / 4];
      if (word < least || block[i] < worst.logit) continue;
      const auto token = static_cast<std::int32_t>(begin + i);
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

std::int32_t draw_token(const KernelTable& kernels, const DrawTask& task,
                        std::span<const float> logits) {
  const double temperature = task.temperature;
  Candidate likeliest;
  top_candidates(kernels, logits, {&likeliest, 1});
  if (likeliest.logit == kNever) return -1;  // everything is masked
  if (task.temperature == 0) return likeliest.token;
  const GumbelNoise noise(task.seed, task.position, task.stream);
  const bool is_typical = task.typical_p < 1;
  if (task.top_k <= 0 && task.top_p >= 1 && task.min_p <= 0 && !is_typical) {
    const Candidate worst = {std::numeric_limits<std::int32_t>::max(), kNever};
    return draw_wide(kernels, logits, temperature, likeliest.token, worst, noise);
  }
  std::vector<Candidate> sorted = filter(kernels, task, logits);
  if (is_typical) keep_typical(temperature, task.typical_p, sorted);
  // What is typical need not be what is likeliest: such a draw looks at its own candidates.
  if (is_typical || sorted.size() < kWide) return draw(sorted, temperature, noise);
  return draw_wide(kernels, logits, temperature, likeliest.token, sorted.back(), noise);
}

// `log_total`: of the raw logits.
void score(const KernelTable& kernels, std::span<const float> logits, double log_total,
           int alternatives, Drawn& drawn) {
  const float own = logits[static_cast<std::size_t>(drawn.token)];
  drawn.logprob = static_cast<float>(own - log_total);
  drawn.rank = 1;
  for (const float logit : logits) drawn.rank += logit > own;
  std::vector<Candidate> top(std::min(static_cast<std::size_t>(alternatives), logits.size()));
  if (!top.empty()) top_candidates(kernels, logits, top);
  for (const Candidate& c : top) {
    drawn.top.push_back({c.token, static_cast<float>(c.logit - log_total)});
  }
}

bool needs_edits(const DrawTask& task) {
  return !task.mask.empty() || !task.banned.empty() || !task.biases.empty() ||
         task.repetition_penalty != 1 || task.presence_penalty != 0 || task.frequency_penalty != 0;
}

}  // namespace

Drawn draw_row(const KernelTable& kernels, const DrawTask& task, std::span<const float> logits) {
  Drawn drawn;
  const double log_total = logsumexp(kernels, logits);
  if (!std::isfinite(log_total)) {
    drawn.outcome = DrawOutcome::kNonFinite;
    return drawn;
  }
  if (task.target >= 0) {
    drawn.token = task.target;
  } else if (needs_edits(task)) {
    std::vector<float> edited(logits.begin(), logits.end());
    apply_masks(task, edited);
    apply_penalties(task, edited);
    drawn.token = draw_token(kernels, task, edited);
  } else {
    drawn.token = draw_token(kernels, task, logits);
  }
  if (drawn.token < 0) {
    drawn.outcome = DrawOutcome::kNothingAllowed;
    return drawn;
  }
  QUIRE_CHECK(static_cast<std::size_t>(drawn.token) < logits.size(),
              "token {} of a vocabulary of {}", drawn.token, logits.size());
  if (task.alternatives >= 0) score(kernels, logits, log_total, task.alternatives, drawn);
  return drawn;
}

}  // namespace quire
