#include "serve/service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "base/clock.h"
#include "host/leased_turn.h"
#include "serve/failure.h"
#include "serve/reply_head.h"
#include "serve/status/accepted_call.h"
#include "serve/ways/engine_entry.h"
#include "serve/ways/held_call.h"
#include "serve/ways/safe_parse.h"

namespace quire {
namespace {

constexpr Nanos kStall = std::chrono::seconds(30);  // without a step while work is pending
constexpr std::size_t kWidenMax = 16;               // choices with a buffer of their own
constexpr int kLoadRetrySeconds = 5;                // a load takes seconds

}  // namespace

// What a compiling thread may know of this: it lives as long as its model, which may be longer.
struct Service::Gate {
  std::mutex mutex;
  Service* service = nullptr;  // null: it is gone
};

struct Service::ActiveCall {
  std::shared_ptr<http::Exchange> exchange;
  const Dialect* dialect = nullptr;
  Call call;
  std::string tenant;
  std::vector<RequestId> ids;         // [requests]
  std::size_t open = 0;               // requests that have not ended
  std::size_t submitted = 0;          // requests that the engine has had
  Nanos arrived{0}, wrote{0};         // wrote: last, to a stream
  Nanos submitted_at{0}, begun{0}, first_token_at{0};  // of any of its requests: first row, token
  std::size_t choices_open = 0;       // that an engine has, and that have not ended
  std::uint64_t generated = 0;        // tokens of all choices
  std::vector<Nanos> last_token_at;   // [choices]; zero: none yet
  std::string out;                    // of a stream: written since the last flush
  bool is_over = false;
  bool has_failed = false;            // by what an event told
  bool is_closing = false;            // complete but for what the writer does before its end
};

Service::Service(ModelHost& host, Metrics& metrics, Chronicle& chronicle, std::size_t waiting_max,
                 Post to_io, Post to_workers)
    : host_(&host),
      metrics_(&metrics),
      chronicle_(&chronicle),
      to_io_(std::move(to_io)),
      to_workers_(std::move(to_workers)),
      waiting_(waiting_max),
      gate_(std::make_shared<Gate>()) {
  gate_->service = this;
  host_->listen({.step = [this](auto, StepEvents step) { receive(std::move(step)); },
                 .arrival = [this](auto model, Result<ModelLease> outcome) {
                   to_io_([this, model, outcome] { admit(model, outcome); });
                 }});
}

Service::~Service() {
  host_->listen({});
  const std::lock_guard lock(gate_->mutex);
  gate_->service = nullptr;
}

void Service::answer(std::shared_ptr<http::Exchange> exchange, const Dialect& dialect,
                     Parse parse, const DialectContext& context) {
  Arrival arrival{std::move(exchange), &dialect, parse, context, SteadyClock::now()};
  arrival.context.arrived = arrival.at;
  this->parse(std::move(arrival));
}

void Service::parse(Arrival arrival) {
  ++parsing_;
  // The exchange goes back to the I/O thread with the result: it must not end on a worker.
  to_workers_([this, arrival = std::move(arrival)]() mutable {
    auto parsed = std::make_shared<Parsed<Call>>(
        parse_safely(arrival.parse, arrival.context, arrival.exchange->request()));
    to_io_([this, arrival = std::move(arrival), parsed]() mutable {
      begin(std::move(arrival), std::move(*parsed));
    });
  });
}

void Service::begin(Arrival arrival, Parsed<Call> parsed) {
  --parsing_;
  const bool is_gone = arrival.exchange->is_gone();
  if (is_gone && !(parsed.is_ok() && parsed->apart)) return note_left(*arrival.exchange);
  if (!parsed.is_ok()) {
    const ApiError& why = parsed.error();
    arrival.awaits_end = why.code == kAwaitsEnd;
    return why.awaited_model.empty() ? refuse(arrival, why)
                                     : await_model(std::move(arrival), why.awaited_model);
  }
  if (parsed->grammar && !constrain(arrival, parsed)) return;
  metrics_->count_unknown_fields(parsed->unknown_fields);
  if (parsed->frame) hold(*parsed, nullptr);  // without a grammar
  if (parsed->follow && !is_gone) {
    parsed->follow(arrival.exchange);
  } else if (parsed->ready && !is_gone) {
    respond(arrival, std::move(*parsed->ready));
  }
  if (parsed->apart) {
    arrival.exchange = std::move(parsed->apart);
  } else if (parsed->ready) {
    return;
  }
  if (arrival.exchange->is_gone()) return;  // cancelled already
  auto call = std::make_shared<ActiveCall>();
  call->exchange = std::move(arrival.exchange);
  call->dialect = arrival.dialect;
  call->call = std::move(*parsed);
  call->tenant = std::move(arrival.context.tenant.name);
  call->arrived = arrival.at;
  for (const VolatileLine& line : call->call.volatile_lines) {
    metrics_->count_volatile_line(line.is_removed);
  }
  submit(call);
}

void Service::respond(const Arrival& arrival, http::Response response) {
  metrics_->count_answer(response.status);
  complete_head(*arrival.dialect, *arrival.exchange, arrival.at, response);
  arrival.exchange->respond(std::move(response));
}

void Service::refuse(const Arrival& arrival, const ApiError& error) {
  if (arrival.exchange->request().method == "POST") metrics_->count_refused(error.status);
  respond(arrival, arrival.dialect->render_error(error, arrival.exchange->request()));
}

// What its grammar was for was a wish; the answer says that nothing came of it.
void Service::leave_free(Call& call, const Status& reason) {
  metrics_->count_tools_not_enforced();
  if (call.writer == nullptr) return;
  call.writer->warn({kToolsNotEnforced, call.grammar->field, reason.message()});
}

// Gives the requests of a call their constraint. False: there is none yet, or never; then the
// arrival waits for it or has been refused.
bool Service::constrain(Arrival& arrival, Parsed<Call>& parsed) {
  const std::shared_ptr<Grammars>& grammars = parsed->model->grammars;
  if (grammars == nullptr && parsed->grammar->is_wish) {
    leave_free(*parsed, Status(StatusCode::kUnsupported, "This model's answers cannot be "
                                                         "constrained."));
    parsed->grammar.reset();
    return true;
  }
  if (grammars == nullptr) {
    refuse(arrival, *parsed, unsupported_parameter(parsed->grammar->field,
                                                   "This model's answers cannot be constrained."));
    return false;
  }
  if (const auto found = grammars->find(parsed->grammar->source)) {
    if (!found->is_ok() && !parsed->grammar->is_wish) {
      refuse(arrival, *parsed, refuse_grammar(parsed->grammar->field, found->status()));
      return false;
    }
    found->is_ok() ? hold(*parsed, **found) : leave_free(*parsed, found->status());
    parsed->grammar.reset();
    return true;
  }
  const std::uint64_t ticket = ++tickets_;
  const GrammarSource source = parsed->grammar->source;
  constrained_.emplace(ticket, Constrained{std::move(arrival), std::move(parsed)});
  const Status status =
      grammars->want(source, [gate = gate_, ticket](const Grammars::Outcome& outcome) {
        const std::lock_guard lock(gate->mutex);
        if (gate->service == nullptr) return;
        gate->service->to_io_([service = gate->service, ticket, outcome] {
          service->admit_constrained(ticket, outcome);
        });
      });
  if (!status.is_ok()) {
    Constrained& refused = constrained_.at(ticket);
    refuse(refused.arrival, *refused.parsed, from_engine(status, ""));
    constrained_.erase(ticket);
  }
  return false;
}

void Service::admit_constrained(std::uint64_t ticket, const Grammars::Outcome& outcome) {
  const auto found = constrained_.find(ticket);
  QUIRE_CHECK(found != constrained_.end(), "a grammar came for request {}, which nobody knows",
              ticket);
  Constrained waiting = std::move(found->second);
  constrained_.erase(found);
  if (!outcome.is_ok() && !waiting.parsed->grammar->is_wish) {
    return refuse(waiting.arrival, *waiting.parsed,
                  refuse_grammar(waiting.parsed->grammar->field, outcome.status()));
  }
  outcome.is_ok() ? hold(*waiting.parsed, *outcome)
                  : leave_free(*waiting.parsed, outcome.status());
  waiting.parsed->grammar.reset();
  ++parsing_;
  begin(std::move(waiting.arrival), std::move(waiting.parsed));
}

// Whoever looks for the answer elsewhere finds the same there.
void Service::refuse(const Arrival& arrival, Call& call, const ApiError& error) {
  end_turn(call.model, TurnEnd::kRefused);
  if (call.apart) {
    call.apart->respond(arrival.dialect->render_error(error, arrival.exchange->request()));
  }
  if (arrival.exchange->is_gone()) return note_left(*arrival.exchange);
  refuse(arrival, error);
}

void Service::await_model(Arrival arrival, const std::string& name) {
  const auto model = host_->find(name);
  const bool is_over = arrival.awaits_end && !(model && is_loading(*host_, *model));
  if (is_over) return parse(std::move(arrival));
  if (!model) return refuse(arrival, model_not_found(name));  // it has been removed meanwhile
  Result<ModelLease> wish = host_->want(*model);
  const bool has_failed = arrival.awaits_end && wish.status().code() == StatusCode::kInternal;
  if (has_failed || wish.status().code() == StatusCode::kNotFound) return parse(std::move(arrival));
  if (!wish.is_ok()) {
    const int retry_s = whole_seconds(host_->retry_in(*model));
    return refuse(arrival, model_unavailable(wish.status(), retry_s));
  }
  if (*wish != nullptr) {  // it has come meanwhile
    arrival.context.models.waited_for = std::move(*wish);
    return parse(std::move(arrival));
  }
  if (waiting_.add(*model, arrival)) return;
  const Status full(StatusCode::kUnavailable, fmt::format(
      "The model '{}' is being loaded, and too many requests wait for it already", name));
  refuse(arrival, model_unavailable(full, kLoadRetrySeconds));
}

void Service::admit(ModelHost::ModelIndex model, Result<ModelLease> outcome) {
  for (Arrival& arrival : waiting_.take(model)) {
    if (arrival.exchange->is_gone()) {
      note_left(*arrival.exchange);
    } else if (outcome.is_ok()) {
      arrival.context.models.waited_for = *outcome;
      parse(std::move(arrival));
    } else if (outcome.status().code() == StatusCode::kNotFound || arrival.awaits_end) {
      parse(std::move(arrival));  // it was removed: its name is nobody's, or another's
    } else {
      const int retry_s = whole_seconds(host_->retry_in(model));
      refuse(arrival, model_unavailable(outcome.status(), retry_s));
    }
  }
}

void Service::submit(const std::shared_ptr<ActiveCall>& call) {
  ++active_;
  call->submitted_at = SteadyClock::now();
  std::size_t choices = 0;
  for (Request& request : call->call.requests) {
    request.id = RequestId{++requests_};
    choices += static_cast<std::size_t>(request.n);
    places_[request.id] = {call, call->ids.size()};
    call->ids.push_back(request.id);
  }
  // The engine gets the prompts.
  AcceptedRequest accepted = accepted_call(call->call, call->exchange->request(), call->arrived);
  remember_prompt(*call, accepted);
  call->open = call->ids.size();
  call->last_token_at.resize(choices);
  call->exchange->widen(std::clamp<std::size_t>(choices, 1, kWidenMax));
  const Status full(StatusCode::kResourceExhausted, "Requests are answered, as many as may be");
  if (calls_max_ > 0 && active_ > calls_max_) return void(refuse_by_engine(call, full));
  end_turn(call->call.model, TurnEnd::kKept);
  if (!submit_together(call) || !submit_more(call)) return;
  metrics_->count_call();
  // Weak: the call owns the exchange, which owns this.
  call->exchange->on_gone([this, weak = std::weak_ptr<ActiveCall>(call)] {
    if (const auto left = weak.lock()) abandon(left);
  });
  if (call->open == 0) return flush(call);
  accepted.requests = call->ids;
  chronicle_->arrive(std::move(accepted));
  if (chronicle_->models() > host_->size()) forget_removed();
}

// Models come and go: what is kept of them is of those that are served.
void Service::forget_removed() {
  std::set<std::string> names;
  for (const ModelRow& model : host_->rows()) names.insert(model.names.front());
  chronicle_->keep_only(names);
  metrics_->keep_only(names);
}

// Requests of a call come into the engine together or not at all; where not all may be there at
// once, the first of them do so, if batches wait to be filled. False: the call has failed.
bool Service::submit_together(const std::shared_ptr<ActiveCall>& call) {
  std::span<Request> requests(call->call.requests);
  const HostedModel* model = call->call.model.get();
  const std::size_t in_flight_max = call->call.in_flight_max;
  if (requests.size() < 2 || (in_flight_max > 0 && !model->engine->batching().acts())) return true;
  if (in_flight_max > 0) requests = requests.first(std::min(in_flight_max, requests.size()));
  const auto entered = enter_together(*model, requests);
  if (!entered.is_ok()) return refuse_by_engine(call, entered.status());
  for (const EnteredRequest& one : *entered) note_entered(*call, one);
  return true;
}

// As many as may be in the engine at once. A queue that others have filled is waited for while a
// request of ours runs, whose end brings us here again. False: the call has failed.
bool Service::submit_more(const std::shared_ptr<ActiveCall>& call) {
  std::vector<Request>& requests = call->call.requests;
  const std::size_t most = call->call.in_flight_max;
  const std::size_t bound = most > 0 ? most : requests.size();
  const auto in_flight = [&] { return call->submitted + call->open - requests.size(); };
  while (call->submitted < requests.size() && in_flight() < bound) {
    Request& next = requests[call->submitted];
    const bool may_wait = most > 0 && in_flight() > 0;
    Request request = may_wait ? Request(next) : std::move(next);
    const auto entered = enter(*call->call.model, std::move(request), may_wait);
    if (may_wait && entered.status().code() == StatusCode::kResourceExhausted) return true;
    if (!entered.is_ok()) return refuse_by_engine(call, entered.status());
    note_entered(*call, *entered);
  }
  return true;
}

bool Service::refuse_by_engine(const std::shared_ptr<ActiveCall>& call, const Status& status) {
  const ApiError error = from_engine(status, call->call.prompt_field);
  metrics_->count_refused(error.status);
  fail(call, error);
  return false;
}

void Service::note_entered(ActiveCall& call, const EnteredRequest& entered) {
  metrics_->count_accepted(call.call.model->name(), entered.choices, entered.tokens_max);
  call.choices_open += static_cast<std::size_t>(entered.choices);
  ++call.submitted;
}

// Several prompts of one request are a batch, and no conversation goes on from one.
void Service::remember_prompt(const ActiveCall& call, AcceptedRequest& accepted) {
  PromptOrigin& origin = accepted.origin;
  origin.tenant = call.tenant;
  origin.volatile_lines = call.call.volatile_lines;
  if (call.call.requests.size() != 1 || call.call.requests.front().is_pooled) return;
  const Request& request = call.call.requests.front();
  const HostedModel& model = *call.call.model;
  std::string client = fmt::format("{}\n{}\n{}", model.name(), call.tenant, request.cache_salt);
  origin.difference = prompts_.compare(client, request.prompt);
  if (origin.difference) {
    const auto words = [&](const std::vector<TokenId>& tokens) {
      std::string text;
      for (const TokenId token : tokens) text += model.tokenizer->token_text(token);
      return text;
    };
    origin.had = words(origin.difference->had);
    origin.has = words(origin.difference->has);
  }
  prompts_.keep(std::move(client), accepted.id, request.prompt);
}

void Service::receive(StepEvents step) {
  const std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
  if (steps_.size() == 1) to_io_([this] { take_steps(); });
}

void Service::take_steps() {
  std::vector<StepEvents> steps;
  {
    const std::lock_guard lock(mutex_);
    steps.swap(steps_);
  }
  std::vector<std::shared_ptr<ActiveCall>> touched;
  for (const StepEvents& step : steps) {
    chronicle_->take(step);
    const std::string model = note_begun(step);
    if (!step.rows.empty()) metrics_->observe_step(model, step);
    for (const TokenEvent& event : step.events) {
      const auto place = places_.find(event.request);
      if (place == places_.end()) continue;  // cancelled meanwhile
      const Place here = place->second;
      if (event.is_last) places_.erase(place);
      take(here.call, here.index, event);
      if (touched.empty() || touched.back() != here.call) touched.push_back(here.call);
    }
  }
  for (const auto& call : touched) flush(call);
}

std::string Service::note_begun(const StepEvents& step) {
  std::string model;
  for (const RowFact& row : step.rows) {
    const auto place = places_.find(row.of.request);
    if (place == places_.end()) continue;
    ActiveCall& call = *place->second.call;
    if (model.empty()) model = call.call.model->name();
    if (row.is_admission && call.begun == Nanos{0}) call.begun = step.at - step.elapsed;
  }
  return model;
}

void Service::take(const std::shared_ptr<ActiveCall>& call, std::size_t index,
                   const TokenEvent& event) {
  if (call->is_over) return;
  if (event.finish != FinishReason::kNone) {
    metrics_->count_finish(call->call.model->name(), event.finish, event.usage);
    call->choices_open -= std::min<std::size_t>(call->choices_open, 1);
  }
  call->has_failed |= is_failure(event.finish);
  if (call->has_failed) return fail(call, failure_of(event));
  time_tokens(*call, index, event);
  metrics_->count_generated(call->tenant, event.accepted.size());
  call->generated += event.accepted.size();
  if (event.is_last) {
    metrics_->count_prompt(call->tenant, event.usage.prompt_tokens, event.usage.cached_tokens);
  }
  call->call.writer->take(index, event, call->out);
  if (!event.is_last) return;
  --call->open;
  submit_more(call);
}

void Service::time_tokens(ActiveCall& call, std::size_t index, const TokenEvent& event) {
  if (event.accepted.empty()) return;
  const std::size_t choices = call.last_token_at.size() / call.ids.size();
  const Nanos now = SteadyClock::now();
  const std::string& model = call.call.model->name();
  Nanos& last = call.last_token_at[index * choices + static_cast<std::size_t>(event.branch)];
  if (last != Nanos{0}) {
    metrics_->observe_next_token(model, to_seconds(now - last));
  } else {
    metrics_->observe_first_token(model, to_seconds(now - call.arrived));
    if (call.first_token_at == Nanos{0}) call.first_token_at = now;
  }
  last = now;
}

CallTimes Service::times_of(const ActiveCall& call) {
  return {.arrived = call.arrived, .submitted = call.submitted_at, .begun = call.begun,
          .first_token = call.first_token_at, .now = SteadyClock::now()};
}

// What was written goes out; an answer that is complete ends.
void Service::flush(const std::shared_ptr<ActiveCall>& call) {
  if (call->is_over || call->is_closing) return;
  const bool is_complete = call->open == 0;
  if (is_complete) {
    call->is_closing = true;
    if (auto work = call->call.writer->closing()) return close(call, std::move(work));
  }
  write(call, is_complete);
}

// The worker gives the call back: it must end on the I/O thread.
void Service::close(std::shared_ptr<ActiveCall> call, std::function<void()> work) {
  if (call->call.is_stream && !call->out.empty()) write(call, false);
  ++parsing_;  // also when the client is gone: nobody drains before the work is done
  to_workers_([this, call = std::move(call), work = std::move(work)]() mutable {
    work();
    to_io_([this, call = std::move(call)] {
      --parsing_;
      if (!call->is_over) write(call, true);
    });
  });
}

void Service::write(const std::shared_ptr<ActiveCall>& call, bool is_complete) {
  if (is_complete) call->call.writer->finish(call->out);
  http::Exchange& exchange = *call->exchange;
  if (call->call.is_stream) {
    if (call->out.empty()) return;
    if (!exchange.is_started()) {
      metrics_->count_answer(200);
      http::Response head{.content_type = std::string(call->call.stream_type),
                          .headers = {{"cache-control", "no-cache"}}};
      complete_head(*call->dialect, exchange, call->arrived, head);
      call->call.writer->complete_head(times_of(*call), head);
      exchange.start(std::move(head));
    }
    call->wrote = SteadyClock::now();
    const bool is_taken = exchange.write(std::exchange(call->out, {}));
    if (!is_taken) return abandon(call);
    if (is_complete) exchange.finish();
  } else if (is_complete) {
    metrics_->count_answer(200);
    http::Response whole{.body = std::move(call->out)};
    complete_head(*call->dialect, exchange, call->arrived, whole);
    call->call.writer->complete_head(times_of(*call), whole);
    exchange.respond(std::move(whole));
  }
  if (is_complete) {
    if (call->call.model != nullptr) {
      metrics_->observe_request(call->call.model->name(), times_of(*call), call->generated);
    }
    forget(*call);
  }
}

void Service::fail(const std::shared_ptr<ActiveCall>& call, const ApiError& error) {
  http::Exchange& exchange = *call->exchange;
  if (!exchange.is_started()) {
    metrics_->count_answer(error.status);
    http::Response refusal = call->dialect->render_error(error, exchange.request());
    complete_head(*call->dialect, exchange, call->arrived, refusal);
    exchange.respond(std::move(refusal));
  } else {
    call->call.writer->fail(error, call->out);
    if (exchange.write(call->out)) exchange.finish();
  }
  if (error.status >= 500) spdlog::warn("a request failed: {}", error.message);
  forget(*call);
}

// The status by which logs tell of a client that did not wait for its answer; nobody reads it.
void Service::note_left(const http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  metrics_->count_left();
  spdlog::debug("{} {} {} 499", request.method, dump(Json(request.path)), request.id);
}

void Service::abandon(const std::shared_ptr<ActiveCall>& call) {
  if (call->is_over) return;
  note_left(*call->exchange);
  forget(*call);
}

void Service::forget(ActiveCall& call) {
  if (std::exchange(call.is_over, true)) return;
  --active_;
  const bool is_bad = call.has_failed || call.choices_open > 0;
  if (is_bad) metrics_->observe_failure(call.call.model->name(), times_of(call), call.choices_open);
  for (const RequestId id : call.ids) {
    if (places_.erase(id) > 0) call.call.model->engine->cancel(id);
  }
  // No engine will tell the end of those that it has not seen.
  StepEvents unseen;
  unseen.at = SteadyClock::now();
  for (std::size_t i = call.submitted; i < call.ids.size(); ++i) {
    TokenEvent& end = unseen.events.emplace_back();
    end.request = call.ids[i];
    end.finish = FinishReason::kCancelled;
    end.is_last = true;
  }
  if (!unseen.events.empty()) chronicle_->take(unseen);
}

void Service::abort_all(const ApiError& reason) {
  std::vector<std::shared_ptr<ActiveCall>> calls;
  for (const auto& [id, place] : places_) calls.push_back(place.call);
  for (const auto& call : calls) {
    if (!call->is_over) fail(call, reason);
  }
}

void Service::ping_silent(Nanos silence) {
  const Nanos now = SteadyClock::now();
  std::vector<std::shared_ptr<ActiveCall>> silent;
  for (const auto& [id, place] : places_) {
    ActiveCall& call = *place.call;
    const bool has_time = call.is_over || call.is_closing || !call.call.is_stream ||
                          now - std::max(call.arrived, call.wrote) < silence;
    if (has_time) continue;
    call.wrote = now;  // one of several requests is enough
    silent.push_back(place.call);
  }
  for (const auto& call : silent) {
    call->call.writer->ping(call->out);
    write(call, false);
  }
}

void Service::drain() {
  is_draining_ = true;
  host_->drain();
  const Status reason(StatusCode::kUnavailable, "The server is draining: it loads no model");
  for (const Arrival& arrival : waiting_.take_all()) {
    if (!arrival.exchange->is_gone()) {
      refuse(arrival, model_unavailable(reason, kLoadRetrySeconds));
    }
  }
}

bool Service::is_alive(Nanos now) const {
  return !host_->is_stalled(now, kStall);
}

}  // namespace quire
