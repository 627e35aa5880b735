// Engine: the thread around EngineCore. The front door submits requests and cancels them from any
// thread; the engine thread plans, runs and commits steps and hands the events of each step, once,
// to the sink. It sleeps when there is nothing to do. Whoever wants to look inside asks; the engine
// thread answers between two steps, by the same way as events go.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "core/executor.h"
#include "core/options.h"
#include "core/request.h"
#include "engine/step_events.h"

namespace quire {

class Tokenizer;

class Engine {
 public:
  // The tokenizer turns tokens into text; null: events carry tokens only.
  Engine(const EngineOptions& options, std::unique_ptr<Executor> executor,
         std::shared_ptr<const Tokenizer> tokenizer, EventSink sink);
  ~Engine();  // cancels what is left, ends the thread

  // Any thread. kResourceExhausted: the tenant's queue or its level's is full. kUnavailable:
  // draining. kInvalidArgument: the request contradicts the model (empty or too long prompt, token
  // out of the vocabulary, more KV than the pool has).
  Status submit(Request request);
  // All or none, as parts of one call: in the queue of their level they count as one.
  // REQUIRES: there is one; all are of one tenant and one priority; no two have the same id.
  Status submit_all(std::vector<Request> requests);
  // It waits for no batch (EngineOptions::batching): for those that nobody asked, such as warm-ups.
  Status submit_at_once(Request request);
  void cancel(RequestId id);

  // From now on submit() answers kUnavailable; what was accepted goes on to its end, and waits for
  // no company.
  void drain();
  // From now on nobody waits for company (EngineOptions::batching): for those who are to end soon.
  void stop_waiting();
  // No step begins any more, or again; what comes waits, and who cancels goes. reset_prefix_cache()
  // forgets the texts that nobody is at; both hold from the next step on.
  void pause(bool is_paused);
  void reset_prefix_cache();
  bool is_idle() const;          // nothing running, waiting or in the inbox
  EngineStats stats() const;     // a snapshot of the last step
  // Asks for an inspection, which comes with one of the next StepEvents and names the question. A
  // newer question replaces one that still waits; an engine that ends answers none.
  void inspect(std::uint64_t question);
  const SchedulerOptions& limits() const;  // that hold, whatever was asked for
  const DynamicBatching& batching() const;  // likewise
  const Capacity& capacity() const;
  // Whether all that is here waits for its batch, and nothing is computed.
  bool is_resting() const;
  // When the last step finished or somebody was let in; for liveness. Zero before the first.
  Nanos last_step_at() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire
