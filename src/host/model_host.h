// ModelHost: the models of this process, found by name, in memory while they are wanted and there
// is room (the rules: model_shelf.h), and the way of their events to whoever listens (serve's
// Service). A thread of its own opens, loads and unloads, one model at a time, so that neither the
// I/O thread nor the users of other models wait for it.
// add() and listen(): the thread that starts the process. The rest: any thread. Events of steps
// come on each engine's own thread, arrivals on the loading thread. Outlives all leases.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/hosted_model.h"
#include "host/model_shelf.h"

namespace quire {

// A model whose files are open and found sound, not yet loaded.
struct OpenedModel {
  std::uint64_t bytes = 0;  // that it will take: weights and KV
  // All but the names. The engine must report to the sink.
  std::function<Result<std::unique_ptr<HostedModel>>(EventSink)> load;
};

// As a model's name: whatever name no model has means this model.
inline constexpr const char* kAnyName = "*";

struct ModelRecipe {
  std::vector<std::string> names;  // the first is its own; kAnyName may be among the others
  std::function<Result<OpenedModel>()> open;  // again for every load
};

// One model, at one moment.
struct ModelRow {
  std::vector<std::string> names;
  ModelState state = ModelState::kUnloaded;
  std::uint64_t bytes = 0;   // of weights and KV, while it is in memory
  std::uint32_t users = 0;   // leases
  Nanos idle{0};             // since its last use; while it is ready and has no users
  std::uint64_t loads = 0, unloads = 0, failures = 0;
  std::string failure;       // of the last load; empty: it went well
  ModelInfo info;            // of the last load; context_max 0: there was none
  EngineStats stats;         // gauges of now, counters since the process started
};

class ModelHost {
 public:
  using ModelIndex = std::size_t;  // in the order of add()
  struct Listener {
    std::function<void(ModelIndex, StepEvents)> step;  // must not block
    // A model that somebody wanted is there, or the reason why not. Told once for each load.
    std::function<void(ModelIndex, Result<ModelLease>)> arrival;
  };

  explicit ModelHost(ShelfOptions options = {});
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;
  ~ModelHost();

  // kInvalidArgument: no name, or one that another model has.
  Status add(ModelRecipe recipe);

  // From now on events go to `listener`; empty functions: they are dropped. When this returns,
  // the former listener is not being called and never will be.
  void listen(Listener listener);

  // By one of its names; else the model that answers to any. An empty name is nobody's.
  std::optional<ModelIndex> find(std::string_view name) const;
  std::size_t size() const { return entries_.size(); }
  const std::vector<std::string>& names(ModelIndex model) const;

  // A use of a model. kUnavailable: it is not in memory; want() it. kInternal: its last load
  // failed, and the next try is not due yet; the message says why.
  Result<ModelLease> lease(ModelIndex model);
  // Looks at every model that is in memory, which is no use of it. `look` must be quick: nobody can
  // have a lease meanwhile.
  void visit(const std::function<void(ModelIndex, const HostedModel&)>& look) const;

  // A lease; or null: it will be loaded and its arrival told. kInternal: as lease(). kUnavailable:
  // draining.
  // kUnavailable too: asleep.
  Result<ModelLease> want(ModelIndex model);
  // When its users have finished. kUnavailable: it is being loaded.
  Status unload(ModelIndex model);
  // Waits for a model, for start-up.
  Result<ModelLease> load_now(ModelIndex model);

  const ShelfOptions& options() const;
  std::vector<ModelRow> rows() const;
  Nanos retry_in(ModelIndex model) const;  // until a failed load may be tried again

  // No engine makes a step, or all do again; what comes meanwhile waits.
  void pause(bool is_paused);
  bool is_paused() const;
  void reset_prefix_caches();  // texts that nobody is at
  // Every model goes when its users have finished and none comes before wake(), which brings back
  // those that went. kUnavailable: one is being loaded.
  Status sleep();
  void wake();
  bool is_asleep() const;

  // Every engine finishes what was accepted and accepts nothing; nothing is loaded any more.
  void drain();
  bool is_idle() const;  // no engine has work left
  // Whether a model that has had work for longer than `limit` made no step for as long.
  bool is_stalled(Nanos now, Nanos limit) const;

 private:
  struct Entry;
  struct State;

  void keep();  // the loading thread
  void work_on(const ModelShelf::Task& task, std::unique_ptr<HostedModel> leaving);
  void open(ModelIndex model);
  void refuse(ModelIndex model);
  void load(ModelIndex model);
  std::unique_ptr<HostedModel> take_away(ModelIndex model);
  void end(ModelIndex model, std::unique_ptr<HostedModel> leaving);
  void fail(ModelIndex model, Status reason);
  void tell_arrival(ModelIndex model, Result<ModelLease> outcome);
  void tell_step(ModelIndex model, StepEvents step);
  bool stays_ready(ModelIndex model);
  ModelLease make_lease(ModelIndex model);
  void give_back(ModelIndex model);

  std::optional<ModelIndex> find_exactly(std::string_view name) const;

  std::vector<std::unique_ptr<Entry>> entries_;  // fixed once traffic starts
  std::unique_ptr<State> state_;
};

}  // namespace quire
