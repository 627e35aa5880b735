// ModelShelf: which models are in memory, which come, which go. It keeps the books (states, bytes,
// users, failures) and names the next thing to do; ModelHost does it and reports back. No thread,
// no clock: whoever owns it says what time it is.
//
// The rules. A model that is to go, goes as soon as nobody uses it. Wishes are served one after the
// other, oldest first: a model's files are opened, which tells how much memory it takes, and it is
// loaded when it fits beside the others; until then those used least recently have to go, idle ones
// first. A busy one is not taken from its users: it takes no new ones and goes when the last has
// finished, so a wish is always granted in the end. Who has been idle for its keep-alive goes; a
// model may have one of its own, as long as it is in memory. A pinned one, once it is in memory,
// goes for neither reason, only where it is dismissed; what does not fit beside those is refused.
// After a failed load the next attempt is retry_after away.
// Used by model_host, under its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/nanos.h"
#include "base/status.h"

namespace quire {

enum class ModelState : std::uint8_t {
  kUnloaded,
  kWanted,     // its files are to be opened, or it waits for memory
  kLoading,
  kReady,
  kUnloading,  // takes no new users; goes when the last has left
};
// "unloaded", "loading", ...: kWanted is loading to whoever asks.
std::string_view model_state_name(ModelState state);

inline constexpr Nanos kForever = Nanos::max();

struct ShelfOptions {
  std::uint64_t bytes_max = 0;  // of all models together; 0: no bound
  Nanos keep_alive = kForever;  // without users
  Nanos retry_after = std::chrono::seconds(5);
};

class ModelShelf {
 public:
  explicit ModelShelf(ShelfOptions options) : options_(options) {}

  std::size_t add() { return models_.emplace(next_, Model{}), next_++; }
  void remove(std::size_t model) { models_.erase(model); }  // which is not in memory
  const ShelfOptions& options() const { return options_; }
  std::uint64_t bytes_used() const;  // of what is in memory, or on its way in or out

  ModelState state(std::size_t model) const { return models_.at(model).state; }
  std::uint64_t bytes(std::size_t model) const { return models_.at(model).bytes; }
  std::uint32_t users(std::size_t model) const { return models_.at(model).users; }
  Nanos used_at(std::size_t model) const { return models_.at(model).used_at; }
  Nanos busy_since(std::size_t model) const { return models_.at(model).busy_since; }  // has users
  // Why the last load failed; ok after one that went well. It holds until retry_at.
  const Status& failure(std::size_t model) const { return models_.at(model).failure; }
  Nanos retry_at(std::size_t model) const { return models_.at(model).retry_at; }
  bool may_try(std::size_t model, Nanos now) const {
    return models_.at(model).failure.is_ok() || now >= models_.at(model).retry_at;
  }

  // --- wishes ---

  void want(std::size_t model);  // nothing where it is ready, or coming
  void lease(std::size_t model, Nanos now);  // of a model that is ready: one user more
  // One user less. Whether next() may now have something to do.
  bool give_back(std::size_t model, Nanos now);
  // How long a model that is in memory stays without users, until it leaves or this is said again;
  // nothing: as the options say. Whether next() may now have something to do.
  bool set_keep_alive(std::size_t model, std::optional<Nanos> keep_alive);
  Nanos keep_alive(std::size_t model) const {
    return models_.at(model).keep_alive.value_or(options_.keep_alive);
  }
  // Whether it stays, from now on: also over loads.
  void pin(std::size_t model, bool is_pinned) { models_.at(model).is_pinned = is_pinned; }
  bool is_pinned(std::size_t model) const { return models_.at(model).is_pinned; }
  std::uint64_t pinned_bytes() const;  // of those in memory that stay
  // A ready model is to go; nothing for one that goes already or is not here.
  // kUnavailable: it is being loaded.
  Status dismiss(std::size_t model);
  // Who wants it back while it goes does not any more. Whether somebody did.
  bool forget_missed(std::size_t model) {
    return std::exchange(models_.at(model).is_missed, false);
  }

  // --- what to do next ---

  enum class Work : std::uint8_t {
    kRest,    // nothing before `until`, or before something is told
    kOpen,    // its files: then opened() or failed()
    kLoad,    // then loaded() or failed()
    kRefuse,  // it can never fit: then failed()
    kUnload,  // nobody uses it: then unloaded()
  };
  struct Task {
    Work work = Work::kRest;
    std::size_t model = 0;
    Nanos until = kForever;
  };
  // The task counts as begun. One at a time.
  Task next(Nanos now);

  void opened(std::size_t model, std::uint64_t bytes) {
    models_.at(model).bytes = bytes;
    models_.at(model).is_open = true;
  }
  void loaded(std::size_t model, Nanos now);
  void failed(std::size_t model, Status reason, Nanos now);
  void unloaded(std::size_t model);

 private:
  struct Model {
    ModelState state = ModelState::kUnloaded;
    bool is_open = false;         // while wanted: `bytes` is known
    bool is_missed = false;       // wanted again while it goes
    bool is_pinned = false;
    std::uint64_t wish = 0;       // number of the wish
    std::uint64_t bytes = 0;
    std::uint32_t users = 0;
    std::uint64_t use = 0;        // number of the last use
    Nanos used_at{0};
    Nanos busy_since{0};
    std::optional<Nanos> keep_alive;
    Status failure;
    Nanos retry_at{0};
  };

  using Models = std::map<std::size_t, Model>;

  static bool is_in_memory(const Model& model);
  static bool stays_pinned(const Model& model);
  void touch(Model& model, Nanos now);
  Models::iterator oldest_wish();
  Model* least_recently_used();  // of the ready, idle ones first
  bool make_room(std::uint64_t bytes);
  Nanos end_keep_alives(Nanos now);

  ShelfOptions options_;
  Models models_;
  std::size_t next_ = 0;  // the index of who comes
  std::uint64_t wishes_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace quire
