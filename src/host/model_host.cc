#include <malloc.h>

#include <algorithm>
#include <exception>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "host/leased_turn.h"
#include "host/model_host_state.h"

namespace quire {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

// What a model has done in a life that is over; gauges are of the present.
void add_counters(EngineStats& sum, const EngineStats& stats) {
  for (const auto counter :
       {&EngineStats::prompt_tokens, &EngineStats::generated_tokens,
        &EngineStats::prefix_cached_tokens, &EngineStats::preemptions, &EngineStats::steps,
        &EngineStats::computed_tokens, &EngineStats::forced_tokens, &EngineStats::masks}) {
    sum.*counter += stats.*counter;
  }
}

// The catch-all of the loading thread: a library ran out of memory, most likely.
template <typename T, typename Body>
Result<T> contain(Body body) {
  try {
    return body();
  } catch (const std::exception& problem) {
    return error(StatusCode::kInternal, "{}", problem.what());
  }
}

}  // namespace

ModelHost::ModelHost(ShelfOptions options) : state_(std::make_unique<State>(options)) {
  state_->thread = std::thread([this] { keep(); });
}

ModelHost::~ModelHost() {
  listen({});
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
  for (const auto& [model, entry] : state_->entries) {
    QUIRE_CHECK(state_->shelf.users(model) == 0, "model '{}' is in use at the end",
                entry->own_name);
    entry->model.reset();  // its last events still come by us
  }
}

void ModelHost::listen(Listener listener) {
  const std::lock_guard lock(state_->listener_mutex);
  state_->listener = std::move(listener);
}

void ModelHost::tell_step(ModelIndex model, StepEvents step) {
  const std::lock_guard lock(state_->listener_mutex);
  if (state_->listener.step) state_->listener.step(model, std::move(step));
}

// Who waits in load_now() goes on only then: the lease that is told of is no use that comes later
// than his own.
void ModelHost::tell_arrival(ModelIndex model, Result<ModelLease> outcome) {
  {
    const std::lock_guard lock(state_->listener_mutex);
    if (state_->listener.arrival) state_->listener.arrival(model, std::move(outcome));
  }
  outcome = ModelLease();
  {
    const std::lock_guard lock(state_->mutex);
    if (Entry* told = entry(model)) told->is_telling = false;
  }
  state_->changed.notify_all();
}

// --- leases ---

ModelLease ModelHost::make_lease(ModelIndex model) {
  return {state_->entries.at(model)->model.get(),
          [this, model](const HostedModel*) { give_back(model); }};
}

void ModelHost::give_back(ModelIndex model) {
  bool has_work;
  {
    const std::lock_guard lock(state_->mutex);
    has_work = state_->shelf.give_back(model, SteadyClock::now());
  }
  if (has_work) state_->changed.notify_all();
}

// Under the lock. A model that has lost a file goes, to be loaded anew or to say what is wrong.
bool ModelHost::stays_ready(ModelIndex model) {
  if (state_->shelf.state(model) != ModelState::kReady) return false;
  const Entry& ready = *state_->entries.at(model);
  const auto& health = ready.model->health;
  const Status status = health ? health() : ok_status();
  if (status.is_ok()) return true;
  spdlog::error("The model '{}' is unloaded: {}", ready.own_name, status.message());
  const Status going = state_->shelf.dismiss(model);
  QUIRE_CHECK(going.is_ok(), "a ready model cannot be dismissed: {}", going.message());
  ready.model->engine->stop_waiting();
  return false;
}

Result<ModelLease> ModelHost::lease(ModelIndex model) {
  const std::lock_guard lock(state_->mutex);
  return lease_locked(model);
}

Result<ModelLease> ModelHost::lease(std::string_view name) {
  State& state = *state_;
  if (const auto* taken = QuestionTurns::taken(name)) {
    Result<ModelLease> again = lease(taken->model);
    if (again.is_ok()) return lease_with_turn(std::move(*again), taken->turn);
  }
  std::unique_lock lock(state.mutex);
  const auto turn = state.names.contains(name) ? state.turns.take(name) : std::nullopt;
  ModelIndex leased = turn ? turn->model : 0;
  Result<ModelLease> lease = turn ? lease_locked(leased) : gone_model();
  bool is_wanted = false;
  if (!lease.is_ok()) {
    // One that has left the memory is fetched again, for the turns to come.
    is_wanted = turn && lease.status().code() == StatusCode::kUnavailable &&
                !state.is_draining && !state.is_asleep;
    if (is_wanted) state.shelf.want(turn->model);
    const auto model = find_locked(name);
    leased = model.value_or(leased);
    lease = model ? lease_locked(leased) : gone_model();
  }
  if (turn && !lease.is_ok()) state.turns.end(*turn, TurnEnd::kReturned);
  lock.unlock();
  if (is_wanted) state.changed.notify_all();
  if (!turn || !lease.is_ok()) return lease;
  const bool is_own = leased == turn->model;  // another's refusals are not its own
  const auto shared = std::make_shared<LeasedTurn>([&state, it = *turn, is_own](TurnEnd how) {
    const std::lock_guard relock(state.mutex);
    state.turns.end(it, how == TurnEnd::kRefused && !is_own ? TurnEnd::kReturned : how);
  });
  QuestionTurns::take({std::string(name), leased, shared});
  return lease_with_turn(std::move(*lease), shared);
}

