// ModelRecord: what the dashboard shows of one model beside the engine's own counters: rates of the
// last ten seconds, latencies of the last minute, the composition of the last steps, and the last
// look into its KV memory. About 120 KB a model, whatever happens; steps reuse their rows' memory.
// I/O thread. Used by chronicle.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "serve/status/latency_window.h"

namespace quire {

class ModelRecord {
 public:
  static constexpr std::size_t kStepsShown = 40;
  static constexpr std::size_t kRowsShown = 64;  // of one step

  struct Row {
    std::uint64_t serial = 0;  // of the request; 0: not known
    std::uint32_t choice = 0;
    std::uint32_t tokens = 0;
    bool is_decode = false;
  };
  struct Step {
    StepId step = 0;
    std::uint32_t instance = 0;
    Nanos elapsed{0};
    std::size_t rows_total = 0;
    std::vector<Row> rows;
  };

  // When a step that is about to be added began: steps of an instance follow each other on the time
  // line, also where the next one was launched before the last one was over.
  // REQUIRES: of this and what follows: the step's instance is below kInstancesMax.
  Nanos begin_of(const StepEvents& step) const {
    return std::max(step.at - step.elapsed, lines_[step.instance].last_step_at);
  }
  // Counts a step and gives its place to be filled with rows.
  Step& add_step(const StepEvents& step);
  // Tells who was in the step, ascending; true: not those of the instance's step before.
  bool meet(std::uint32_t instance, const std::vector<std::uint64_t>& company);

  template <typename Visit>
  void for_each_step(Visit visit) const {  // oldest first
    for (std::size_t i = 0; i < kStepsShown; ++i) {
      const Step& step = steps_[(next_step_ + i) % kStepsShown];
      if (step.rows_total > 0) visit(step);
    }
  }

  std::uint64_t requests = 0;
  RateWindow prompt_rate, generated_rate;  // tokens computed of prompts, and generated
  LatencyWindow first_token, next_token, step_time;

  std::uint64_t asked = 0, answered = 0;  // the last questions
  std::shared_ptr<const EngineInspection> inspection;  // the newest; null: none yet
  Nanos inspected_at{0};

 private:
  std::array<Step, kStepsShown> steps_;
  std::size_t next_step_ = 0;
  struct Line {
    Nanos last_step_at{0};
    std::vector<std::uint64_t> company;
  };
  std::array<Line, kInstancesMax> lines_;  // by instance
};

}  // namespace quire
