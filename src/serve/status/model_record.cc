#include "serve/status/model_record.h"

namespace quire {

ModelRecord::Step& ModelRecord::add_step(const StepEvents& events) {
  std::uint64_t prompt = 0, generated = 0;
  for (const RowFact& row : events.rows) {
    if (!row.is_decode) prompt += row.tokens;
    generated += row.generated;
  }
  prompt_rate.add(events.at, prompt);
  generated_rate.add(events.at, generated);
  step_time.add(events.at, events.elapsed);
  lines_[events.instance].last_step_at = events.at;
  Step& step = steps_[next_step_];
  next_step_ = (next_step_ + 1) % kStepsShown;
  step.step = events.step;
  step.instance = events.instance;
  step.elapsed = events.elapsed;
  step.rows_total = events.rows.size();
  step.rows.clear();
  return step;
}

bool ModelRecord::meet(std::uint32_t instance, const std::vector<std::uint64_t>& company) {
  std::vector<std::uint64_t>& before = lines_[instance].company;
  if (company == before) return false;
  before = company;
  return true;
}

}  // namespace quire
