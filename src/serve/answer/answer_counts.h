// AnswerCounts: how many tokens the prompts and the choices of one call had, as events tell it; and
// the place of a choice among all: prompt * n + branch.
// One call; I/O thread. Used by dialects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/events.h"
#include "core/request.h"
#include "serve/answer/parts.h"

namespace quire {

class AnswerCounts {
 public:
  explicit AnswerCounts(const std::vector<Request>& requests);

  std::size_t choices() const { return generated_.size(); }
  std::size_t choice_index(std::size_t prompt, int branch) const;
  void count(std::size_t prompt, const TokenEvent& event);

  // A token is one of a thought where its text is, or where that is still to come and the text
  // before it was. `begins_thought`: nothing stands before it but an open thought.
  void begin_thought(std::size_t choice, bool begins_thought);
  void count_thought(std::size_t choice, const TokenEvent& event,
                     const std::vector<PartDelta>& parts);

  std::uint64_t prompt_tokens() const;
  std::uint64_t cached_tokens() const;  // of the prompts
  std::uint64_t generated_tokens() const;
  std::uint64_t thought_tokens() const;  // of those

 private:
  std::size_t n_;
  std::vector<std::uint32_t> prompt_, cached_;  // [prompts]
  std::vector<std::uint32_t> generated_, thought_;  // [choices]
  std::vector<bool> is_thinking_;                   // [choices]
};

// "chatcmpl-" and 24 characters of chance.
std::string random_id(std::string_view prefix);

}  // namespace quire
