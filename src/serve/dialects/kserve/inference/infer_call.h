// From an InferRequest to the Call that answers it, whichever transport brought it. What kind of
// call it is says the model, where it has no engine (light), else the input: text_input is answered
// with texts, or with a vector where the model makes those; input_ids with raw logits. InferFormat
// is what a transport implements: how a response becomes bytes.
// Worker threads; the formats' functions on the I/O thread. Used by http and by the room of gRPC.
#pragma once

#include <memory>
#include <string>

#include "serve/call.h"
#include "serve/dialects/kserve/inference/infer_values.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/route.h"

namespace quire {

// What an ensemble that asked for an answer as a step is told beside its tensors.
struct StepNote {
  Nanos computed{0};          // how long it was computed for, without waiting
  bool is_repeatable = true;  // asked again, it would be the same
};

class InferFormat {
 public:
  virtual ~InferFormat() = default;

  // Written before complete_head(), by those who know; whether it goes anywhere is the transport's.
  virtual StepNote& note() { return note_; }

  // `is_last`: no response of this request follows.
  virtual void append(const InferResponse& response, bool is_last, std::string& out) = 0;
  // Of a stream that has begun.
  virtual void append_error(const ApiError& error, std::string& out) = 0;
  // Of a stream with nothing to say.
  virtual void append_ping(std::string&) {}
  // What the head of the answer says; after append().
  virtual void complete_head(http::Response&) const {}

 protected:
  StepNote note_;
};

// Of an answer of an engine.
inline void note_times(const CallTimes& times, InferFormat& format) {
  if (times.begun > Nanos{0}) format.note().computed = times.now - times.begun;
}

// What the transport can take.
struct InferTerms {
  bool may_stream = false;   // any number of responses
  bool does_stream = false;  // unless the request says otherwise
  bool has_details = false;  // `details`, of generate: how it ended and its tokens
  // What a wish for any number of responses is told, of a request that takes exactly one; empty: it
  // is taken (or told by generate's own words).
  std::string_view one_response = {};
  // As its dialect has it: of an answer that does not come from an engine.
  http::Response (*render_error)(const ApiError& error, const http::Request& request) = nullptr;
};

Parsed<Call> make_infer_call(const DialectContext& context, InferRequest request,
                             const InferTerms& terms, std::unique_ptr<InferFormat> format);

// --- for the kinds of calls ---

// What every kind reads of a request's parameters.
struct InferSchedule {
  int priority = 0;                // smaller is sooner; of a model with levels, from its default
  std::optional<Nanos> deadline;   // a point in time
  bool is_deadline_idle = false;   // the model's queues allow no timeout of a request's own
};

// Takes what is this protocol's own; `rest` has the other parameters.
Parsed<InferSchedule> read_schedule(const InferRequest& request, const HostedModel& model,
                                    InferParameters& rest);

// Whether an output is wanted: named, or nothing is named and it is there by default.
bool is_wanted(const InferRequest& request, std::string_view output, bool is_default);

const NamedTensor* find_input(const InferRequest& request, std::string_view name);

}  // namespace quire
