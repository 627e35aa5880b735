// DeviceThread: any executor behind a thread of its own, as a device that runs beside the host: a
// plan is launched while the one before it is still computed. The real one sees what it always
// sees, one step after the other; promises resolve there. Its capacity must have the depth that is
// wanted. Calls: the engine thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "core/executor.h"

namespace quire::testing {

class DeviceThread : public Executor {
 public:
  explicit DeviceThread(std::unique_ptr<Executor> device);
  ~DeviceThread() override;  // what was launched must be finished

  const Capacity& capacity() const override { return device_->capacity(); }
  Ticket launch(const StepPlan& plan) override;
  void sample(Ticket ticket, const SampleSpec& spec) override;
  StepResult finish(Ticket ticket) override;

 private:
  struct Job {
    StepPlan plan;
    SampleSpec spec;
    StepResult result;
    bool is_sampled = false;
    bool is_done = false;
  };
  void run();

  std::unique_ptr<Executor> device_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;   // launched and not finished, oldest first; references stay valid
  std::size_t begun_ = 0;  // of jobs_, how many the thread has taken
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace quire::testing
