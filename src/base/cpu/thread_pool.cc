#include "base/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <cfenv>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu/cpu_info.h"

namespace quire {
namespace {

// The state of a run: generation << 32 | is open | workers that joined << 16 | workers at work.
constexpr std::uint64_t kOpen = std::uint64_t{1} << 31;
constexpr std::uint64_t kJoin = (std::uint64_t{1} << 16) + 1;
constexpr std::uint64_t kAtWork = 0xFFFF;

constexpr std::uint32_t joined(std::uint64_t state) { return state >> 16 & 0x7FFF; }

constexpr Nanos kSpin = std::chrono::microseconds(50);
constexpr int kSpinsBeforeYield = 1024;

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

ThreadPool::ThreadPool(int threads)
    : first_(static_cast<std::size_t>(threads)), second_(static_cast<std::size_t>(threads)) {
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

void ThreadPool::share_out(Ranges& ranges, int count) {
  const std::uint64_t workers = ranges.size();
  for (std::uint64_t worker = 0; worker < workers; ++worker) {
    const std::uint64_t begin = static_cast<std::uint64_t>(count) * worker / workers;
    const std::uint64_t end = static_cast<std::uint64_t>(count) * (worker + 1) / workers;
    ranges[worker].items.store(begin << 32 | end, std::memory_order_relaxed);
  }
}

int ThreadPool::take_first(Range& range) {
  std::atomic<std::uint64_t>& items = range.items;
  std::uint64_t seen = items.load(std::memory_order_relaxed);
  while (seen >> 32 < (seen & 0xFFFFFFFF)) {
    if (items.compare_exchange_weak(seen, seen + (std::uint64_t{1} << 32),
                                    std::memory_order_relaxed)) {
      return static_cast<int>(seen >> 32);
    }
  }
  return -1;
}

int ThreadPool::take_last(Range& range) {
  std::atomic<std::uint64_t>& items = range.items;
  std::uint64_t seen = items.load(std::memory_order_relaxed);
  while (seen >> 32 < (seen & 0xFFFFFFFF)) {
    if (items.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed)) {
      return static_cast<int>((seen & 0xFFFFFFFF) - 1);
    }
  }
  return -1;
}

// Spins, since the others are at work on their last items; lets them run where cores are short.
void ThreadPool::wait_for_first() const {
  for (int spins = 0; left_.load(std::memory_order_acquire) > 0; ++spins) {
    if (spins < kSpinsBeforeYield) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::run_erased(const Call& call, int workers_min) {
  set_default_float_modes();
  const int count = threads();
  if (count == 1) return call.function(call.context, 0, 1);
  call_ = call;
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  state_.store(std::uint64_t{generation} << 32 | kOpen, std::memory_order_release);
  generation_.store(generation, std::memory_order_release);
  generation_.notify_all();
  call.function(call.context, 0, count);
  std::uint64_t state = state_.load(std::memory_order_acquire);
  for (; joined(state) < static_cast<std::uint32_t>(workers_min);
       state = state_.load(std::memory_order_acquire)) {
    wait_while_equal(state_, state);
  }
  state = state_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  for (; (state & kAtWork) != 0; state = state_.load(std::memory_order_acquire)) {
    wait_while_equal(state_, state);
  }
}

// Takes part in the run of this generation, unless it is over.
bool ThreadPool::join(std::uint32_t generation) {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  while (state >> 32 == generation && (state & kOpen) != 0) {
    if (state_.compare_exchange_weak(state, state + kJoin, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void ThreadPool::serve(int worker, int core) {
  if (core >= 0) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(static_cast<std::size_t>(core), &mask);
    pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);  // a wish; failing is harmless
  }
  set_default_float_modes();
  for (std::uint32_t seen = 0;;) {
    wait_while_equal(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_) return;
    if (!join(seen)) continue;
    call_.function(call_.context, worker, threads());
    state_.fetch_sub(1, std::memory_order_acq_rel);
    state_.notify_one();
  }
}

}  // namespace quire
