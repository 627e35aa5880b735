// Request: what a client asked, validated by the front door and immutable from then on. It never
// holds progress (that is sched/sequence) and no text (that is engine/session).
// Plain values; built on any thread, moved into the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "core/constraint.h"

namespace quire {

struct LogitBias {
  TokenId token = 0;
  float bias = 0;  // added to the raw logit, -100..100
};

// A text that goes round in circles: its last tokens are one pattern, that many times. 0: never
// mind.
struct RepetitionLimit {
  static constexpr int kPatternMax = 1024;
  int pattern_min = 1, pattern_max = 0;  // tokens
  int count = 2;                         // at least 2
};

// Order of the samplers: runtime/sampler.h. Neutral values are the defaults.
struct SamplingParams {
  float temperature = 1;         // 0: greedy
  int top_k = 0;                 // 0: off
  float top_p = 1;               // [0, 1]; 0: the likeliest
  float min_p = 0;               // [0, 1)
  float typical_p = 1;           // (0, 1]; 1: off
  float repetition_penalty = 1;  // > 0; over prompt and generated tokens
  float presence_penalty = 0;    // -2..2; over generated tokens
  float frequency_penalty = 0;   // -2..2; over generated tokens
  std::vector<LogitBias> logit_bias;  // ascending, unique tokens
  // One bit a token, [ceil(vocab / 32)], set: may be drawn; empty: every token may.
  std::vector<std::uint32_t> allowed;
  std::vector<std::vector<TokenId>> bad_sequences;  // not empty; generated tokens complete none
  std::uint64_t seed = 0;        // always set: drawn by the front door when the client gave none

  int logprobs = -1;         // alternatives reported per generated token; -1: no log-probabilities
  std::vector<TokenId> logprob_ids;  // not empty: of these, in this order, instead of the likeliest
  int prompt_logprobs = -1;  // the same for prompt tokens; such a request skips the prefix match
  // The raw logits row of every position that is drawn, and with prompt_logprobs of every one that
  // is scored, is reported.
  bool raw_logits = false;

  int tokens_max = 16;  // generated tokens at most; 0 with prompt_logprobs scores the prompt only
  int tokens_min = 0;   // before that, eos and stop_ids cannot be drawn
  std::vector<TokenId> stop_ids;          // end the branch, beside the model's eos tokens
  std::vector<std::string> stop_strings;  // end the branch when the text contains one
  RepetitionLimit repetition;             // ends the branch when its text goes in circles
  bool ignore_eos = false;
  bool include_stop = false;         // keep the stop string in the text
  bool skip_special_tokens = true;   // leave special tokens out of the text
  std::vector<TokenId> shown_tokens;  // but for these, ascending: marks of thoughts and calls
};

// One branch of one request.
struct BranchId {
  RequestId request;
  std::int32_t branch = 0;  // 0..n-1
  auto operator<=>(const BranchId&) const = default;
};

struct Request {
  static constexpr std::uint32_t kTenantShareMax = 1000;

  RequestId id;
  std::vector<TokenId> prompt;  // not empty; beside an encoder: what its decoder begins with
  std::vector<TokenId> encoder_input;  // what the encoder reads: not empty where the model has one
  SamplingParams params;
  std::shared_ptr<const Constraint> constraint;  // what its answer has to look like; null: anything
  // It is answered with one vector for the prompt; nothing is generated (tokens_max is 0).
  bool is_pooled = false;
  std::uint32_t second_segment = 0;  // where the second text of a pair begins; 0: it is one text

  std::string tenant;        // for whom it is: its cache and its fair share; empty: the public
  std::uint32_t tenant_share = 1;  // of the machine, beside the shares of other tenants that wait
  std::string cache_salt;    // further splits the namespace
  std::int32_t adapter = 0;  // 0: the base model
  int priority = 0;          // smaller is served sooner within the tenant (as vLLM counts)
  std::optional<Nanos> deadline;  // a point in time; past it the request ends with kDeadline

  // Where messages of the prompt end, ascending: places from which another request may go on. A
  // model with states keeps one at the last whole block before each.
  std::vector<std::uint32_t> message_ends;

  int n = 1;             // branches; branch i draws noise of stream branch_first + i
  int branch_first = 0;  // so that one branch of a larger n can be run alone
};

}  // namespace quire
