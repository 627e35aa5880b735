// A number for everybody who asks, and one counter that says whose turn it is.
#include "base/cpu/turns.h"

#include "base/check.h"

namespace quire {

Turns::Turn Turns::take() {
  const std::thread::id me = std::this_thread::get_id();
  QUIRE_CHECK(holder_.load() != me, "a thread asks for a turn while it holds one");
  std::unique_lock lock(mutex_);
  const std::uint64_t number = asked_++;
  ended_.wait(lock, [&] { return served_ == number; });
  holder_.store(me);
  return Turn(*this);
}

std::uint64_t Turns::waiting() {
  const std::lock_guard lock(mutex_);
  const bool is_held = holder_.load() != std::thread::id();
  return asked_ - served_ - (is_held ? 1 : 0);
}

void Turns::end() {
  bool has_waiters = false;
  {
    const std::lock_guard lock(mutex_);
    QUIRE_CHECK(served_ < asked_, "turn {} ends, {} were asked for", served_, asked_);
    holder_.store({});
    has_waiters = ++served_ != asked_;
  }
  if (has_waiters) ended_.notify_all();  // few wait, and only one number fits
}

}  // namespace quire