Result<ModelLease> ModelHost::lease_locked(ModelIndex model) {
  const Entry* known = entry(model);
  if (known == nullptr) return gone_model();
  const Nanos now = SteadyClock::now();
  if (stays_ready(model)) {
    state_->shelf.lease(model, now);
    return make_lease(model);
  }
  if (!state_->shelf.may_try(model, now)) {
    return Status(StatusCode::kInternal, state_->shelf.failure(model).message());
  }
  return error(StatusCode::kUnavailable, "The model '{}' is not loaded", known->own_name);
}

void ModelHost::visit(const std::function<void(ModelIndex, const HostedModel&)>& look) const {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [model, entry] : state_->entries) {
    if (entry->model != nullptr && entry->is_shown()) look(model, *entry->model);
  }
}

// Under the lock; those that are removed and finish, too.
void ModelHost::for_each_engine(const std::function<void(ModelIndex, Engine&)>& look) const {
  for (const auto& [model, entry] : state_->entries) {
    if (entry->model != nullptr) look(model, *entry->model->engine);
  }
}

// --- wishes ---

Result<ModelLease> ModelHost::want(ModelIndex model) {
  {
    const std::lock_guard lock(state_->mutex);
    if (entry(model) == nullptr) return gone_model();
    const Nanos now = SteadyClock::now();
    if (stays_ready(model)) {
      state_->shelf.lease(model, now);
      return make_lease(model);
    }
    if (state_->is_draining) {
      return Status(StatusCode::kUnavailable, "The server is draining: it loads no model");
    }
    if (state_->is_asleep) {
      return Status(StatusCode::kUnavailable, "The server is asleep; POST /wake_up wakes it");
    }
    if (!state_->shelf.may_try(model, now)) {
      return Status(StatusCode::kInternal, state_->shelf.failure(model).message());
    }
    state_->shelf.want(model);
  }
  state_->changed.notify_all();
  return ModelLease();
}

Status ModelHost::unload(ModelIndex model) {
  Status status;
  {
    const std::lock_guard lock(state_->mutex);
    const Entry* leaving = entry(model);
    if (leaving == nullptr) return gone_model();
    status = state_->shelf.dismiss(model);
    const bool goes = state_->shelf.state(model) == ModelState::kUnloading;
    if (goes && leaving->model != nullptr) leaving->model->engine->stop_waiting();
  }
  state_->changed.notify_all();
  return status;
}

void ModelHost::set_keep_alive(ModelIndex model, std::optional<Nanos> keep_alive) {
  bool has_work = false;
  {
    const std::lock_guard lock(state_->mutex);
    has_work = entry(model) != nullptr && state_->shelf.set_keep_alive(model, keep_alive);
  }
  if (has_work) state_->changed.notify_all();
}

Status ModelHost::set_pinned(ModelIndex model, bool is_pinned) {
  {
    const std::lock_guard lock(state_->mutex);
    if (entry(model) == nullptr) return gone_model();
    state_->shelf.pin(model, is_pinned);
  }
  state_->changed.notify_all();  // one that is free may go
  return ok_status();
}

// --- rest ---

void ModelHost::pause(bool is_paused) {
  const std::lock_guard lock(state_->mutex);
  state_->is_paused = is_paused && !state_->is_draining;
  for_each_engine([&](ModelIndex, Engine& engine) { engine.pause(state_->is_paused); });
}

bool ModelHost::is_paused() const {
  const std::lock_guard lock(state_->mutex);
  return state_->is_paused;
}

void ModelHost::reset_prefix_caches() {
  const std::lock_guard lock(state_->mutex);
  for_each_engine([](ModelIndex, Engine& engine) { engine.reset_prefix_cache(); });
}

