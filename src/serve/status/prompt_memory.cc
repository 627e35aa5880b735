#include "serve/status/prompt_memory.h"

#include <algorithm>
#include <utility>

namespace quire {
namespace {

std::vector<TokenId> next_tokens(std::span<const TokenId> tokens, std::size_t at) {
  const auto rest = tokens.subspan(at);
  const auto shown = rest.first(std::min(rest.size(), PromptDifference::kShown));
  return {shown.begin(), shown.end()};
}

}  // namespace

std::optional<PromptDifference> PromptMemory::compare(const std::string& client,
                                                      std::span<const TokenId> prompt) const {
  const Prompt* nearest = nullptr;
  std::size_t at = 0;
  for (auto it = prompts_.rbegin(); it != prompts_.rend(); ++it) {
    if (it->client != client) continue;
    const auto end = std::mismatch(prompt.begin(), prompt.end(), it->tokens.begin(),
                                   it->tokens.end()).first;
    const auto common = static_cast<std::size_t>(end - prompt.begin());
    if (nearest != nullptr && common <= at) continue;
    nearest = &*it;
    at = common;
  }
  if (nearest == nullptr) return std::nullopt;
  return PromptDifference{.earlier_id = nearest->id,
                          .earlier_tokens = static_cast<std::uint32_t>(nearest->tokens.size()),
                          .at = static_cast<std::uint32_t>(at),
                          .had = next_tokens(nearest->tokens, at),
                          .has = next_tokens(prompt, at)};
}

void PromptMemory::keep(std::string client, std::string id, std::span<const TokenId> prompt) {
  if (prompt.size() > kTokensMax) return;
  prompts_.push_back({std::move(client), std::move(id), {prompt.begin(), prompt.end()}});
  tokens_ += prompt.size();
  while (prompts_.size() > kPromptsMax || tokens_ > kTokensMax) {
    tokens_ -= prompts_.front().tokens.size();
    prompts_.pop_front();
  }
}

}  // namespace quire
