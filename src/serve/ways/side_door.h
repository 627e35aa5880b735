// SideDoor: another way into the server than HTTP/1.1, with protocols of its own. It brings what it
// hears as exchanges to the front door's handler, on the I/O thread, and carries the answers back,
// so that everything behind it (keys, routes, service, metrics, draining) is the same. It has
// threads of its own if it likes.
// listen() before the server runs; the rest on the I/O thread. Made by apps, owned by Server.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "base/status.h"
#include "serve/http/exchange.h"
#include "serve/route.h"

namespace quire {

class SideDoor {
 public:
  struct Ports {
    std::string host;                        // the address to listen on
    std::string certfile, keyfile;           // of TLS; empty: none
    http::Limits limits;
    http::Handler* handler = nullptr;        // I/O thread; outlives the door
    std::function<void(std::function<void()>)> to_io;  // any thread
  };

  virtual ~SideDoor() = default;

  virtual std::span<const Dialect* const> dialects() const = 0;
  virtual Status listen(Ports ports) = 0;
  virtual int port() const = 0;

  virtual std::size_t answering() const = 0;  // exchanges that have not ended
  // Ends what is left. `done` is called on the I/O thread, and nothing of this door after it.
  virtual void close(std::function<void()> done) = 0;
};

}  // namespace quire
