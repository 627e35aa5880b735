// A model for tests of who comes, stays and goes: a "file" whose opening passes a door and fails as
// its test likes, a ScriptExecutor in place of weights, and a listener that remembers.
// Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/testing/script_executor.h"
#include "host/model_host.h"

namespace quire {

// Opening a model passes it, so that "while it loads" is a fact.
class Door {
 public:
  void set_open(bool is_open) {
    const std::lock_guard lock(mutex_);
    is_open_ = is_open;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = true;
};

// A model's file: what opening and loading it comes to.
struct ScriptFile {
  std::uint64_t bytes = 40;
  DynamicBatching batching = {};
  Door door;
  Door exit;  // what was loaded from it passes when it ends
  std::atomic<bool> is_damaged{false};
  std::atomic<bool> throws{false};
  std::atomic<bool> is_lost{false};  // under the model that was loaded from it
  std::atomic<int> opened{0};
  std::atomic<int> alive{0};  // models in memory
};

inline Result<std::unique_ptr<HostedModel>> load_script(ScriptFile& file, EventSink sink) {
  auto model = std::make_unique<HostedModel>();
  ++file.alive;
  model->files = std::shared_ptr<const void>(&file, [&](const void*) {
    file.exit.pass();
    --file.alive;
  });
  ScriptOptions script{.capacity = script_capacity(16)};
  model->info.context_max = 64;
  model->health = [&file] {
    return file.is_lost ? error(StatusCode::kCorrupt, "it was cut") : ok_status();
  };
  model->engine = std::make_unique<Engine>(
      EngineOptions{.batching = file.batching},
      std::make_unique<ScriptExecutor>(std::move(script)), nullptr,
      std::move(sink));
  return model;
}

inline ModelRecipe script_recipe(std::vector<std::string> names, ScriptFile& file) {
  return {std::move(names), [&file]() -> Result<OpenedModel> {
            ++file.opened;
            file.door.pass();
            if (file.throws) throw std::runtime_error("the library gave up");
            if (file.is_damaged) return error(StatusCode::kCorrupt, "byte 7 is wrong");
            return OpenedModel{file.bytes,
                               [&file](EventSink sink) {
                                 return load_script(file, std::move(sink));
                               }};
          }};
}

inline Request small_request(std::uint64_t id) {
  Request request;
  request.id = RequestId{id};
  request.prompt = {1, 2, 3};
  request.params.tokens_max = 2;
  request.params.ignore_eos = true;
  return request;
}

// Remembers what it was told.
class Ear {
 public:
  explicit Ear(ModelHost& host) : host_(host) {
    host.listen({.step = [this](auto, StepEvents step) { hear(step); },
                 .arrival = [this](auto model, auto outcome) { hear(model, std::move(outcome)); }});
  }
  ~Ear() { host_.listen({}); }

  void wait_for_ends(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ >= count; });
  }
  Result<ModelLease> wait_for_arrival(std::size_t model) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrivals_.contains(model); });
    Result<ModelLease> outcome = std::move(arrivals_.at(model));
    arrivals_.erase(model);
    return outcome;
  }
  int ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  void hear(const StepEvents& step) {
    const std::lock_guard lock(mutex_);
    for (const TokenEvent& event : step.events) ended_ += event.is_last ? 1 : 0;
    changed_.notify_all();
  }
  void hear(std::size_t model, Result<ModelLease> outcome) {
    const std::lock_guard lock(mutex_);
    arrivals_.insert_or_assign(model, std::move(outcome));
    changed_.notify_all();
  }

  ModelHost& host_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int ended_ = 0;
  std::map<std::size_t, Result<ModelLease>> arrivals_;
};

inline void wait_for_state(const ModelHost& host, std::size_t model, ModelState state) {
  while (host.row(model)->state != state) std::this_thread::yield();
}

}  // namespace quire
