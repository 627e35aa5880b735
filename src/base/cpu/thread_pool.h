// ThreadPool: a fixed crew that runs one function on every worker and waits for all. The caller is
// worker 0. Between runs workers spin for at most 50 us, so that the many short ops of a step cost
// about a microsecond each, and then park in the kernel. Workers are pinned to cores (never worker
// 0, which is the caller's thread) only when there are fewer threads than cores.
// One run at a time, from one thread; runs do not nest. Floating point in workers has the default
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
    using Plain = std::remove_reference_t<Body>;
    run_erased([](void* context, int worker,
                  int workers) { (*static_cast<Plain*>(context))(worker, workers); },
               const_cast<void*>(static_cast<const void*>(&body)));
  }

  // Calls body(item, worker) for every item in [0, count), handed out one by one. A single item
  // runs on the caller without waking anybody.
  template <typename Body>
  void for_each(int count, Body&& body) {
    if (count <= 1 || threads() == 1) {
      set_default_float_modes();
      for (int item = 0; item < count; ++item) body(item, 0);
      return;
    }
    std::atomic<int> next = 0;
    run([&](int worker, int) {
      for (int item = next.fetch_add(1, std::memory_order_relaxed); item < count;
           item = next.fetch_add(1, std::memory_order_relaxed)) {
        body(item, worker);
      }
    });
  }

 private:
  using Function = void (*)(void* context, int worker, int workers);

  static void set_default_float_modes();
  void run_erased(Function function, void* context);
  void serve(int worker, int core);

  std::vector<std::thread> workers_;
  Function function_ = nullptr;  // written before generation_, read after
  void* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> generation_ = 0;  // one per run; the last one stops
  alignas(64) std::atomic<std::int32_t> unfinished_ = 0;   // workers still in this run
  bool stopping_ = false;
};

}  // namespace quire
