#include "serve/status/request_record.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace quire {

RequestRecord::RequestRecord(std::uint64_t serial, AcceptedRequest accepted)
    : serial_(serial),
      accepted_(std::move(accepted)),
      choices_(accepted_.requests.size() * accepted_.choices_each),
      open_(choices_.size()) {}

RequestRecord::Choice& RequestRecord::choice(std::size_t prompt, std::int32_t branch) {
  return choices_[choice_index(prompt, branch)];
}

std::uint32_t RequestRecord::index_of(const Choice& choice) const {
  return static_cast<std::uint32_t>(&choice - choices_.data());
}

RequestEvent* RequestRecord::add(const Choice& choice, RequestEventKind kind, Nanos at) {
  if (events_.size() >= kEventsMax) {
    ++events_dropped_;
    return nullptr;
  }
  RequestEvent& event = events_.emplace_back();
  event.kind = kind;
  event.choice = index_of(choice);
  event.at = std::max(Nanos{0}, at - accepted_.at);
  return &event;
}

void RequestRecord::preempt(std::size_t prompt, std::int32_t branch, Nanos at) {
  if (is_finished()) return;
  Choice& it = choice(prompt, branch);
  if (it.has_ended) return;
  ++preemptions_;
  it.was_preempted = true;
  it.run = kNone;
  add(it, RequestEventKind::kPreempted, at);
}

void RequestRecord::take(std::size_t prompt, const RowFact& row, const StepFrame& frame) {
  if (is_finished()) return;
  Choice& it = choice(prompt, row.of.branch);
  if (it.has_ended) return;
  const std::uint32_t known = row.is_admission ? 0 : it.end;
  const std::uint32_t gained = row.first_position > known ? row.first_position - known : 0;
  // As usage counts: of the first pass, and of the branch that computes the prompt for the others.
  if (row.of.branch == 0 && !it.was_preempted) cached_ += gained;
  if (row.is_admission) admit(it, row, frame);
  it.end = row.first_position + row.tokens;
  generated_ += row.generated;
  if (row.is_decode) {
    extend_run(it, row, frame);
  } else {
    add_prefill(it, row, frame, row.is_admission ? 0 : gained);
  }
}

void RequestRecord::admit(Choice& choice, const RowFact& row, const StepFrame& frame) {
  choice.run = kNone;
  const auto kind =
      choice.has_begun ? RequestEventKind::kResumed : RequestEventKind::kAdmitted;
  if (!std::exchange(choice.has_begun, true)) {
    if (RequestEvent* queued = add(choice, RequestEventKind::kQueued, accepted_.at)) {
      queued->time = std::max(Nanos{0}, frame.begin - accepted_.at);
    }
  }
  has_begun_ = true;
  RequestEvent* event = add(choice, kind, frame.begin);
  if (event == nullptr) return;
  event->first_step = event->last_step = frame.step;
  event->cached = row.first_position;
  event->is_fork = row.is_fork;
}

void RequestRecord::add_prefill(Choice& choice, const RowFact& row, const StepFrame& frame,
                                std::uint32_t gained) {
  choice.run = kNone;
  RequestEvent* event = add(choice, RequestEventKind::kPrefill, frame.begin);
  if (event == nullptr) return;
  event->time = frame.end - frame.begin;
  event->first_step = event->last_step = frame.step;
  event->steps = 1;
  event->tokens = row.tokens;
  event->generated = row.generated;
  event->cached = gained;
  show_sharers(frame.company, *event);
}

void RequestRecord::extend_run(Choice& choice, const RowFact& row, const StepFrame& frame) {
  const bool is_new = choice.run == kNone;
  if (is_new) {
    RequestEvent* event = add(choice, RequestEventKind::kDecode, frame.begin);
    if (event == nullptr) return;
    event->first_step = frame.step;
    choice.run = events_.size() - 1;
    choice.sharers.clear();
  }
  RequestEvent& event = events_[choice.run];
  event.time = frame.end - accepted_.at - event.at;
  event.last_step = frame.step;
  ++event.steps;
  event.tokens += row.tokens;
  event.generated += row.generated;
  if (!is_new && !frame.is_new_company) return;
  std::vector<std::uint64_t> met;
  std::set_union(choice.sharers.begin(), choice.sharers.end(), frame.company.begin(),
                 frame.company.end(), std::back_inserter(met));
  if (met.size() > kSharersMax) met.resize(kSharersMax);
  choice.sharers = std::move(met);
  show_sharers(choice.sharers, event);
}

void RequestRecord::show_sharers(std::span<const std::uint64_t> company,
                                 RequestEvent& event) const {
  event.sharers = 0;
  for (const std::uint64_t serial : company) {
    if (serial == serial_) continue;
    if (event.sharers < RequestEvent::kSharersShown) event.sharers_shown[event.sharers] = serial;
    ++event.sharers;
  }
}

std::optional<TokenTime> RequestRecord::take(std::size_t prompt, const TokenEvent& event,
                                             Nanos at) {
  if (is_finished()) return std::nullopt;
  Choice& it = choice(prompt, event.branch);
  if (it.has_ended) return std::nullopt;
  std::optional<TokenTime> time;
  if (!event.accepted.empty()) {
    const bool is_first = it.last_token_at == Nanos{0};
    time = {is_first, at - (is_first ? accepted_.at : it.last_token_at)};
    it.last_token_at = at;
    if (is_first) add(it, RequestEventKind::kFirstToken, at);
    if (first_token_after_ == Nanos{0}) first_token_after_ = at - accepted_.at;
  }
  if (event.finish != FinishReason::kNone) end(it, event.finish, at);
  return time;
}

void RequestRecord::end(Choice& choice, FinishReason reason, Nanos at) {
  if (!choice.has_begun) {
    if (RequestEvent* queued = add(choice, RequestEventKind::kQueued, accepted_.at)) {
      queued->time = std::max(Nanos{0}, at - accepted_.at);
    }
  }
  const auto kind = reason == FinishReason::kCancelled ? RequestEventKind::kCancelled
                                                       : RequestEventKind::kFinished;
  if (RequestEvent* event = add(choice, kind, at)) event->reason = reason;
  choice.has_ended = true;
  finish_ = reason;
  if (--open_ > 0) return;
  total_ = at - accepted_.at;
  choices_ = {};
  events_.shrink_to_fit();
}

std::uint64_t RequestRecord::prompt_tokens() const {
  return std::accumulate(accepted_.prompt_tokens.begin(), accepted_.prompt_tokens.end(),
                         std::uint64_t{0});
}

std::vector<RequestEvent> RequestRecord::events(Nanos now) const {
  std::vector<RequestEvent> events = events_;
  for (const Choice& choice : choices_) {
    if (choice.has_begun || choice.has_ended) continue;
    RequestEvent& queued = events.emplace_back();
    queued.choice = index_of(choice);
    queued.time = std::max(Nanos{0}, now - accepted_.at);
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const RequestEvent& a, const RequestEvent& b) { return a.at < b.at; });
  return events;
}

}  // namespace quire
