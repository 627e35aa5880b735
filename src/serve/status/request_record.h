// RequestRecord: the life of one client request as it can be told afterwards: when it waited, which
// steps fed its prompt, which its answer, what came from the prefix cache, when it lost its blocks,
// with whom it shared its steps. Built from the facts that the engine tells about each row; it
// holds no text but the few words at which its prompt left an earlier one. A request may be several
// engine requests (prompts) with several branches each; its choices are counted through:
// prompt * n + branch, as in the answer.
//
// Bounds: kEventsMax events, what comes after is counted; kSharersMax neighbours are told apart in
// one run of steps, kSharersShown of them are kept. Runs of decode steps are one event. I/O thread.
// Used by request_log.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "core/events.h"
#include "serve/intake/volatile_lines.h"
#include "serve/status/prompt_memory.h"

namespace quire {

enum class RequestEventKind : std::uint8_t {
  kQueued, kAdmitted, kPrefill, kDecode, kPreempted, kResumed, kFirstToken, kFinished, kCancelled
};

struct RequestEvent {
  static constexpr std::size_t kSharersShown = 8;

  RequestEventKind kind = RequestEventKind::kQueued;
  FinishReason reason = FinishReason::kNone;  // of kFinished, kCancelled
  bool is_fork = false;           // of kAdmitted: `cached` is what branch 0 had computed
  std::uint32_t choice = 0;
  Nanos at{0};                    // since the request's arrival
  Nanos time{0};                  // of kQueued, kPrefill, kDecode: to the end of the last step
  StepId first_step = 0, last_step = 0;  // 0: none
  std::uint32_t steps = 0;        // in which it had a row
  std::uint32_t tokens = 0;       // fed to the model
  std::uint32_t generated = 0;
  std::uint32_t cached = 0;       // tokens whose KV was there already
  std::uint32_t sharers = 0;      // other requests in these steps
  std::array<std::uint64_t, kSharersShown> sharers_shown{};  // their serials, oldest first; 0: none
};

// Why so much of a prompt, and no more, may have been in the cache.
struct PromptOrigin {
  std::string tenant;                          // whose the words are
  std::optional<PromptDifference> difference;  // to the earlier prompt that it shares most with
  std::string had, has;                        // the words there
  std::vector<VolatileLine> volatile_lines;
};

// The trace of its client's that a request belongs to (W3C Trace Context).
struct TraceOrigin {
  std::string trace_id;    // empty: none
  std::string parent_id;   // the client's span
  std::string state;       // its tracestate
  bool is_sampled = true;  // the client tells this trace
};

// What its client asked for, of what traces tell.
struct AskedSampling {
  bool is_stream = false, is_pooled = false;
  std::int64_t tokens_max = 0;
  double temperature = 1, top_p = 1, frequency_penalty = 0, presence_penalty = 0;
  std::int64_t top_k = 0;  // 0: off
};

// What is known when a request has been accepted.
struct AcceptedRequest {
  std::string model, endpoint;
  std::string id;          // as the client sees it in the answer
  std::string request_id;  // x-request-id
  TraceOrigin trace;
  AskedSampling asked;
  std::int64_t created = 0;  // seconds since 1970
  Nanos at{0};
  std::vector<RequestId> requests;           // [prompts]
  std::vector<std::uint32_t> prompt_tokens;  // [prompts]
  std::uint32_t choices_each = 1;            // n
  PromptOrigin origin;                       // of the only prompt
};

// A step as its rows' requests see it.
struct StepFrame {
  StepId step = 0;
  Nanos begin{0}, end{0};
  std::span<const std::uint64_t> company;  // serials of all requests in it, ascending
  bool is_new_company = true;              // it is not that of the step before
};

// How long a choice's client waited for a token: since the arrival, or since its token before.
struct TokenTime {
  bool is_first = false;
  Nanos time{0};
};

class RequestRecord {
 public:
  static constexpr std::size_t kEventsMax = 1024;
  static constexpr std::size_t kSharersMax = 256;

  RequestRecord(std::uint64_t serial, AcceptedRequest accepted);

  void preempt(std::size_t prompt, std::int32_t branch, Nanos at);
  void take(std::size_t prompt, const RowFact& row, const StepFrame& frame);
  // `at`: when its step was over. Nothing: it brought no token.
  std::optional<TokenTime> take(std::size_t prompt, const TokenEvent& event, Nanos at);

  std::uint64_t serial() const { return serial_; }
  const AcceptedRequest& accepted() const { return accepted_; }
  std::uint32_t choice_index(std::size_t prompt, std::int32_t branch) const {
    return static_cast<std::uint32_t>(prompt) * accepted_.choices_each +
           static_cast<std::uint32_t>(branch);
  }
  std::size_t choices() const { return accepted_.requests.size() * accepted_.choices_each; }
  bool has_begun() const { return has_begun_; }
  bool is_finished() const { return open_ == 0; }
  FinishReason finish_reason() const { return finish_; }
  std::uint64_t prompt_tokens() const;
  std::uint64_t cached_tokens() const { return cached_; }
  std::uint64_t generated_tokens() const { return generated_; }
  std::uint64_t preemptions() const { return preemptions_; }
  Nanos first_token_after() const { return first_token_after_; }  // zero: none yet
  Nanos total() const { return total_; }                          // zero: it lives
  std::uint64_t events_dropped() const { return events_dropped_; }
  // By time. `now`: how far what is still going on has come.
  std::vector<RequestEvent> events(Nanos now) const;
  std::size_t event_count() const { return events_.size(); }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Choice {
    std::uint32_t end = 0;     // positions whose KV exists
    std::size_t run = kNone;   // its open run of decode steps, in events_
    std::vector<std::uint64_t> sharers;  // of the run, ascending; the request itself among them
    Nanos last_token_at{0};
    bool has_begun = false;
    bool was_preempted = false;
    bool has_ended = false;
  };

  Choice& choice(std::size_t prompt, std::int32_t branch);
  std::uint32_t index_of(const Choice& choice) const;
  // A new event of the choice, or null beyond the bound. Valid until the next one.
  RequestEvent* add(const Choice& choice, RequestEventKind kind, Nanos at);
  void admit(Choice& choice, const RowFact& row, const StepFrame& frame);
  void add_prefill(Choice& choice, const RowFact& row, const StepFrame& frame,
                   std::uint32_t gained);
  void extend_run(Choice& choice, const RowFact& row, const StepFrame& frame);
  void end(Choice& choice, FinishReason reason, Nanos at);
  void show_sharers(std::span<const std::uint64_t> company, RequestEvent& event) const;

  std::uint64_t serial_;
  AcceptedRequest accepted_;
  std::vector<Choice> choices_;  // [prompts * n]; none once all have ended
  std::size_t open_;             // choices that have not ended
  std::vector<RequestEvent> events_;
  std::uint64_t events_dropped_ = 0;
  std::uint64_t cached_ = 0, generated_ = 0, preemptions_ = 0;
  Nanos first_token_after_{0}, total_{0};
  FinishReason finish_ = FinishReason::kNone;
  bool has_begun_ = false;
};

}  // namespace quire
