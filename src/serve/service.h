// Service: between HTTP exchanges and engines. A request is parsed, rendered and tokenized on a
// worker thread, submitted, and its events are written to its exchange as they come: one message
// from the engine thread to the I/O thread per step, not per token. A request whose model is not in
// memory waits for it first, and one whose grammar is not compiled, for that. A client that leaves,
// or reads so slowly that its bounded buffer overflows, cancels its requests.
// I/O thread, but for the engines' events, which arrive on their threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "host/grammars.h"
#include "serve/http/exchange.h"
#include "serve/metrics.h"
#include "serve/route.h"
#include "serve/status/chronicle.h"
#include "serve/status/prompt_memory.h"
#include "serve/waiting_room.h"

namespace quire {

struct EnteredRequest;

class Service {
 public:
  // Runs a function on the I/O thread, or on some worker thread.
  using Post = std::function<void(std::function<void()>)>;

  // `waiting_max`: requests of one tenant that may wait for one model's load; beyond, 503.
  Service(ModelHost& host, Metrics& metrics, Chronicle& chronicle, std::size_t waiting_max,
          Post to_io, Post to_workers);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  using Parse = Parsed<Call> (*)(const DialectContext& context, const http::Request& request);

  // Answers the exchange, now or later. `dialect` and what `context` points to outlive this object.
  void answer(std::shared_ptr<http::Exchange> exchange, const Dialect& dialect, Parse parse,
              const DialectContext& context);

  // At most so many calls in the engines at once; further ones are refused (429). 0: no bound.
  void bound_calls(std::size_t most) { calls_max_ = most; }

  void abort_all(const ApiError& reason);  // whatever is being answered ends with it

  // Streams that have been silent for so long, since a long prompt is read, say that they live.
  void ping_silent(Nanos silence);

  void drain();  // what runs goes on; what comes is refused
  bool is_draining() const { return is_draining_; }
  // Not yet answered.
  std::size_t calls() const {
    return parsing_ + waiting_.size() + constrained_.size() + active_;
  }

  // Work that is pending makes progress.
  bool is_alive(Nanos now) const;

 private:
  struct ActiveCall;
  struct Constrained {  // waits for its grammar
    Arrival arrival;
    Parsed<Call> parsed;
  };
  struct Gate;
  struct Place {  // of one engine request
    std::shared_ptr<ActiveCall> call;
    std::size_t index = 0;
  };

  void parse(Arrival arrival);
  void begin(Arrival arrival, Parsed<Call> parsed);
  bool constrain(Arrival& arrival, Parsed<Call>& parsed);
  void leave_free(Call& call, const Status& reason);
  void admit_constrained(std::uint64_t ticket, const Grammars::Outcome& outcome);
  void await_model(Arrival arrival, const std::string& name);
  void admit(ModelHost::ModelIndex model, Result<ModelLease> outcome);
  void refuse(const Arrival& arrival, const ApiError& error);
  void refuse(const Arrival& arrival, Call& call, const ApiError& error);
  void submit(const std::shared_ptr<ActiveCall>& call);
  bool submit_together(const std::shared_ptr<ActiveCall>& call);
  bool submit_more(const std::shared_ptr<ActiveCall>& call);
  bool refuse_by_engine(const std::shared_ptr<ActiveCall>& call, const Status& status);  // false
  void note_entered(ActiveCall& call, const EnteredRequest& entered);
  void forget_removed();
  void remember_prompt(const ActiveCall& call, AcceptedRequest& accepted);
  void receive(StepEvents step);  // engine threads
  void take_steps();
  // Returns whose step it is; empty: none of its rows is here any more.
  std::string note_begun(const StepEvents& step);
  static CallTimes times_of(const ActiveCall& call);
  void take(const std::shared_ptr<ActiveCall>& call, std::size_t index, const TokenEvent& event);
  void time_tokens(ActiveCall& call, std::size_t index, const TokenEvent& event);
  void flush(const std::shared_ptr<ActiveCall>& call);
  void close(std::shared_ptr<ActiveCall> call, std::function<void()> work);
  void write(const std::shared_ptr<ActiveCall>& call, bool is_complete);
  void respond(const Arrival& arrival, http::Response response);
  void fail(const std::shared_ptr<ActiveCall>& call, const ApiError& error);
  void abandon(const std::shared_ptr<ActiveCall>& call);  // the client is gone
  void note_left(const http::Exchange& exchange);         // and is told of
  void forget(ActiveCall& call);                          // cancels what still runs of it

  ModelHost* host_;
  Metrics* metrics_;
  Chronicle* chronicle_;
  Post to_io_, to_workers_;

  std::unordered_map<RequestId, Place> places_;
  std::uint64_t requests_ = 0;  // ids given out
  std::size_t parsing_ = 0;
  WaitingRoom waiting_;
  std::unordered_map<std::uint64_t, Constrained> constrained_;  // by ticket
  std::uint64_t tickets_ = 0;
  std::shared_ptr<Gate> gate_;  // compiling threads come through it, as long as this is there
  PromptMemory prompts_;
  std::size_t active_ = 0, calls_max_ = 0;
  bool is_draining_ = false;

  std::mutex mutex_;
  std::vector<StepEvents> steps_;  // guarded by mutex_; at most what the running requests can bring
};

}  // namespace quire
