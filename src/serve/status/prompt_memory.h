// PromptMemory: the last prompts of each client, so that a new one can be told where it leaves the
// earlier one that it shares most with: the answer to "why was so little of this prompt cached?".
// A client is who shares a prefix cache: a model, a tenant, a salt. It is a record of what was
// asked, not of what the cache holds: blocks may have been evicted since.
// Bounds: kPromptsMax prompts of at most kTokensMax tokens together (4 MB), the oldest go first.
// I/O thread. Used by service.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"

namespace quire {

// Two prompts are equal up to `at`.
struct PromptDifference {
  static constexpr std::size_t kShown = 12;

  std::string earlier_id;           // of the answer to the earlier prompt
  std::uint32_t earlier_tokens = 0;
  std::uint32_t at = 0;
  std::vector<TokenId> had, has;    // what follows: at most kShown tokens of each
};

class PromptMemory {
 public:
  static constexpr std::size_t kPromptsMax = 64;
  static constexpr std::size_t kTokensMax = std::size_t{1} << 20;

  // Against the prompt of that client which it shares most with, of several the newest; nothing
  // where none is known.
  std::optional<PromptDifference> compare(const std::string& client,
                                          std::span<const TokenId> prompt) const;

  // From now on `prompt` is an earlier one. One longer than kTokensMax is not kept.
  void keep(std::string client, std::string id, std::span<const TokenId> prompt);

  std::size_t tokens() const { return tokens_; }

 private:
  struct Prompt {
    std::string client, id;
    std::vector<TokenId> tokens;
  };

  std::deque<Prompt> prompts_;  // the newest at the back
  std::size_t tokens_ = 0;      // of all
};

}  // namespace quire
