// LocalExecutor: one model on this process's device. Depth 1: launch computes, sample draws, finish
// hands over. From launch to finish it holds the device's turn, so that models on one device
// alternate step by step. Owns the backend, the model (through its runner) and the KV memory.
// Called by the engine thread; by tests and benchmarks directly. health(): any thread.
#pragma once

#include <functional>
#include <memory>

#include "core/executor.h"
#include "runtime/model_runner.h"

namespace quire {

class LocalExecutor : public Executor {
 public:
  // `health` says, after each step, whether what the model is read from is still there: a step that
  // may have read nothing instead is a fault. Empty: it is not asked.
  LocalExecutor(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model,
                std::unique_ptr<KvStore> kv, Capacity capacity,
                std::function<Status()> health = {});

  const Capacity& capacity() const override { return capacity_; }
  Ticket launch(const StepPlan& plan) override;
  void sample(Ticket ticket, const SampleSpec& spec) override;
  StepResult finish(Ticket ticket) override;
  void for_each(std::size_t count, const std::function<void(std::size_t)>& work) override {
    backend_->for_each_on_host(count, work);
  }

  Status health() const { return health_ ? health_() : ok_status(); }
  Backend& backend() { return *backend_; }
  ModelRunner& runner() { return runner_; }

 private:
  std::unique_ptr<Backend> backend_;
  Capacity capacity_;
  ModelRunner runner_;
  std::function<Status()> health_;
  StepPlan plan_;        // launched and not finished
  Turns::Turn turn_;     // held meanwhile
  StepResult result_;
  Nanos launched_at_{0};  // when the turn came
  Nanos waited_{0};      // for the turn
  Nanos inputs_{0};      // time of feeding the plan
};

}  // namespace quire
