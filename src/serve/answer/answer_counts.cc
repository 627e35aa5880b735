#include "serve/answer/answer_counts.h"

#include <fmt/format.h>

#include <numeric>
#include <random>

namespace quire {
namespace {

std::uint64_t sum(const std::vector<std::uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

}  // namespace

AnswerCounts::AnswerCounts(const std::vector<Request>& requests)
    : n_(requests.empty() ? 1 : static_cast<std::size_t>(requests.front().n)),
      cached_(requests.size()),
      generated_(requests.size() * n_),
      thought_(generated_.size()),
      is_thinking_(generated_.size()) {
  for (const Request& made : requests) {
    const bool is_encoded = !made.encoder_input.empty();
    prompt_.push_back(static_cast<std::uint32_t>(
        is_encoded ? made.encoder_input.size() : made.prompt.size()));
  }
}

std::size_t AnswerCounts::choice_index(std::size_t prompt, int branch) const {
  return prompt * n_ + static_cast<std::size_t>(branch);
}

void AnswerCounts::count(std::size_t prompt, const TokenEvent& event) {
  // The branches share one prompt: the first one's hit is the request's.
  if (event.branch == 0) cached_[prompt] = event.usage.cached_tokens;
  generated_[choice_index(prompt, event.branch)] = event.usage.generated_tokens;
}

void AnswerCounts::begin_thought(std::size_t choice, bool begins_thought) {
  is_thinking_[choice] = begins_thought;
}

void AnswerCounts::count_thought(std::size_t choice, const TokenEvent& event,
                                 const std::vector<PartDelta>& parts) {
  const bool is_thought = parts.empty() ? is_thinking_[choice]
                                        : parts.front().kind == PartKind::kReasoning;
  if (is_thought) thought_[choice] += static_cast<std::uint32_t>(event.accepted.size());
  if (!parts.empty()) is_thinking_[choice] = parts.back().kind == PartKind::kReasoning;
}

std::uint64_t AnswerCounts::thought_tokens() const { return sum(thought_); }
std::uint64_t AnswerCounts::prompt_tokens() const { return sum(prompt_); }
std::uint64_t AnswerCounts::cached_tokens() const { return sum(cached_); }
std::uint64_t AnswerCounts::generated_tokens() const { return sum(generated_); }

std::string random_id(std::string_view prefix) {
  static thread_local std::mt19937_64 names{std::random_device{}()};
  constexpr std::uint64_t kLow32 = 0xFFFFFFFF;
  return fmt::format("{}{:016x}{:08x}", prefix, names(), names() & kLow32);
}

}  // namespace quire
