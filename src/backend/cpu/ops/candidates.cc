#include "backend/cpu/ops/candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace quire {
namespace {

// More candidates than this are cheaper taken from the sorted whole.
constexpr std::size_t kHeapMax = 4096;

// Best first: the larger logit, then the smaller token. NaN ranks below everything.
bool is_better(const Candidate& a, const Candidate& b) {
  const auto rank = [](float logit) {
    return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit;
  };
  const float x = rank(a.logit), y = rank(b.logit);
  return x != y ? x > y : a.token < b.token;
}

// Sorts by the rank above: float bits turned into keys that grow from the best to the worst, by
// three stable passes of 11 bits, so that equal logits stay in the order of their tokens.
std::vector<Candidate> sorted_all(std::span<const float> logits) {
  constexpr int kBits = 11, kPasses = 3;
  std::vector<std::uint64_t> items(logits.size()), moved(logits.size());  // key << 32 | token
  std::array<std::array<std::uint32_t, 1 << kBits>, kPasses> places{};
  const auto digit = [](std::uint64_t item, int pass) {
    return static_cast<std::size_t>(item >> (32 + kBits * pass)) & ((1 << kBits) - 1);
  };
  for (std::size_t token = 0; token < logits.size(); ++token) {
    const float logit =
        std::isnan(logits[token]) ? -std::numeric_limits<float>::infinity() : logits[token];
    const auto bits = std::bit_cast<std::uint32_t>(logit + 0.0f);  // no -0
    const std::uint32_t key = bits >> 31 ? bits : ~bits & 0x7fffffff;
    items[token] = std::uint64_t{key} << 32 | token;
    for (int pass = 0; pass < kPasses; ++pass) ++places[pass][digit(items[token], pass)];
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    std::exclusive_scan(places[pass].begin(), places[pass].end(), places[pass].begin(), 0u);
    for (const std::uint64_t item : items) moved[places[pass][digit(item, pass)]++] = item;
    items.swap(moved);
  }
  std::vector<Candidate> sorted(logits.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto token = static_cast<std::uint32_t>(items[i]);
    sorted[i] = {static_cast<std::int32_t>(token), logits[token]};
  }
  return sorted;
}

}  // namespace

double logsumexp(const KernelTable& kernels, std::span<const float> logits) {
  QUIRE_CHECK(!logits.empty(), "no logits to sum");
  const int count = static_cast<int>(logits.size());
  const float max = kernels.max_value(logits.data(), count);
  return static_cast<double>(max) + std::log(kernels.sum_exp(logits.data(), count, max));
}

void top_candidates(const KernelTable& kernels, std::span<const float> logits,
                    std::span<Candidate> out) {
  QUIRE_CHECK(out.size() <= logits.size(), "{} candidates of {} logits", out.size(), logits.size());
  if (out.empty()) return;
  const int count = static_cast<int>(logits.size());
  if (out.size() > kHeapMax) {
    const std::vector<Candidate> sorted = sorted_all(logits);
    std::copy_n(sorted.begin(), out.size(), out.begin());
    return;
  }
  int next = 0;
  for (Candidate& candidate : out) {
    candidate = {next, logits[static_cast<std::size_t>(next)]};
    ++next;
  }
  // A heap with the worst on top: its logit is the threshold that a newcomer must exceed. Equal
  // ones come later and lose to the smaller token id, so `above` is strict.
  std::make_heap(out.begin(), out.end(), is_better);
  const auto threshold = [&] {
    const float worst = out.front().logit;
    return std::isnan(worst) ? -std::numeric_limits<float>::infinity() : worst;
  };
  for (next = kernels.first_above(logits.data(), next, count, threshold()); next < count;
       next = kernels.first_above(logits.data(), next + 1, count, threshold())) {
    std::pop_heap(out.begin(), out.end(), is_better);
    out.back() = {next, logits[static_cast<std::size_t>(next)]};
    std::push_heap(out.begin(), out.end(), is_better);
  }
  std::sort_heap(out.begin(), out.end(), is_better);
}

}  // namespace quire