Status ModelHost::sleep() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_asleep) return ok_status();
    std::vector<ModelIndex> ready;
    for (const auto& [model, entry] : state_->entries) {
      const ModelState state = state_->shelf.state(model);
      if (state == ModelState::kReady) ready.push_back(model);
      if (state == ModelState::kWanted || state == ModelState::kLoading) {
        return error(StatusCode::kUnavailable, "The model '{}' is being loaded",
                     entry->own_name);
      }
    }
    for (const ModelIndex model : ready) {
      const Status going = state_->shelf.dismiss(model);
      QUIRE_CHECK(going.is_ok(), "a ready model cannot be dismissed: {}", going.message());
      state_->entries.at(model)->model->engine->stop_waiting();
    }
    state_->is_asleep = true;
    state_->sleepers = std::move(ready);
  }
  state_->changed.notify_all();
  return ok_status();
}

void ModelHost::wake() {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->is_asleep) return;
    state_->is_asleep = false;
    for (const ModelIndex model : state_->sleepers) {
      if (entry(model) != nullptr) state_->shelf.want(model);
    }
    state_->sleepers.clear();
  }
  state_->changed.notify_all();
}

bool ModelHost::is_asleep() const {
  const std::lock_guard lock(state_->mutex);
  return state_->is_asleep;
}

Result<ModelLease> ModelHost::load_now(ModelIndex model) {
  QUIRE_ASSIGN_OR_RETURN(ModelLease there, want(model));
  if (there != nullptr) return there;
  std::unique_lock lock(state_->mutex);
  const auto is_coming = [&] {
    const Entry* coming = entry(model);
    if (coming == nullptr) return false;
    const ModelState state = state_->shelf.state(model);
    return coming->is_telling ||
           (state != ModelState::kReady && state != ModelState::kUnloaded);
  };
  state_->changed.wait(lock, [&] { return state_->is_draining || !is_coming(); });
  lock.unlock();
  return lease(model);
}

Nanos ModelHost::retry_in(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  const Nanos now = SteadyClock::now();
  if (entry(model) == nullptr || state_->shelf.may_try(model, now)) return Nanos{0};
  return state_->shelf.retry_at(model) - now;
}

const ShelfOptions& ModelHost::options() const { return state_->shelf.options(); }

ModelRow ModelHost::row_of(ModelIndex model, const Entry& entry) const {
  const ModelShelf& shelf = state_->shelf;
  ModelRow row;
  row.index = model;
  row.names = entry.names;
  row.state = shelf.state(model);
  row.users = shelf.users(model);
  row.keep_alive = shelf.keep_alive(model);
  row.is_pinned = shelf.is_pinned(model);
  row.loads = entry.loads;
  row.unloads = entry.unloads;
  row.failures = entry.failures;
  row.failure = shelf.failure(model).message();
  row.info = entry.info;
  if (entry.model != nullptr) {
    row.bytes = shelf.bytes(model);
    if (row.users == 0) row.idle = SteadyClock::now() - shelf.used_at(model);
    row.stats = entry.model->engine->stats();
  }
  add_counters(row.stats, entry.past);
  return row;
}

std::vector<ModelRow> ModelHost::rows() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<ModelRow> rows;
  for (const auto& [model, entry] : state_->entries) {
    if (entry->is_shown()) rows.push_back(row_of(model, *entry));
  }
  return rows;
}

std::optional<ModelRow> ModelHost::row(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  const Entry* known = entry(model);
  return known == nullptr ? std::nullopt : std::optional(row_of(model, *known));
}

void ModelHost::drain() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_draining = true;
  }
  pause(false);  // what was accepted is finished
  {
    const std::lock_guard lock(state_->mutex);
    for_each_engine([](ModelIndex, Engine& engine) { engine.drain(); });
  }
  state_->changed.notify_all();
}

bool ModelHost::is_idle() const {
  bool is_idle = true;
  const std::lock_guard lock(state_->mutex);
  for_each_engine([&](ModelIndex, Engine& engine) { is_idle &= engine.is_idle(); });
  return is_idle;
}

bool ModelHost::is_stalled(Nanos now, Nanos limit) const {
  bool is_stalled = false;
  const std::lock_guard lock(state_->mutex);
  if (state_->is_paused) return false;
  for_each_engine([&](ModelIndex index, Engine& engine) {
    if (state_->shelf.users(index) == 0 || engine.is_idle() || engine.is_resting()) return;
    const Nanos moved_at = std::max(engine.last_step_at(), state_->shelf.busy_since(index));
    is_stalled |= now - moved_at >= limit;
  });
  return is_stalled;
}

// --- the loading thread ---

void ModelHost::keep() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  while (!state.is_ending) {
    const Nanos now = SteadyClock::now();
    const ModelShelf::Task task = state.is_draining ? ModelShelf::Task{} : state.shelf.next(now);
    for_each_engine([&](ModelIndex model, Engine& engine) {  // those that make room, too
      if (state.shelf.state(model) == ModelState::kUnloading) engine.stop_waiting();
    });
    if (task.work == ModelShelf::Work::kRest) {
      if (task.until == kForever) {
        state.changed.wait(lock);
      } else {
        state.changed.wait_for(lock, task.until - now);
      }
      continue;
    }
    std::unique_ptr<HostedModel> leaving;
    if (task.work == ModelShelf::Work::kUnload) leaving = take_away(task.model);
    lock.unlock();
    work_on(task, std::move(leaving));
    lock.lock();
  }
}

