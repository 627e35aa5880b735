// ModelHost: the models of this process, found by name, and the way of their events to whoever
// listens (serve's Service). A model is added before traffic starts and lives as long as the host.
// add() and listen(): the thread that starts the process. Queries: any thread. Events: each
// engine's own thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "host/hosted_model.h"

namespace quire {

class ModelHost {
 public:
  using Listener = std::function<void(StepEvents)>;
  using MakeEngine = std::function<std::unique_ptr<Engine>(EventSink)>;

  ModelHost() = default;
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;
  ~ModelHost();

  // `make_engine` gets the sink that the new engine must report to. kInvalidArgument: no name, or
  // one that another model has.
  Status add(HostedModel model, const MakeEngine& make_engine);

  // From now on every step's events go to `listener`, on the engine's thread; null: they are
  // dropped. When this returns, the former listener is not being called and never will be.
  void listen(Listener listener);

  const HostedModel* find(std::string_view name) const;  // null if there is none
  const std::vector<std::unique_ptr<HostedModel>>& models() const { return models_; }

  void drain();          // every engine: finish what was accepted, accept nothing
  bool is_idle() const;  // no engine has work left

 private:
  void deliver(StepEvents step);

  std::mutex mutex_;
  Listener listener_;  // guarded by mutex_
  std::vector<std::unique_ptr<HostedModel>> models_;
};

}  // namespace quire
