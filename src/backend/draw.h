// Drawing, as values: what is to become of a row of logits, and what became of it: a token, drawn
// as a request wishes or given to be scored, and its log-probability. runtime/sampler.h tells the
// order of the steps; runtime/sampler makes the tasks, Backend::draw does them.
// A row's answer is a pure function of its task and its logits, to the bit: there is no state and
// no randomness but philox, and neither neighbours nor threads leave a trace.
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quire {

struct TokenBias {
  std::int32_t token = 0;
  float bias = 0;  // added to the raw logit
};

// Neutral values are the defaults. Spans stay valid until the draw has returned.
struct DrawTask {
  int row = 0;               // of the buffer of logits
  std::int32_t target = -1;  // >= 0: this token is scored, and nothing is drawn
  int alternatives = -1;     // log-probabilities of so many tokens beside its own; -1: none at all

  std::span<const std::uint32_t> mask;   // one bit a token, set = allowed; empty: all allowed
  std::span<const std::int32_t> banned;
  std::span<const TokenBias> biases;
  std::span<const std::int32_t> history;  // tokens before it: the prompt, then what was generated
  std::uint32_t prompt_count = 0;         // how many of `history` are the prompt
  float repetition_penalty = 1;           // of all of `history`; the others of what was generated
  float presence_penalty = 0;
  float frequency_penalty = 0;

  float temperature = 1;  // 0: the largest logit
  int top_k = 0;          // 0: off
  float top_p = 1;
  float min_p = 0;
  float typical_p = 1;
  std::uint64_t seed = 0, position = 0, stream = 0;  // of the noise
};

enum class DrawOutcome : std::uint8_t {
  kOk,
  kNonFinite,       // a logit is NaN or infinite
  kNothingAllowed,  // mask and bans leave no token to draw
};

struct TokenLikelihood {
  std::int32_t token = 0;
  float logprob = 0;  // log-softmax of the raw logits

  bool operator==(const TokenLikelihood&) const = default;
};

struct Drawn {
  DrawOutcome outcome = DrawOutcome::kOk;
  std::int32_t token = -1;  // drawn or scored; -1: none
  // Where the task asked for log-probabilities.
  float logprob = 0;
  std::int32_t rank = 0;             // 1: the likeliest
  std::vector<TokenLikelihood> top;  // best first

  bool operator==(const Drawn&) const = default;
};

}  // namespace quire
