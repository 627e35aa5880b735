#include "host/repository/traffic.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <limits>
#include <utility>

#include "base/check.h"
#include "core/events.h"

namespace quire {
namespace {

// Of all of them: an engine may still answer a mirror of a Traffic that has ended.
std::atomic<std::uint64_t> next_mirror_id{Traffic::kFirstId};

bool is_mirror(RequestId id) {
  return id.value >= Traffic::kFirstId && id.value < Traffic::kFirstId << 1;
}

bool is_failure(FinishReason reason) {
  return reason == FinishReason::kNonFinite || reason == FinishReason::kFault ||
         reason == FinishReason::kDeadline;
}

// There are tokens or a vector of its answer; of a prompt's scores alone there are none.
bool is_comparable(const Request& request) {
  return request.is_pooled || request.params.tokens_max > 0;
}

// Without what nobody reads; raw logits stay, since whoever asks for them may fill the context.
Request mirror_of(const Request& request, std::uint64_t id) {
  Request copy = request;
  copy.id = RequestId{id};
  copy.priority = std::numeric_limits<int>::max();  // behind all others of its tenant
  copy.params.logprobs = copy.params.prompt_logprobs = -1;
  copy.params.logprob_ids.clear();
  return copy;
}

}  // namespace

void Traffic::Leavings::clear() {
  for (const auto& [lease, mirror] : useless) lease->engine->cancel(mirror);
  useless.clear();
  leases.clear();
}

Traffic::Traffic(std::string name, TrafficPlan plan,
                 std::map<std::uint64_t, ModelHost::ModelIndex> models, ModelHost& host,
                 CanaryMemory memory)
    : name_(std::move(name)),
      plan_(std::move(plan)),
      models_(std::move(models)),
      host_(&host),
      keep_(std::move(memory.keep)) {
  if (!plan_.canary) return;
  memory.mark ? canary_.emplace(*plan_.canary, *memory.mark) : canary_.emplace(*plan_.canary);
  kept_ = canary_->mark();
}

std::uint64_t Traffic::main() const {
  const std::lock_guard lock(mutex_);
  const bool is_promoted = canary_ && canary_->state() == Canary::State::kPromoted;
  return is_promoted ? canary_->plan().version : plan_.stable;
}

// Told to the host only where something has changed, in the order of the changes, and never under
// the lock of the books.
void Traffic::apply() {
  const std::lock_guard order(apply_mutex_);
  std::vector<ModelHost::Share> shares;
  std::string news;
  std::uint64_t promoted = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_) return;
    const std::uint32_t percent = canary_ ? canary_->percent() : 100;
    if (percent == shown_percent_ && (!canary_ || canary_->state() == shown_state_)) return;
    shown_percent_ = percent;
    const Canary::Mark mark = canary_ ? canary_->mark() : Canary::Mark();
    if (keep_ && canary_ && mark != kept_) keep_(mark);
    kept_ = mark;
    if (canary_) {
      shown_state_ = canary_->state();
      if (canary_->state() != Canary::State::kRunning) {
        const bool is_good = canary_->state() == Canary::State::kPromoted;
        const char* end = is_good ? "promoted" : "rolled back";
        news = fmt::format("the canary of '{}', version {}, is {}: {}", name_,
                           plan_.canary->version, end, canary_->reason());
        if (is_good) promoted = plan_.canary->version;
      } else if (percent > 0) {
        shares = {{models_.at(plan_.stable), 100 - percent},
                  {models_.at(plan_.canary->version), percent}};
      }
    } else {
      for (const auto& [version, weight] : plan_.split) {
        shares.push_back({models_.at(version), weight});
      }
    }
  }
  if (!news.empty()) spdlog::log(promoted > 0 ? spdlog::level::info : spdlog::level::warn, news);
  if (promoted > 0) {
    const Status moved = host_->move_names({name_}, models_.at(promoted));
    if (!moved.is_ok()) spdlog::error("'{}' stays as it was: {}", name_, moved.message());
  }
  const Status routed = host_->route(name_, std::move(shares));
  if (!routed.is_ok()) spdlog::error("the shares of '{}': {}", name_, routed.message());
}

void Traffic::end() {
  Records dropped;
  const std::lock_guard order(apply_mutex_);  // shares that were being told come before this
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    dropped.swap(records_);
  }
  static_cast<void>(host_->route(name_, {}).is_ok());  // it may be gone
}

// The version that is to answer it too. Credits, so that the percentage holds from the first on.
std::optional<std::uint64_t> Traffic::mirror_for(std::uint64_t version, const Request& request) {
  if (!is_comparable(request)) return {};
  std::uint32_t percent = 0;
  std::uint64_t to = 0;
  if (plan_.shadow && version != plan_.shadow->version) {
    percent = plan_.shadow->percent;
    to = plan_.shadow->version;
  } else if (canary_ && canary_->state() == Canary::State::kRunning &&
             version == plan_.canary->version) {
    percent = plan_.canary->mirror_percent;
    to = plan_.stable;
  }
  mirror_credit_ += percent;
  if (percent == 0 || mirror_credit_ < 100) return {};
  mirror_credit_ -= 100;
  return to;
}

