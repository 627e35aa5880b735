// Crowd: many exchanges at once on the calling thread, each on a connection of its own. begin()
// starts one, advance() lets bytes flow and calls `done` of those that ended, which may begin
// others (a sink may not). Nothing happens outside of these calls.
// One thread. Used by the load generator.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "net/message.h"

namespace quire::net {

class Crowd {
 public:
  using Done = std::function<void(Result<Response>)>;

  explicit Crowd(const Limits& limits);
  ~Crowd();  // what is under way ends without `done`

  void begin(Request request, Done done);

  // Waits until something happens, for `wait_max` at most.
  void advance(std::chrono::milliseconds wait_max);

  std::size_t under_way() const;

 private:
  struct Exchange;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire::net
