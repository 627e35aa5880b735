// StepEvents and EngineStats: what a step brought and how the engine stands, as EngineCore makes
// them and Engine hands them to the sink. Plain values, complete in themselves: whoever gets them
// needs to ask nobody. Any thread. Used by engine_core, engine and the front doors behind the sink.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "core/events.h"
#include "engine/inspection.h"
#include "engine/step_phases.h"

namespace quire {

// Counters since start and gauges of now, of all instances together. Plain values.
struct EngineStats {
  std::uint64_t requests_running = 0;
  std::uint64_t requests_waiting = 0;
  std::uint64_t blocks_total = 0;       // allocatable: free + cached + referenced
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_cached = 0;      // in the tree, owned by no sequence
  std::uint64_t blocks_referenced = 0;  // owned by at least one sequence
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;
  std::uint64_t prefix_cached_tokens = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t steps = 0;
  std::uint64_t computed_tokens = 0;    // tokens fed to the model, recomputation included
  std::uint64_t forced_tokens = 0;      // of those generated: fed without being drawn
  std::uint64_t masks = 0;              // rows drawn under what a grammar allows
};

// What one step brought. Without rows no step ran: cancellations, refusals, answers to a question.
struct StepEvents {
  std::vector<TokenEvent> events;
  EngineStats stats;
  StepId step = 0;               // of its instance, which counts its own
  std::uint32_t instance = 0;    // set by Engine
  std::vector<RowFact> rows;        // in the plan's order
  std::vector<BranchId> preempted;  // lost their blocks when this step was planned
  Nanos at{0};                      // when all this was known; set by Engine
  Nanos elapsed{0};                 // of the executor
  StepPhases phases;                // of the engine thread, since the events before
  std::shared_ptr<const EngineInspection> inspection;  // null: nobody asked
};
// On the thread of an instance, one call at a time; must not block.
using EventSink = std::function<void(StepEvents)>;

}  // namespace quire
