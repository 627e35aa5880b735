#include "serve/status/chronicle.h"

#include <algorithm>

namespace quire {

void Chronicle::arrive(AcceptedRequest accepted) {
  ++models_[accepted.model].requests;
  requests_.add(std::move(accepted));
}

std::uint64_t Chronicle::ask(const std::string& model) {
  ModelRecord& record = models_[model];
  record.asked = ++questions_;
  asked_[record.asked] = &record;
  if (asked_.size() > kAskedMax) asked_.erase(asked_.begin());
  return record.asked;
}

const ModelRecord* Chronicle::model(const std::string& name) const {
  const auto it = models_.find(name);
  return it == models_.end() ? nullptr : &it->second;
}

void Chronicle::keep_only(const std::set<std::string>& models) {
  std::erase_if(models_, [&](const auto& known) {
    const bool goes = !models.contains(known.first);
    if (goes) std::erase_if(asked_, [&](const auto& it) { return it.second == &known.second; });
    return goes;
  });
}

void Chronicle::take(const StepEvents& step) {
  if (step.inspection != nullptr) take_answer(step);
  if (!step.rows.empty()) take_rows(step);
  for (const TokenEvent& event : step.events) take_event(event, step.at);
}

// The step is told by its requests whose it is.
void Chronicle::take_rows(const StepEvents& step) {
  company_.clear();
  ModelRecord* model = nullptr;
  for (const RowFact& row : step.rows) {
    const RequestRecord* record = requests_.find(row.of.request).record;
    if (record == nullptr) continue;
    company_.push_back(record->serial());
    if (model == nullptr) model = &models_[record->accepted().model];
  }
  if (model == nullptr) return;  // requests that were refused half-way
  std::sort(company_.begin(), company_.end());
  company_.erase(std::unique(company_.begin(), company_.end()), company_.end());
  const StepFrame frame{step.step, model->begin_of(step), step.at, company_,
                        model->meet(step.instance, company_)};
  for (const BranchId& of : step.preempted) {
    const RequestLog::Place place = requests_.find(of.request);
    if (place.record != nullptr) place.record->preempt(place.prompt, of.branch, frame.begin);
  }
  ModelRecord::Step& shown = model->add_step(step);
  for (const RowFact& row : step.rows) {
    const RequestLog::Place place = requests_.find(row.of.request);
    if (place.record != nullptr) place.record->take(place.prompt, row, frame);
    if (shown.rows.size() == ModelRecord::kRowsShown) continue;
    ModelRecord::Row& entry = shown.rows.emplace_back();
    entry.tokens = row.tokens;
    entry.is_decode = row.is_decode;
    if (place.record == nullptr) continue;
    entry.serial = place.record->serial();
    entry.choice = place.record->choice_index(place.prompt, row.of.branch);
  }
}

void Chronicle::take_event(const TokenEvent& event, Nanos at) {
  const RequestLog::Place place = requests_.find(event.request);
  if (place.record == nullptr || place.record->is_finished()) return;
  const auto time = place.record->take(place.prompt, event, at);
  if (time) {
    ModelRecord& model = models_[place.record->accepted().model];
    (time->is_first ? model.first_token : model.next_token).add(at, time->time);
  }
  if (!place.record->is_finished()) return;
  if (finished_) finished_(*place.record);
  requests_.finish(*place.record);
}

void Chronicle::take_answer(const StepEvents& step) {
  const auto asked = asked_.find(step.inspection->question);
  if (asked == asked_.end()) return;
  ModelRecord& model = *asked->second;
  asked_.erase(asked);
  model.answered = step.inspection->question;
  model.inspection = step.inspection;
  model.inspected_at = step.at;
  if (answered_) answered_();
}

}  // namespace quire