void Traffic::submitted(std::uint64_t version, const Request& request) {
  std::optional<std::uint64_t> to;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_ || records_.size() >= kRecordsMax) return;
    ++sums_[version].requests;
    Record& record = records_[request.id.value];
    record.version = version;
    record.is_pooled = request.is_pooled;
    if (is_new(record)) canary_->began();
    to = mirror_for(version, request);
    record.is_crowded = to && mirrors_ >= kMirrorsMax;
    if (record.is_crowded) to.reset();
    if (to) {
      id = next_mirror_id++;
      record.other = id;
      Record& mirror = records_[id];
      mirror.version = *to;
      mirror.is_mirror = true;
      mirror.is_pooled = request.is_pooled;
      ++mirrors_;
      mirror.other = request.id.value;
      ++sums_[*to].mirrored;
      if (canary_) canary_->mirrored();
    }
  }
  apply();  // its share may be used up
  if (!to) return;
  // Nothing is brought into memory for a mirror: it could drive out the version that serves.
  Result<ModelLease> lease = host_->lease(models_.at(*to));
  Status status = lease.status();
  if (status.is_ok()) {
    {
      const std::lock_guard lock(mutex_);
      const auto mirror = records_.find(id);
      if (mirror == records_.end()) return;
      mirror->second.lease = *lease;
    }
    status = (*lease)->engine->submit(mirror_of(request, id));
  }
  if (!status.is_ok()) refused(RequestId{id});
}

bool Traffic::is_new(const Record& record) const {
  return canary_ && !record.is_mirror && record.version == plan_.canary->version;
}

// Whoever was to be compared with it is not.
void Traffic::drop_pair(std::uint64_t id, Leavings& leavings) {
  const auto one = records_.find(id);
  if (one == records_.end() || one->second.other == 0) return;
  const auto partner = records_.find(std::exchange(one->second.other, 0));
  QUIRE_CHECK(partner != records_.end(), "request {} has lost its mirror", id);
  const Record& mirror = one->second.is_mirror ? one->second : partner->second;
  ++sums_[mirror.version].mirrors_failed;
  Record& left = partner->second;
  left.other = 0;
  left.is_missed = true;
  left.said.clear();
  left.vectors.clear();
  if (left.is_over && is_new(left) && !left.failed) judge(left);
  if (canary_) canary_->not_compared();
  if (!left.is_over) return;
  if (left.lease) leavings.leases.push_back(std::move(left.lease));
  records_.erase(partner);
}

void Traffic::refused(RequestId request, bool comes_again) {
  Leavings leavings;
  {
    const std::lock_guard lock(mutex_);
    const auto found = records_.find(request.value);
    if (found == records_.end()) return;
    drop_pair(request.value, leavings);
    const auto record = records_.find(request.value);
    if (is_new(record->second)) comes_again ? canary_->withdrawn() : canary_->refused();
    if (record->second.is_mirror) {
      --mirrors_;
    } else if (comes_again) {
      --sums_[record->second.version].requests;
    } else {
      ++sums_[record->second.version].ended;
    }
    if (record->second.lease) leavings.leases.push_back(std::move(record->second.lease));
    records_.erase(record);
  }
  leavings.clear();
  apply();
}

// What a request of the canary's says of it, when it and its mirror have ended; at once where it
// has failed.
void Traffic::judge(const Record& record) {
  if (record.failed) return canary_->ended({true, record.time_s, record.tokens});
  if (record.is_cut || record.is_crowded) return canary_->withdrawn();
  if (record.is_missed) return canary_->missed();
  canary_->ended({false, record.time_s, record.tokens});
}

void Traffic::compare(Records::iterator one, Leavings& leavings) {
  const auto other = records_.find(one->second.other);
  QUIRE_CHECK(other != records_.end(), "request {} has lost its mirror", one->first);
  Record& asked = one->second.is_mirror ? other->second : one->second;
  const Record& mirror = one->second.is_mirror ? one->second : other->second;
  if (asked.is_cut && !mirror.is_over && mirror.lease) {
    leavings.useless.emplace_back(mirror.lease, RequestId{asked.other});
  }
  if (!other->second.is_over) return;
  Sums& sums = sums_[mirror.version];
  asked.is_missed = mirror.failed || mirror.is_cut;
  const bool is_compared = !asked.is_missed && !asked.failed && !asked.is_cut;
  const bool is_same = asked.said == mirror.said && asked.vectors == mirror.vectors;
  if (is_new(asked) && !asked.failed) judge(asked);
  if (is_compared) {
    ++sums.compared;
    sums.different += is_same ? 0 : 1;
    if (canary_) canary_->compared(is_same);
  } else {
    ++sums.mirrors_failed;
    if (canary_) canary_->not_compared();
  }
  for (const auto& it : {one, other}) {
    if (it->second.lease) leavings.leases.push_back(std::move(it->second.lease));
  }
  records_.erase(other);
  records_.erase(one);
}

