// ThreadPool: a fixed crew that works on one op at a time. The caller is worker 0. Between ops
// workers spin for at most 50 us, so that the many short ops of a step cost about a microsecond
// each, and then park in the kernel. Workers are pinned to cores (never worker 0, which is the
// caller's thread) only when there are fewer threads than cores.
// Items of an op belong to workers in contiguous ranges, so that each reads memory in one stream;
// who has finished his own takes from the end of another's. An op is over when its items are: a
// worker that the system has not woken in time is not waited for.
// One op at a time, from one thread; ops do not nest. Floating point in workers has the default
// modes (round to nearest, no flushing of denormals), as batch invariance demands.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace quire {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(worker, workers) once on each worker and returns when all are done.
  template <typename Body>
  void run(Body&& body) {
    run_erased(Call::of([](void* context, int worker, int workers) {
      (*static_cast<std::remove_reference_t<Body>*>(context))(worker, workers);
    }, body), threads() - 1);
  }

  // Calls body(item, worker) for every item in [0, count). A single item runs on the caller
  // without waking anybody.
  template <typename Body>
  void for_each(int count, Body&& body) {
    if (count <= 1 || threads() == 1) {
      set_default_float_modes();
      for (int item = 0; item < count; ++item) body(item, 0);
      return;
    }
    share_out(count);
    const auto work = [&](int worker, int workers) {
      for (int victim = worker, tried = 0; tried < workers; ++tried) {
        const bool is_own = victim == worker;
        for (int item; (item = is_own ? take_first(victim) : take_last(victim)) >= 0;) {
          body(item, worker);
        }
        victim = victim + 1 < workers ? victim + 1 : 0;
      }
    };
    run_erased(Call::of([](void* context, int worker, int workers) {
      (*static_cast<decltype(work)*>(context))(worker, workers);
    }, work), 0);
  }

 private:
  struct Call {
    void (*function)(void* context, int worker, int workers) = nullptr;
    void* context = nullptr;

    template <typename Body>
    static Call of(void (*function)(void*, int, int), Body& body) {
      return {function, const_cast<void*>(static_cast<const void*>(&body))};
    }
  };
  struct alignas(64) Range {
    std::atomic<std::uint64_t> items = 0;  // begin << 32 | end
  };

  static void set_default_float_modes();
  void run_erased(const Call& call, int workers_min);  // returns when that many have taken part
  void share_out(int count);
  int take_first(int owner);  // -1: none left
  int take_last(int owner);
  bool join(std::uint32_t generation);
  void serve(int worker, int core);

  std::vector<std::thread> workers_;
  std::vector<Range> ranges_;  // [threads]
  Call call_;                  // written before state_ opens, read by those who joined
  alignas(64) std::atomic<std::uint32_t> generation_ = 0;  // one per run; the last one stops
  alignas(64) std::atomic<std::uint64_t> state_ = 0;       // of the current run; see the source
  bool stopping_ = false;
};

}  // namespace quire
