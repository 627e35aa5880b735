#include "base/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <cfenv>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu/cpu_info.h"

namespace quire {
namespace {

constexpr Nanos kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Waits until `value` is no longer `old`: first spinning, then parked.
template <typename T>
void wait_while_equal(const std::atomic<T>& value, T old) {
  const Nanos deadline = SteadyClock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (SteadyClock::now() < deadline);
  value.wait(old, std::memory_order_acquire);
}

// The core for worker `index` of a pool that leaves cores free; -1: do not pin.
int core_of_worker(int index, int threads) {
  if (threads >= cpu_info().cores) return -1;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return -1;
  for (int core = 0, seen = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &mask) && seen++ == index) return core;
  }
  return -1;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  QUIRE_CHECK(threads >= 1 && threads <= 1024, "a pool of {} threads", threads);
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back(&ThreadPool::serve, this, worker, core_of_worker(worker, threads));
  }
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::set_default_float_modes() {
  // The environment of a thread is ours from its first op on; who changes it later breaks the
  // house.
  thread_local const bool is_set = std::fesetenv(FE_DFL_ENV) == 0;
  QUIRE_CHECK(is_set, "the floating-point environment cannot be set");
}

void ThreadPool::run_erased(Function function, void* context) {
  set_default_float_modes();
  const int count = threads();
  if (count == 1) return function(context, 0, 1);
  function_ = function;
  context_ = context;
  unfinished_.store(count - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  function(context, 0, count);
  for (std::int32_t left = unfinished_.load(std::memory_order_acquire); left != 0;
       left = unfinished_.load(std::memory_order_acquire)) {
    wait_while_equal(unfinished_, left);
  }
}

void ThreadPool::serve(int worker, int core) {
  if (core >= 0) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(static_cast<std::size_t>(core), &mask);
    pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);  // a wish; failing is harmless
  }
  set_default_float_modes();
  for (std::uint32_t seen = 0;; ++seen) {
    wait_while_equal(generation_, seen);
    if (stopping_) return;
    function_(context_, worker, threads());
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
}

}  // namespace quire
