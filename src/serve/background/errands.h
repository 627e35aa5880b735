// Errands: long work of few clients, such as fetching a model, each on a thread of its own, so that
// it takes none of the workers by which everybody's requests are read. Bounded: kAtOnce at a time.
// Any thread. Ends when all its errands have: whoever begins one sees to it that it can be stopped.
// Made by Server; used by dialects.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace quire {

class Errands {
 public:
  static constexpr std::size_t kAtOnce = 8;

  Errands() = default;
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;
  ~Errands() { join(); }

  // False: as many are under way as may be. `work` throws nothing.
  bool begin(std::function<void()> work);
  std::size_t under_way() const;
  void join();  // waits for those that are under way

 private:
  struct Errand {
    std::thread thread;
    bool is_over = false;
  };

  std::list<Errand> take_over_ones();  // under the lock; to be joined without it

  mutable std::mutex mutex_;
  std::list<Errand> errands_;
};

}  // namespace quire
