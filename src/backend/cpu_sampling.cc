// CpuBackend's ops for a sampler: they run on the calling thread, one row of logits each.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu_backend.h"

namespace quire {
namespace {

// Best first: the larger logit, then the smaller token. NaN ranks below everything.
bool is_better(const Candidate& a, const Candidate& b) {
  const auto rank = [](float logit) {
    return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit;
  };
  const float x = rank(a.logit), y = rank(b.logit);
  return x != y ? x > y : a.token < b.token;
}

}  // namespace

double CpuBackend::logsumexp(std::span<const float> logits) const {
  const int count = static_cast<int>(logits.size());
  const float max = kernels_.max_value(logits.data(), count);
  return static_cast<double>(max) + std::log(kernels_.sum_exp(logits.data(), count, max));
}

void CpuBackend::top_candidates(std::span<const float> logits, std::span<Candidate> out) const {
  QUIRE_CHECK(out.size() <= logits.size(), "{} candidates of {} logits", out.size(), logits.size());
  if (out.empty()) return;
  const int count = static_cast<int>(logits.size());
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
  for (next = kernels_.first_above(logits.data(), next, count, threshold()); next < count;
       next = kernels_.first_above(logits.data(), next + 1, count, threshold())) {
    std::pop_heap(out.begin(), out.end(), is_better);
    out.back() = {next, logits[static_cast<std::size_t>(next)]};
    std::push_heap(out.begin(), out.end(), is_better);
  }
  std::sort_heap(out.begin(), out.end(), is_better);
}

void CpuBackend::parallel(int count, const std::function<void(int)>& body) {
  pool_.for_each(count, [&](int item, int) { body(item); });
}

}  // namespace quire
