// Transfer: one handle of libcurl and the exchange under way on it: options, callbacks, what came.
// Redirects are followed (never from https to http), and a token goes to the host that it was meant
// for, not to where that redirects. One thread at a time; a finished one is used again.
// Used by Client, which waits for one, and Crowd, which waits for many.
#pragma once

#include <atomic>
#include <memory>

#include "net/message.h"

namespace quire::net {

class Transfer {
 public:
  // `stop`, if given, ends what is under way when it becomes true.
  Transfer(const Limits& limits, const std::atomic<bool>* stop);
  ~Transfer();
  Transfer(const Transfer&) = delete;

  // Sets everything up but sends nothing. REQUIRES: `request` lives until outcome().
  void begin(const Request& request);

  // After the handle's transfer ended with `code` (a CURLcode): what the server answered, whatever
  // its status; kUnavailable if it did not; or the sink's own error.
  Result<Response> outcome(int code);

  const char* failure() const;  // of the last outcome, as libcurl calls it
  void* handle() const;         // a CURL*

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire::net
