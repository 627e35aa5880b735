#include "serve/status/status_feed.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/clock.h"
#include "serve/dialects/openai/errors.h"

namespace quire {
namespace {

constexpr std::chrono::milliseconds kPeriod{1000};   // of a stream
constexpr std::chrono::milliseconds kPatience{250};  // with an engine in a long step
constexpr std::chrono::milliseconds kPause{500};     // between questions
constexpr int kRetrySeconds = 5;

http::Response refusal(const char* why) {
  return render_openai_error({.status = 503, .message = why, .type = "service_unavailable_error",
                              .code = "too_many_watchers", .retry_after_s = kRetrySeconds});
}

// A model that comes or goes between the two looks is shown with the next.
std::vector<ModelFigures> facts_of(const ModelHost& host) {
  std::vector<ModelFigures> models;
  std::map<ModelHost::ModelIndex, std::size_t> places;
  for (ModelRow& row : host.rows()) {
    places.emplace(row.index, models.size());
    models.push_back({.names = std::move(row.names),
                      .state = model_state_name(row.state),
                      .isa = std::move(row.info.isa),
                      .context_max = row.info.context_max,
                      .stats = row.stats});
  }
  host.visit([&](ModelHost::ModelIndex index, const HostedModel& model) {
    const auto place = places.find(index);
    if (place == places.end()) return;
    const Engine& engine = *model.engine;
    ModelFigures& figures = models[place->second];
    figures.is_loaded = true;
    figures.rows_max = engine.limits().rows_max;
    figures.tokens_max = engine.limits().tokens_max;
    figures.instances = engine.instances();
    figures.groups = engine.capacity().groups;
    for (KvGroup& group : figures.groups) {  // of all instances, each of which has its padding
      group.blocks = (group.blocks - 1) * static_cast<std::uint32_t>(engine.instances()) + 1;
    }
  });
  return models;
}

}  // namespace

StatusFeed::StatusFeed(std::string version, const ModelHost& host, Chronicle& chronicle,
                       Metrics& metrics, After after)
    : server_{.version = std::move(version), .begun = SteadyClock::now()},
      host_(&host),
      chronicle_(&chronicle),
      metrics_(&metrics),
      after_(std::move(after)) {
  chronicle_->on_answer([this] { end_round_if_answered(); });
}

void StatusFeed::show(std::shared_ptr<http::Exchange> exchange) {
  if (waiting_.size() >= kWaitingMax) {
    metrics_->count_answer(503);
    return exchange->respond(refusal("Too many ask for the status at once."));
  }
  waiting_.push_back(std::move(exchange));
  begin_round();
}

void StatusFeed::watch(std::shared_ptr<http::Exchange> exchange) {
  if (server_.is_draining || watchers_.size() >= kWatchersMax) {
    metrics_->count_answer(503);
    return exchange->respond(refusal(server_.is_draining ? "The server is draining."
                                                         : "Too many watch the status."));
  }
  metrics_->count_answer(200);
  constexpr const char* kType = "text/event-stream; charset=utf-8";
  if (exchange->request().method == "HEAD") return exchange->respond({.content_type = kType});
  exchange->start({.content_type = kType, .headers = {{"cache-control", "no-cache"}}});
  // The raw pointer only names it: the exchange owns this.
  exchange->on_gone([this, name = exchange.get()] { forget(name); });
  watchers_.push_back(std::move(exchange));
  begin_round();
  if (std::exchange(is_ticking_, true)) return;
  after_(kPeriod, [this] { tick(); });
}

void StatusFeed::forget(const http::Exchange* exchange) {
  std::erase_if(watchers_, [&](const auto& watcher) { return watcher.get() == exchange; });
}

void StatusFeed::tick() {
  is_ticking_ = !watchers_.empty();
  if (!is_ticking_) return;
  begin_round();
  after_(kPeriod, [this] { tick(); });
}

void StatusFeed::begin_round() {
  if (is_asking_) return;
  const Nanos now = SteadyClock::now();
  is_asking_ = true;
  if (asked_at_ == Nanos{0} || now - asked_at_ >= kPause) {
    asked_at_ = now;
    asked_.clear();
    host_->visit([this](ModelHost::ModelIndex, const HostedModel& model) {
      model.engine->inspect(chronicle_->ask(model.name()));
      asked_.push_back(model.name());
    });
  }
  ++rounds_;
  end_round_if_answered();
  if (!is_asking_) return;  // within the pause: what is known is shown again
  after_(kPatience, [this, round = rounds_] {
    if (is_asking_ && round == rounds_) end_round();
  });
}

void StatusFeed::end_round_if_answered() {
  if (!is_asking_) return;
  const bool is_answered = std::all_of(asked_.begin(), asked_.end(), [&](const std::string& name) {
    const ModelRecord* record = chronicle_->model(name);
    return record != nullptr && record->answered == record->asked;
  });
  if (is_answered) end_round();
}

void StatusFeed::end_round() {
  is_asking_ = false;
  const std::string body =
      dump(snapshot_json(server_, facts_of(*host_), *chronicle_, SteadyClock::now()));
  for (const auto& exchange : std::exchange(waiting_, {})) {
    if (exchange->is_gone()) continue;
    metrics_->count_answer(200);
    exchange->respond({.headers = {{"cache-control", "no-store"}}, .body = body});
  }
  const std::string event = "data: " + body + "\n\n";
  const auto watchers = watchers_;  // one that is too slow forgets itself
  for (const auto& exchange : watchers) {
    if (!exchange->write(event)) forget(exchange.get());
  }
}

void StatusFeed::drain() {
  server_.is_draining = true;
  for (const auto& exchange : std::exchange(watchers_, {})) exchange->finish();
}

}  // namespace quire
