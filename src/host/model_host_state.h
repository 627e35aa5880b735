// What ModelHost holds: seen by its own sources only (model_host.cc: loads, leases and engines;
// model_host_names.cc: who is here, and by which names).
// Any thread, under the mutex where it says so.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "host/model_host.h"
#include "host/turn_book.h"

namespace quire {

struct ModelHost::Entry {
  std::string own_name;
  std::function<Result<OpenedModel>()> recipe;
  // The loading thread's own.
  OpenedModel opened;
  // Under the lock.
  std::vector<std::string> names;  // its own first
  bool is_removed = false;  // leaves when its users have finished
  bool is_staged = false;   // is here for who knows its index
  std::unique_ptr<HostedModel> model;
  ModelInfo info;
  EngineStats past;  // of lives that are over
  std::uint64_t loads = 0, unloads = 0, failures = 0;
  bool is_shown() const { return !is_removed && !is_staged; }  // to who looks at all models
  bool is_telling = false;  // the outcome of a load is on its way to the listener
};

struct ModelHost::State {
  explicit State(ShelfOptions options) : shelf(options) {}

  std::mutex mutex;
  std::condition_variable changed;  // work for the loading thread, or a load is over
  ModelShelf shelf;
  std::map<ModelIndex, std::unique_ptr<Entry>> entries;  // as the shelf has them
  std::map<std::string, ModelIndex, std::less<>> names;  // of those that are not removed
  std::set<std::string, std::less<>> added;              // of these, what add_name() gave
  TurnBook turns;  // of names that are there
  bool is_draining = false;
  bool is_paused = false;
  bool is_asleep = false;
  std::vector<ModelIndex> sleepers;  // that wake() brings back
  bool is_ending = false;

  std::mutex listener_mutex;
  Listener listener;

  std::thread thread;  // last: it uses all of the above
};

// Of a model that has been removed, or never was.
inline Status gone_model() {
  return Status(StatusCode::kNotFound, "The model is no longer served");
}

}  // namespace quire
