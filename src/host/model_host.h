// ModelHost: the models of this process, found by name, in memory while they are wanted and there
// is room (the rules: model_shelf.h), and the way of their events to whoever listens (serve's
// Service). A thread of its own opens, loads and unloads, one model at a time, so that neither the
// I/O thread nor the users of other models wait for it.
//
// Models and names come and go while others are served. A model that is removed is found no more at
// once, and leaves when its users have finished; its index is never given to another, and asking
// for it is kNotFound. Bounds: kModelsMax models, kNamesMax names of all of them.
// Any thread. Events of steps come on each engine's own thread, arrivals on the loading thread.
// Outlives all leases.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

// Who comes, who goes, and which names mean whom afterwards, at one moment: whoever asks by name is
// answered by the old or by the new, and by nobody else.
struct ModelSwitch {
  std::vector<std::size_t> come;  // staged ones, by their recipes' names
  std::vector<std::size_t> go;    // removed, as by remove()
  std::vector<std::pair<std::string, std::size_t>> names;  // whoever had them
};

// One model, at one moment.
struct ModelRow {
  std::size_t index = 0;     // ModelHost::ModelIndex
  std::vector<std::string> names;
  ModelState state = ModelState::kUnloaded;
  std::uint64_t bytes = 0;   // of weights and KV, while it is in memory
  std::uint32_t users = 0;   // leases
  Nanos idle{0};             // since its last use; while it is ready and has no users
  Nanos keep_alive{0};       // how long it stays so; kForever: until there is need of its room
  bool is_pinned = false;    // it stays, whatever that is
  std::uint64_t loads = 0, unloads = 0, failures = 0;
  std::string failure;       // of the last load; empty: it went well
  ModelInfo info;            // of the last load; context_max 0: there was none
  EngineStats stats;         // gauges of now, counters since the process started
};

class ModelHost {
 public:
  using ModelIndex = std::size_t;  // in the order of add(), which never comes to it again
  static constexpr std::size_t kModelsMax = 4096;
  static constexpr std::size_t kNamesMax = 16384;

  struct Listener {
    std::function<void(ModelIndex, StepEvents)> step;  // must not block
    // A model that somebody wanted is there, or the reason why not. Told once for each load.
    std::function<void(ModelIndex, Result<ModelLease>)> arrival;
  };

  explicit ModelHost(ShelfOptions options = {});
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;
  ~ModelHost();

  // kInvalidArgument: no name, or one that another model has. kResourceExhausted: too many.
  Result<ModelIndex> add(ModelRecipe recipe);
  // Nobody finds it before a switch lets it come, and rows() does not show it; its index can be
  // loaded and leased. Its names may be somebody's until then.
  Result<ModelIndex> stage(ModelRecipe recipe);
  // All of it or nothing. kInvalidArgument: a name would be two models', or a name that moves is
  // the own one of a model that stays. kUnavailable: who is to go is being loaded. kNotFound.
  Status change(const ModelSwitch& change);
  // From now on it is not found, its names are free, and who waits for it is told kNotFound; it
  // leaves memory when its users have finished. kUnavailable: it is being loaded.
  Status remove(ModelIndex model);
  // Whether nothing of it is left: never added, or removed and out of memory.
  bool is_gone(ModelIndex model) const;
  // Leases; of one that is removed, too, until the last has left.
  std::uint32_t users(ModelIndex model) const;

  // Names beside a model's own, which stays with it. kInvalidArgument: a name that is empty, or
  // (remove, move) somebody's own, or (add) taken.
  Status add_name(ModelIndex model, std::string name);
  bool is_added_name(std::string_view name) const;  // since it was added, and still a name
  Status remove_name(std::string_view name);
  // At one moment: whoever had them, from now on they mean `model`.
  Status move_names(const std::vector<std::string>& names, ModelIndex model);

  // From now on events go to `listener`; empty functions: they are dropped. When this returns,
  // the former listener is not being called and never will be.
  void listen(Listener listener);

  // By one of its names; else the model that answers to any. An empty name is nobody's.
  std::optional<ModelIndex> find(std::string_view name) const;
  bool has_name(std::string_view name) const;  // exactly this one
  std::size_t size() const;
  std::vector<std::string> names(ModelIndex model) const;  // none: it is removed
  std::string name(ModelIndex model) const;  // its own; empty: it is gone

  // A use of a model. kUnavailable: it is not in memory; want() it. kInternal: its last load
  // failed, and the next try is not due yet; the message says why.
  Result<ModelLease> lease(ModelIndex model);
  // The same by name, at one moment. kNotFound: nobody has it.
  Result<ModelLease> lease(std::string_view name);
  // From now on lease(name) goes round these models in proportion to their shares, as evenly as can
  // be; one that cannot be leased just then leaves its turn to the name's own model. None: as
  // before. kNotFound: nobody has that name, or a model is gone.
  struct Share {
    ModelIndex model = 0;
    std::uint32_t weight = 0;
  };
  Status route(const std::string& name, std::vector<Share> shares);

  // Looks at every model that is in memory and not removed, which is no use of it. `look` must be
  // quick: nobody can have a lease meanwhile.
  void visit(const std::function<void(ModelIndex, const HostedModel&)>& look) const;

  // A lease; or null: it will be loaded and its arrival told. kInternal: as lease(). kUnavailable:
  // draining, or asleep.
  Result<ModelLease> want(ModelIndex model);
  // When its users have finished. kUnavailable: it is being loaded.
  Status unload(ModelIndex model);
  // How long it stays without users, as ModelShelf has it. A model that is gone has no stay.
  void set_keep_alive(ModelIndex model, std::optional<Nanos> keep_alive);
  // From now on it goes only when somebody unloads it, or all sleep: ModelShelf. Who takes the
  // place of a pinned one in a change is pinned.
  Status set_pinned(ModelIndex model, bool is_pinned);
  // Waits for a model, for start-up.
  Result<ModelLease> load_now(ModelIndex model);

  const ShelfOptions& options() const;
  std::vector<ModelRow> rows() const;  // in the order of their indexes
  std::optional<ModelRow> row(ModelIndex model) const;
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
  void end(ModelIndex model, std::unique_ptr<HostedModel> leaving);
  void fail(ModelIndex model, Status reason);
  void tell_arrival(ModelIndex model, Result<ModelLease> outcome);
  void tell_step(ModelIndex model, StepEvents step);
  void give_back(ModelIndex model);
  Entry& busy_entry(ModelIndex model) const;  // of the loading thread: it is not removed meanwhile

  // Under the lock.
  Entry* entry(ModelIndex model) const;  // null: it is removed
  std::optional<ModelIndex> find_locked(std::string_view name) const;
  Result<ModelLease> lease_locked(ModelIndex model);
  Status check_new_name(const std::string& name) const;
  ModelIndex enter(ModelRecipe recipe, bool is_staged);
  Status check_change(const ModelSwitch& change) const;
  bool leave(ModelIndex model);  // it is removed; whether somebody awaits it
  void take_name_from(ModelIndex model, std::string_view name);
  std::unique_ptr<HostedModel> take_away(ModelIndex model);
  bool stays_ready(ModelIndex model);
  ModelLease make_lease(ModelIndex model);
  ModelRow row_of(ModelIndex model, const Entry& entry) const;
  void for_each_engine(const std::function<void(ModelIndex, Engine&)>& look) const;

  std::unique_ptr<State> state_;
};

}  // namespace quire
