#include "host/model_host.h"

#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/clock.h"

namespace quire {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

// What a model has done in a life that is over; gauges are of the present.
void add_counters(EngineStats& sum, const EngineStats& stats) {
  for (const auto counter :
       {&EngineStats::prompt_tokens, &EngineStats::generated_tokens,
        &EngineStats::prefix_cached_tokens, &EngineStats::preemptions, &EngineStats::steps,
        &EngineStats::computed_tokens}) {
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

struct ModelHost::Entry {
  ModelRecipe recipe;
  // The loading thread's own.
  OpenedModel opened;
  // Under the lock.
  std::unique_ptr<HostedModel> model;
  ModelInfo info;
  EngineStats past;  // of lives that are over
  std::uint64_t loads = 0, unloads = 0, failures = 0;
  bool is_telling = false;  // the outcome of a load is on its way to the listener
};

struct ModelHost::State {
  explicit State(ShelfOptions options) : shelf(options) {}

  std::mutex mutex;
  std::condition_variable changed;  // work for the loading thread, or a load is over
  ModelShelf shelf;
  bool is_draining = false;
  bool is_paused = false;
  bool is_asleep = false;
  std::vector<ModelIndex> sleepers;  // that wake() brings back
  bool is_ending = false;

  std::mutex listener_mutex;
  Listener listener;

  std::thread thread;  // last: it uses all of the above
};

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
  for (ModelIndex model = 0; model < entries_.size(); ++model) {
    QUIRE_CHECK(state_->shelf.users(model) == 0, "model '{}' is in use at the end",
                names(model).front());
    entries_[model]->model.reset();  // its last events still come by us
  }
}

Status ModelHost::add(ModelRecipe recipe) {
  if (recipe.names.empty()) {
    return error(StatusCode::kInvalidArgument, "a model needs a name to be served under");
  }
  for (auto name = recipe.names.begin(); name != recipe.names.end(); ++name) {
    const bool is_repeated = std::find(recipe.names.begin(), name, *name) != name;
    if (name->empty() || is_repeated || find_exactly(*name)) {
      return error(StatusCode::kInvalidArgument,
                   "the model name '{}' is empty or taken; give each model a name of its own with "
                   "--served-model-name",
                   *name);
    }
  }
  const std::lock_guard lock(state_->mutex);
  state_->shelf.add();
  entries_.push_back(std::make_unique<Entry>());
  entries_.back()->recipe = std::move(recipe);
  entries_.back()->info.created = SteadyClock::unix_seconds();
  return ok_status();
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
    entries_[model]->is_telling = false;
  }
  state_->changed.notify_all();
}

const std::vector<std::string>& ModelHost::names(ModelIndex model) const {
  return entries_[model]->recipe.names;
}

std::optional<ModelHost::ModelIndex> ModelHost::find(std::string_view name) const {
  if (const auto model = find_exactly(name)) return model;
  return name.empty() ? std::nullopt : find_exactly(kAnyName);
}

std::optional<ModelHost::ModelIndex> ModelHost::find_exactly(std::string_view name) const {
  for (ModelIndex model = 0; model < entries_.size(); ++model) {
    const std::vector<std::string>& known = names(model);
    if (std::find(known.begin(), known.end(), name) != known.end()) return model;
  }
  return std::nullopt;
}

// --- leases ---

ModelLease ModelHost::make_lease(ModelIndex model) {
  return {entries_[model]->model.get(), [this, model](const HostedModel*) { give_back(model); }};
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
  const auto& health = entries_[model]->model->health;
  const Status status = health ? health() : ok_status();
  if (status.is_ok()) return true;
  spdlog::error("The model '{}' is unloaded: {}", names(model).front(), status.message());
  const Status going = state_->shelf.dismiss(model);
  QUIRE_CHECK(going.is_ok(), "a ready model cannot be dismissed: {}", going.message());
  return false;
}

Result<ModelLease> ModelHost::lease(ModelIndex model) {
  const std::lock_guard lock(state_->mutex);
  const Nanos now = SteadyClock::now();
  if (stays_ready(model)) {
    state_->shelf.lease(model, now);
    return make_lease(model);
  }
  if (!state_->shelf.may_try(model, now)) {
    return Status(StatusCode::kInternal, state_->shelf.failure(model).message());
  }
  return error(StatusCode::kUnavailable, "The model '{}' is not loaded", names(model).front());
}

void ModelHost::visit(const std::function<void(ModelIndex, const HostedModel&)>& look) const {
  const std::lock_guard lock(state_->mutex);
  for (ModelIndex model = 0; model < entries_.size(); ++model) {
    if (entries_[model]->model != nullptr) look(model, *entries_[model]->model);
  }
}

// --- wishes ---

Result<ModelLease> ModelHost::want(ModelIndex model) {
  {
    const std::lock_guard lock(state_->mutex);
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
    status = state_->shelf.dismiss(model);
  }
  state_->changed.notify_all();
  return status;
}

// --- rest ---

void ModelHost::pause(bool is_paused) {
  const std::lock_guard lock(state_->mutex);
  state_->is_paused = is_paused && !state_->is_draining;
  for (const auto& entry : entries_) {
    if (entry->model != nullptr) entry->model->engine->pause(state_->is_paused);
  }
}

bool ModelHost::is_paused() const {
  const std::lock_guard lock(state_->mutex);
  return state_->is_paused;
}

void ModelHost::reset_prefix_caches() {
  visit([](ModelIndex, const HostedModel& model) { model.engine->reset_prefix_cache(); });
}

Status ModelHost::sleep() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_asleep) return ok_status();
    std::vector<ModelIndex> ready;
    for (ModelIndex model = 0; model < entries_.size(); ++model) {
      const ModelState state = state_->shelf.state(model);
      if (state == ModelState::kReady) ready.push_back(model);
      if (state == ModelState::kWanted || state == ModelState::kLoading) {
        return error(StatusCode::kUnavailable, "The model '{}' is being loaded",
                     names(model).front());
      }
    }
    for (const ModelIndex model : ready) {
      const Status going = state_->shelf.dismiss(model);
      QUIRE_CHECK(going.is_ok(), "a ready model cannot be dismissed: {}", going.message());
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
    for (const ModelIndex model : state_->sleepers) state_->shelf.want(model);
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
    const ModelState state = state_->shelf.state(model);
    return entries_[model]->is_telling ||
           (state != ModelState::kReady && state != ModelState::kUnloaded);
  };
  state_->changed.wait(lock, [&] { return state_->is_draining || !is_coming(); });
  lock.unlock();
  return lease(model);
}