// Out of everybody's sight, under the lock: a look must not meet its end, and its counters do not
// dip.
std::unique_ptr<HostedModel> ModelHost::take_away(ModelIndex model) {
  Entry& entry = *state_->entries.at(model);
  add_counters(entry.past, entry.model->engine->stats());
  return std::move(entry.model);
}

void ModelHost::work_on(const ModelShelf::Task& task, std::unique_ptr<HostedModel> leaving) {
  switch (task.work) {
    case ModelShelf::Work::kRest: break;
    case ModelShelf::Work::kOpen: open(task.model); break;
    case ModelShelf::Work::kLoad: load(task.model); break;
    case ModelShelf::Work::kRefuse: refuse(task.model); break;
    case ModelShelf::Work::kUnload: end(task.model, std::move(leaving)); break;
  }
}

void ModelHost::open(ModelIndex model) {
  Entry& entry = busy_entry(model);
  auto opened = contain<OpenedModel>(entry.recipe);
  if (!opened.is_ok()) return fail(model, opened.status());
  entry.opened = std::move(*opened);
  const std::lock_guard lock(state_->mutex);
  state_->shelf.opened(model, entry.opened.bytes);
}

void ModelHost::refuse(ModelIndex model) {
  const double wanted = static_cast<double>(busy_entry(model).opened.bytes) / kMebibyte;
  std::uint64_t pinned = 0;
  {
    const std::lock_guard lock(state_->mutex);
    pinned = state_->shelf.pinned_bytes();
  }
  const double room = static_cast<double>(state_->shelf.options().bytes_max) / kMebibyte;
  const std::string beside =
      pinned == 0 ? std::string()
                  : fmt::format(", of which pinned ones have {:.0f} MiB",
                                static_cast<double>(pinned) / kMebibyte);
  fail(model, error(StatusCode::kResourceExhausted,
                    "its weights and KV take {:.0f} MiB, and all models together may take {:.0f} "
                    "MiB (--model-memory){}; a smaller --kv-cache-memory may help",
                    wanted, room, beside));
}

void ModelHost::load(ModelIndex model) {
  Entry& entry = busy_entry(model);
  auto loaded = contain<std::unique_ptr<HostedModel>>([&] {
    return entry.opened.load([this, model](StepEvents step) { tell_step(model, std::move(step)); });
  });
  entry.opened = {};
  if (!loaded.is_ok()) return fail(model, loaded.status());
  QUIRE_CHECK(*loaded != nullptr && (*loaded)->engine != nullptr, "model '{}' has no engine",
              entry.own_name);
  (*loaded)->own_name = entry.own_name;
  const Nanos now = SteadyClock::now();
  ModelLease lease;  // nothing can unload it before whoever wanted it has had it
  {
    const std::lock_guard lock(state_->mutex);
    entry.info = (*loaded)->info;
    entry.model = std::move(*loaded);
    ++entry.loads;
    if (state_->is_draining) entry.model->engine->drain();
    if (state_->is_paused) entry.model->engine->pause(true);
    state_->shelf.loaded(model, now);
    state_->shelf.lease(model, now);
    lease = make_lease(model);
    entry.is_telling = true;
  }
  tell_arrival(model, std::move(lease));
}

void ModelHost::fail(ModelIndex model, Status reason) {
  Entry& entry = busy_entry(model);
  entry.opened = {};
  Status failure = error(StatusCode::kInternal, "The model '{}' cannot be loaded: {}",
                         entry.own_name, reason.message());
  spdlog::error("{}", failure.message());
  {
    const std::lock_guard lock(state_->mutex);
    ++entry.failures;
    state_->shelf.failed(model, failure, SteadyClock::now());
    entry.is_telling = true;
  }
  tell_arrival(model, std::move(failure));
}

void ModelHost::end(ModelIndex model, std::unique_ptr<HostedModel> leaving) {
  const std::string name = leaving->own_name;
  leaving.reset();
  malloc_trim(0);  // what it had goes back to the system now, not when the heap sees fit
  {
    const std::lock_guard lock(state_->mutex);
    Entry& entry = *state_->entries.at(model);
    ++entry.unloads;
    state_->shelf.unloaded(model);
    if (entry.is_removed) {
      state_->shelf.remove(model);
      state_->entries.erase(model);
    }
  }
  spdlog::info("unloaded: {}", name);
  state_->changed.notify_all();
}

}  // namespace quire
