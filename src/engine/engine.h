// Engine: the thread around EngineCore. The front door submits requests and cancels them from any
// thread; the engine thread plans, runs and commits steps and hands the events of each step, once,
// to the sink. It sleeps when there is nothing to do. Whoever wants to look inside asks; the engine
// thread answers between two steps, by the same way as events go.
//
// An engine may have several instances: equal executors, each with its own core, KV memory, prefix
// cache, batch and thread. Whoever uses it sees one engine: the queue, its bounds, levels and
// timeouts are common (engine/door), counters and blocks add up, and answers do not depend on who
// gave them. A request is one instance's from beginning to end; an executor that fails ends the
// requests of its own instance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "core/executor.h"
#include "core/options.h"
#include "core/request.h"
#include "engine/step_events.h"

namespace quire {

class Tokenizer;

inline constexpr std::uint32_t kInstancesMax = 8;  // of one engine

class Engine {
 public:
  // The tokenizer turns tokens into text; null: events carry tokens only.
  Engine(const EngineOptions& options, std::unique_ptr<Executor> executor,
         std::shared_ptr<const Tokenizer> tokenizer, EventSink sink);
  // An instance for each of them. REQUIRES: 1 to kInstancesMax, of equal capacity.
  Engine(const EngineOptions& options, std::vector<std::unique_ptr<Executor>> executors,
         std::shared_ptr<const Tokenizer> tokenizer, EventSink sink);
  ~Engine();  // cancels what is left, ends the threads

  // Any thread. kResourceExhausted: the tenant's queue or its level's is full. kUnavailable:
  // draining. kInvalidArgument: the request contradicts the model (empty or too long prompt, token
  // out of the vocabulary, more KV than the pool has).
  Status submit(Request request);
  // All or none, as parts of one call: in the queue of their level they count as one.
  // REQUIRES: there is one; all are of one tenant and one priority; no two have the same id.
  Status submit_all(std::vector<Request> requests);
  // It waits for no batch (EngineOptions::batching) and goes to this instance: for those that
  // nobody asked, such as warm-ups.
  Status submit_at_once(Request request, std::size_t instance = 0);
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
  EngineStats stats() const;     // a snapshot of the last steps
  // Asks for an inspection, which comes with one of the next StepEvents and names the question. A
  // newer question replaces one that still waits; an engine that ends answers none. With several
  // instances it comes when all have answered, and names the oldest question that one of them did.
  // REQUIRES: questions ascend.
  void inspect(std::uint64_t question);
  std::size_t instances() const;
  // Of one instance:
  const SchedulerOptions& limits() const;  // that hold, whatever was asked for
  const Capacity& capacity() const;
  // Of all of them:
  const DynamicBatching& batching() const;
  // Whether all that is here waits for its batch, and nothing is computed.
  bool is_resting() const;
  // When the last step finished, somebody was let in, or the thread woke up: of the instances that
  // are awake the one that is furthest behind, else the latest. For liveness.
  Nanos last_step_at() const;

 private:
  struct Common;
  struct Instance;
  std::unique_ptr<Common> common_;
  std::vector<std::unique_ptr<Instance>> instances_;  // they use the common
};

}  // namespace quire