void Traffic::finish(Records::iterator ended, Leavings& leavings) {
  Record& record = ended->second;
  record.is_over = true;
  if (record.is_mirror) --mirrors_;
  Sums& sums = sums_[record.version];
  if (!record.failed) {
    sums.time_s += record.time_s;
    sums.tokens += record.tokens;
  }
  if (!record.is_mirror) {
    ++sums.ended;
    sums.failed += record.failed ? 1 : 0;
  }
  if (is_new(record) && (record.failed || record.other == 0)) judge(record);
  if (canary_ && record.version == plan_.stable && !record.is_cut) {
    canary_->ended_stable({record.failed, record.time_s, record.tokens});
  }
  if (record.other != 0) return compare(ended, leavings);
  if (record.lease) leavings.leases.push_back(std::move(record.lease));
  records_.erase(ended);
}

void Traffic::hear(Record& record, const TokenEvent& event) {
  if (record.other != 0) {
    std::vector<TokenId>& said = record.said[event.branch];
    said.insert(said.end(), event.accepted.begin(), event.accepted.end());
    record.vectors.insert(record.vectors.end(), event.pooled.begin(), event.pooled.end());
  }
  record.failed |= is_failure(event.finish);
  record.is_cut |= event.finish == FinishReason::kCancelled;
}

void Traffic::heard(std::uint64_t, StepEvents& step) {
  Leavings leavings;
  {
    const std::lock_guard lock(mutex_);
    for (const RowFact& row : step.rows) {
      const auto found = records_.find(row.of.request.value);
      if (found == records_.end()) continue;
      found->second.time_s += to_seconds(step.elapsed);
      found->second.tokens += found->second.is_pooled ? row.tokens : row.generated;
    }
    for (const TokenEvent& event : step.events) {
      const auto found = records_.find(event.request.value);
      if (found == records_.end()) continue;
      hear(found->second, event);
      if (event.is_last) finish(found, leavings);
    }
  }
  std::erase_if(step.events, [](const TokenEvent& event) { return is_mirror(event.request); });
  leavings.clear();
  apply();
}

std::vector<TrafficRow> Traffic::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<TrafficRow> rows;
  std::uint64_t weights = 0;
  for (const auto& [_, weight] : plan_.split) weights += weight;
  for (const auto& [version, model] : models_) {
    TrafficRow& row = rows.emplace_back();
    row.name = name_;
    row.version = version;
    row.role = version == plan_.stable              ? "stable"
               : plan_.split.contains(version) ? "split"
                                                : "none";
    const auto sums = sums_.find(version);
    const Sums known = sums == sums_.end() ? Sums() : sums->second;
    const auto weight = plan_.split.find(version);
    if (weights > 0) {
      row.percent = weight == plan_.split.end()
                        ? 0.0
                        : 100.0 * weight->second / static_cast<double>(weights);
    } else {
      row.percent = version == plan_.stable ? 100 : 0;
    }
    if (plan_.shadow && version == plan_.shadow->version) row.role = "shadow";
    if (canary_) {
      const double share = canary_->percent();
      const bool is_new = version == plan_.canary->version;
      if (is_new) row.role = "canary";
      row.percent = is_new ? share : version == plan_.stable ? 100 - share : 0;
      if (is_new && canary_->state() != Canary::State::kRunning) {
        row.role = canary_->state() == Canary::State::kPromoted ? "promoted" : "rolled back";
        row.reason = canary_->reason();
      }
    }
    row.requests = known.requests;
    row.failed = known.failed;
    row.mirrored = known.mirrored;
    row.compared = known.compared;
    row.different = known.different;
    row.mirrors_failed = known.mirrors_failed;
    row.token_s = known.tokens > 0 ? known.time_s / static_cast<double>(known.tokens) : 0;
  }
  return rows;
}

// --- the ear at a version ---

void VersionTap::follow(std::shared_ptr<Traffic> traffic) {
  const std::lock_guard lock(mutex_);
  traffic_.swap(traffic);
}

std::shared_ptr<Traffic> VersionTap::traffic() const {
  const std::lock_guard lock(mutex_);
  return traffic_;
}

void VersionTap::submitted(const Request& request) {
  if (const auto traffic = this->traffic()) traffic->submitted(version_, request);
}

void VersionTap::refused(RequestId request, bool comes_again) {
  if (const auto traffic = this->traffic()) traffic->refused(request, comes_again);
}

void VersionTap::heard(StepEvents& step) {
  if (const auto traffic = this->traffic()) return traffic->heard(version_, step);
  std::erase_if(step.events, [](const TokenEvent& event) { return is_mirror(event.request); });
}

ModelRecipe VersionTap::wrap(ModelRecipe recipe, std::shared_ptr<VersionTap> self) const {
  const auto open = [self, inner = std::move(recipe.open)]() -> Result<OpenedModel> {
    QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, inner());
    opened.load = [self, load = std::move(opened.load)](
                      EventSink sink) -> Result<std::unique_ptr<HostedModel>> {
      QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<HostedModel> model,
                             load([self, sink = std::move(sink)](StepEvents step) {
                               self->heard(step);
                               sink(std::move(step));
                             }));
      model->tap = self;
      return model;
    };
    return opened;
  };
  return {std::move(recipe.names), open};
}

}  // namespace quire
