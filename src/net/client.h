// Client: one connection to the outside over libcurl, for one thread at a time, which it blocks.
// Failures of the transport are kUnavailable; what a server answers, whatever its status, is a
// response. The connection is kept for the next request to the same host.
// Used by hub_client, python_index, range_fetch and server_client.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "net/message.h"

namespace quire::net {

class Transfer;

class Client {
 public:
  // `stop`, if given, ends what is under way when it becomes true.
  explicit Client(const Limits& limits, const std::atomic<bool>* stop = nullptr);
  ~Client();
  Client(Client&&) noexcept;

  Result<Response> send(const Request& request);

  // Why the last one had no answer, in a few words that repeat no address: "Couldn't connect to
  // server".
  std::string_view failure() const;

  // The same, again after failures that may pass: for small answers.
  Result<Response> send_patiently(const Request& request);

 private:
  Limits limits_;
  std::unique_ptr<Transfer> transfer_;
};

// How long to wait before the next attempt; nothing when it is no use: the attempts are used up or
// the server asks for more than wait_max. `failures` counts from 1.
std::optional<std::chrono::milliseconds> wait_before_retry(const Limits& limits, int failures,
                                                           const Response* response);

// False: Limits::stop wants it to end, which is heard within some tens of milliseconds.
bool sleep_unless_stopped(const Limits& limits, std::chrono::milliseconds time);

}  // namespace quire::net
