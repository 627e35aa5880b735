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
  last_step_at_ = events.at;
  Step& step = steps_[next_step_];
  next_step_ = (next_step_ + 1) % kStepsShown;
  step.step = events.step;
  step.elapsed = events.elapsed;
  step.rows_total = events.rows.size();
  step.rows.clear();
  return step;
}

bool ModelRecord::meet(const std::vector<std::uint64_t>& company) {
  if (company == company_) return false;
  company_ = company;
  return true;
}

}  // namespace quire
