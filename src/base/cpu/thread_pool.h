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
    dispatch(body, threads() - 1);
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
    share_out(first_, count);
    const auto work = [&](int worker, int) { drain(first_, worker, body); };
    dispatch(work, 0);
  }

  // Two kinds of items in one dispatch: nobody begins one of the second kind before all of the
  // first are done, and what their bodies wrote is seen. In place of two calls of for_each: nobody
  // is woken twice, and the caller has nothing to do in between.
  template <typename First, typename Second>
  void for_each_then(int first_count, First&& first, int second_count, Second&& second) {
    if (threads() == 1) {
      for_each(first_count, first);
      return for_each(second_count, second);
    }
    share_out(first_, first_count);
    share_out(second_, second_count);
    left_.store(first_count, std::memory_order_relaxed);
    const auto work = [&](int worker, int) {
      if (const int done = drain(first_, worker, first); done > 0) {
        left_.fetch_sub(done, std::memory_order_acq_rel);
      }
      wait_for_first();
      drain(second_, worker, second);
    };
    dispatch(work, 0);
  }

 private:
  struct Call {
    void (*function)(void* context, int worker, int workers) = nullptr;
    void* context = nullptr;
  };
  struct alignas(64) Range {
    std::atomic<std::uint64_t> items = 0;  // begin << 32 | end
  };

  using Ranges = std::vector<Range>;  // [threads]

  // Calls work(worker, workers) on every worker that takes part.
  template <typename Work>
  void dispatch(Work& work, int workers_min) {
    void* context = const_cast<void*>(static_cast<const void*>(&work));
    run_erased({[](void* work, int worker, int workers) {
                  (*static_cast<Work*>(work))(worker, workers);
                },
                context},
               workers_min);
  }

  // Works on a worker's own items in order, then on the ends of the others'; how many.
  template <typename Body>
  int drain(Ranges& ranges, int worker, Body& body) {
    int done = 0;
    for (int victim = worker, tried = 0; tried < threads(); ++tried) {
      const bool is_own = victim == worker;
      Range& range = ranges[static_cast<std::size_t>(victim)];
      for (int item; (item = is_own ? take_first(range) : take_last(range)) >= 0; ++done) {
        body(item, worker);
      }
      victim = victim + 1 < threads() ? victim + 1 : 0;
    }
    return done;
  }

  static void set_default_float_modes();
  void run_erased(const Call& call, int workers_min);  // returns when that many have taken part
  static void share_out(Ranges& ranges, int count);
  static int take_first(Range& range);  // -1: none left
  static int take_last(Range& range);
  void wait_for_first() const;
  bool join(std::uint32_t generation);
  void serve(int worker, int core);

  std::vector<std::thread> workers_;
  Ranges first_, second_;      // items of a dispatch
  Call call_;                  // written before state_ opens, read by those who joined
  alignas(64) std::atomic<std::uint32_t> generation_ = 0;  // one per run; the last one stops
  alignas(64) std::atomic<std::uint64_t> state_ = 0;       // of the current run; see the source
  alignas(64) std::atomic<int> left_ = 0;  // of the first kind, not done
  bool stopping_ = false;
};

}  // namespace quire
