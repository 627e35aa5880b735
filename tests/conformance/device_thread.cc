#include "device_thread.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quire::testing {

DeviceThread::DeviceThread(std::unique_ptr<Executor> device)
    : device_(std::move(device)), thread_([this] { run(); }) {}

DeviceThread::~DeviceThread() {
  {
    const std::lock_guard lock(mutex_);
    QUIRE_CHECK(jobs_.empty(), "{} steps are still in flight", jobs_.size());
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Ticket DeviceThread::launch(const StepPlan& plan) {
  const Status status = validate(plan, capacity());  // where the caller stands
  QUIRE_CHECK(status.is_ok(), "step {}: {}", plan.step, status.message());
  {
    const std::lock_guard lock(mutex_);
    QUIRE_CHECK(jobs_.size() < capacity().depth, "{} steps are in flight", jobs_.size());
    jobs_.emplace_back().plan = plan;
  }
  changed_.notify_all();
  return {plan.step};
}

void DeviceThread::sample(Ticket ticket, const SampleSpec& spec) {
  {
    const std::lock_guard lock(mutex_);
    const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const Job& it) { return it.plan.step == ticket.step; });
    QUIRE_CHECK(job != jobs_.end() && !job->is_sampled, "step {} cannot be sampled", ticket.step);
    job->spec = spec;
    job->is_sampled = true;
  }
  changed_.notify_all();
}

StepResult DeviceThread::finish(Ticket ticket) {
  std::unique_lock lock(mutex_);
  QUIRE_CHECK(!jobs_.empty() && jobs_.front().plan.step == ticket.step,
              "step {} is finished out of order", ticket.step);
  changed_.wait(lock, [this] { return jobs_.front().is_done; });
  StepResult result = std::move(jobs_.front().result);
  jobs_.pop_front();
  --begun_;
  return result;
}

void DeviceThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_stopping_ || begun_ < jobs_.size(); });
    if (is_stopping_) return;
    Job& job = jobs_[begun_++];
    lock.unlock();
    const Ticket ticket = device_->launch(job.plan);
    lock.lock();
    changed_.wait(lock, [&job] { return job.is_sampled; });
    lock.unlock();
    device_->sample(ticket, job.spec);
    StepResult result = device_->finish(ticket);
    lock.lock();
    job.result = std::move(result);
    job.is_done = true;
    changed_.notify_all();
  }
}

}  // namespace quire::testing