Nanos ModelHost::retry_in(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  const Nanos now = SteadyClock::now();
  if (state_->shelf.may_try(model, now)) return Nanos{0};
  return state_->shelf.retry_at(model) - now;
}

const ShelfOptions& ModelHost::options() const { return state_->shelf.options(); }

std::vector<ModelRow> ModelHost::rows() const {
  const std::lock_guard lock(state_->mutex);
  const ModelShelf& shelf = state_->shelf;
  const Nanos now = SteadyClock::now();
  std::vector<ModelRow> rows;
  for (ModelIndex model = 0; model < entries_.size(); ++model) {
    const Entry& entry = *entries_[model];
    ModelRow& row = rows.emplace_back();
    row.names = entry.recipe.names;
    row.state = shelf.state(model);
    row.users = shelf.users(model);
    row.loads = entry.loads;
    row.unloads = entry.unloads;
    row.failures = entry.failures;
    row.failure = shelf.failure(model).message();
    row.info = entry.info;
    if (entry.model != nullptr) {
      row.bytes = shelf.bytes(model);
      if (row.users == 0) row.idle = now - shelf.used_at(model);
      row.stats = entry.model->engine->stats();
    }
    add_counters(row.stats, entry.past);
  }
  return rows;
}

void ModelHost::drain() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_draining = true;
  }
  pause(false);  // what was accepted is finished
  visit([](ModelIndex, const HostedModel& model) { model.engine->drain(); });
  state_->changed.notify_all();
}

bool ModelHost::is_idle() const {
  bool is_idle = true;
  visit([&](ModelIndex, const HostedModel& model) { is_idle &= model.engine->is_idle(); });
  return is_idle;
}

bool ModelHost::is_stalled(Nanos now, Nanos limit) const {
  bool is_stalled = false;
  if (is_paused()) return false;
  visit([&](ModelIndex index, const HostedModel& model) {
    if (state_->shelf.users(index) == 0 || model.engine->is_idle()) return;
    const Nanos moved_at = std::max(model.engine->last_step_at(), state_->shelf.busy_since(index));
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
  Entry& entry = *entries_[model];
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
  Entry& entry = *entries_[model];
  auto opened = contain<OpenedModel>(entry.recipe.open);
  if (!opened.is_ok()) return fail(model, opened.status());
  entry.opened = std::move(*opened);
  const std::lock_guard lock(state_->mutex);
  state_->shelf.opened(model, entry.opened.bytes);
}

void ModelHost::refuse(ModelIndex model) {
  const double wanted = static_cast<double>(entries_[model]->opened.bytes) / kMebibyte;
  const double room = static_cast<double>(state_->shelf.options().bytes_max) / kMebibyte;
  fail(model, error(StatusCode::kResourceExhausted,
                    "its weights and KV take {:.0f} MiB, and all models together may take {:.0f} "
                    "MiB (--model-memory); a smaller --kv-cache-memory may help",
                    wanted, room));
}

void ModelHost::load(ModelIndex model) {
  Entry& entry = *entries_[model];
  auto loaded = contain<std::unique_ptr<HostedModel>>([&] {
    return entry.opened.load([this, model](StepEvents step) { tell_step(model, std::move(step)); });
  });
  entry.opened = {};
  if (!loaded.is_ok()) return fail(model, loaded.status());
  QUIRE_CHECK(*loaded != nullptr && (*loaded)->engine != nullptr, "model '{}' has no engine",
              names(model).front());
  (*loaded)->names = names(model);
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
  Entry& entry = *entries_[model];
  entry.opened = {};
  Status failure = error(StatusCode::kInternal, "The model '{}' cannot be loaded: {}",
                         names(model).front(), reason.message());
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
  Entry& entry = *entries_[model];
  leaving.reset();
  malloc_trim(0);  // what it had goes back to the system now, not when the heap sees fit
  {
    const std::lock_guard lock(state_->mutex);
    ++entry.unloads;
    state_->shelf.unloaded(model);
  }
  spdlog::info("unloaded: {}", names(model).front());
  state_->changed.notify_all();
}

}  // namespace quire
