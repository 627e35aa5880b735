// Turns: a first-come first-served lock for what several threads share and use for a while each:
// the compute threads of a device. Whoever asks gets a number and is served in order of numbers, so
// that two busy models alternate step by step and neither starves; std::mutex promises no order.
// Not recursive: who asks again while he holds a turn is told so by a CHECK.
// Any thread. Taken by runtime/local_executor for a step, by the backend to pack a matrix.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

namespace quire {

class Turns {
 public:
  // Held until it is destroyed or given back; by any thread.
  class [[nodiscard]] Turn {
   public:
    Turn() = default;  // holds nothing
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&& other) noexcept {
      give_back();
      turns_ = std::exchange(other.turns_, nullptr);
      return *this;
    }
    ~Turn() { give_back(); }

    void give_back() {
      if (turns_ != nullptr) std::exchange(turns_, nullptr)->end();
    }

   private:
    friend class Turns;
    explicit Turn(Turns& turns) : turns_(&turns) {}

    Turns* turns_ = nullptr;
  };

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  Turn take();  // waits until everybody who asked before has given his turn back

  // How many have asked and wait for who holds a turn.
  std::uint64_t waiting();

 private:
  void end();

  std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t asked_ = 0;   // numbers given out
  std::uint64_t served_ = 0;  // the number whose turn it is
  std::atomic<std::thread::id> holder_;
};

}  // namespace quire
