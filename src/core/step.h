// The waist: one step of the engine as plain data. Decisions go down as a StepPlan (and, once the
// logits are there, a SampleSpec), facts come up as a StepResult. docs/step_contract.md tells the
// whole contract.
//
// A step has no kind. Each row feeds one sequence some tokens and asks for logits on the last few:
// a prompt chunk wants none, its last chunk one, a decode feeds one and wants one, verifying k
// drafts feeds 1 + k and wants 1 + k. The plan is flat arrays: the same bytes are hashed by tests,
// written to a journal, sent to ranks and copied to a device.
//
// A negative token -1-i is a promise: "what output i of the previous launched plan accepted", where
// the outputs of a plan are its wanted logits rows, counted over all rows. The executor resolves it
// on the device. It is the first token of its row. A promise of an output that was not sampled
// (its branch had ended) may be resolved to any token: the row's result is discarded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "base/status.h"
#include "core/request.h"

namespace quire {

struct Capacity;

inline constexpr std::uint8_t kRowHashLogits = 1;  // report a hash of each wanted raw logits row
inline constexpr std::uint8_t kRowPool = 2;        // report a pooled vector instead of logits

// `count` entries of a flat array from `begin`.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
};

struct StepRow {
  SeqId seq;
  Span tokens;                       // in StepPlan::tokens
  std::uint32_t first_position = 0;  // of the first token fed
  std::uint32_t want_last = 0;       // logits wanted on the last so many tokens
  std::uint32_t drafts = 0;          // the last so many tokens are guesses, to be verified
  std::int32_t adapter = 0;
  // Positions of the encoder's input, in the tables of groups of that length: an encoder's row
  // writes them, later rows read them. 0: no encoder.
  std::uint32_t encoder_tokens = 0;
  std::uint32_t second_segment = 0;  // position where the second text of a pair begins; 0: one text
  std::uint8_t lane = 0;  // 0: decoder, 1: encoder
  std::uint8_t flags = 0;
};

// Copies run in listed order before any row writes; no destination is a source in the same plan.
struct BlockCopy {
  std::uint16_t group = 0;
  std::uint8_t src_tier = 0, dst_tier = 0;  // 0: the device's own memory
  BlockId src = 0, dst = 0;
};

struct StepPlan {
  StepId step = 0;
  std::uint32_t groups = 1;      // KV groups of the model
  std::vector<StepRow> rows;
  std::vector<TokenId> tokens;   // of all rows, in row order
  std::vector<Span> tables;      // [rows, groups] block tables, in `blocks`
  std::vector<BlockId> blocks;
  std::vector<BlockCopy> copies;

  Span table(std::size_t row, std::uint32_t group) const { return tables[row * groups + group]; }
  std::uint32_t logits_rows() const;
  std::uint64_t hash() const;
};

// Nothing in the plan that the capacity does not have; every index in range, tables long enough for
// their positions, copies well formed. Asked by the engine before launch and by the executor on
// arrival.
Status validate(const StepPlan& plan, const Capacity& capacity);

std::vector<std::byte> to_bytes(const StepPlan& plan);
Result<StepPlan> plan_from_bytes(std::span<const std::byte> bytes);

// What to do with one wanted logits row. Spans stay valid until the ticket is finished.
struct SampleRow {
  bool is_discarded = false;   // its branch has ended: nothing is drawn, the rest is not read
  std::uint32_t position = 0;  // of the token that is drawn or scored
  TokenId target = -1;         // >= 0: score this token instead of drawing one (prompt log-probs)
  int logprobs = -1;           // alternatives to report; -1: no log-probability
  const SamplingParams* params = nullptr;
  std::span<const TokenId> history;      // [position] prompt and generated tokens before it
  std::uint32_t prompt_count = 0;        // how many of `history` are the prompt
  std::span<const std::uint32_t> mask;   // one bit a token, set = allowed; empty: all allowed
  std::span<const TokenId> banned;       // not to be drawn here (eos before tokens_min)
  std::uint64_t stream = 0;              // of the noise: philox(params->seed, position, stream)
};

// Every wanted logits row of the plan: row by row, and in a row by position. Of one row the scored
// positions come first, then those that are drawn: one, and one more for every draft.
struct SampleSpec {
  std::vector<SampleRow> rows;  // [plan.logits_rows()]
};

// One entry for each wanted row, for its position, with what it takes to draw or to score. Asked by
// the engine before sampling and by the executor on arrival.
Status validate(const SampleSpec& spec, const StepPlan& plan, const Capacity& capacity);

// Nobody reads what comes of the plan.
SampleSpec discard_all(const StepPlan& plan);

enum class RowOutcome : std::uint8_t {
  kOk,
  kNonFinite,       // a logit was NaN or infinite: this request ends, nobody else notices
  kNothingAllowed,  // the masks leave no token to draw: likewise
  kFault,           // the executor could not run it
};

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;  // log-softmax of the raw logits, before penalties and temperature
};

struct TokenScore {
  TokenId token = 0;
  float logprob = 0;
  std::int32_t rank = 0;          // 1: the likeliest
  std::vector<TokenLogprob> top;  // best first
};

// What came of a row, at every station on its way to the client: RowResult, the scheduler's
// Progress, TokenEvent. Each says how much of it there is.
struct RowOutput {
  std::vector<TokenId> accepted;
  std::vector<TokenScore> scores;
  std::vector<std::uint64_t> logits_hashes;  // tests only
  std::vector<float> pooled;                 // [width] of a pooled row
  std::vector<float> logits;                 // [rows, vocabulary] that asked for them, raw
};

// `accepted`: 0 to want_last drawn tokens. `scores`: of sampled or scored positions that asked, in
// index order. `logits_hashes`: [want_last] if kRowHashLogits. `pooled`: if kRowPool. `logits`: of
// scored and accepted positions whose parameters ask for raw logits, in index order.
// A verify row accepts draws up to the first that differs from the draft fed behind it. What lies
// behind that one is not looked at: neither its tokens nor its misfortune. A misfortune behind an
// accepted draw ends the run of accepted draws there; it is met again by the next row.
struct RowResult : RowOutput {
  SeqId seq;
  RowOutcome outcome = RowOutcome::kOk;
  std::vector<TokenId> drafts;  // proposals for the next step
};

struct StepResult {
  StepId step = 0;
  std::vector<RowResult> rows;  // one per plan row, same order
  Nanos waited{0};              // for the device, which other models use as well
  Nanos elapsed{0};             // from then on, to finish
  Nanos inputs{0};              // of that: copies of blocks, and the arrays for the device
  std::string fault;            // not empty: the executor failed as a whole
};

}  // namespace quire
