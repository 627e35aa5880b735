// Listener: accepts connections on one address, counts them, and turns away those beyond the limit.
// Their coroutines run on the I/O thread.
// Used by Server.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/status.h"
#include "serve/http/asio.h"
#include "serve/http/connection.h"

namespace quire::http {

class Listener {
 public:
  Listener(asio::io_context& io, const Limits& limits, Handler& handler)
      : io_(&io), limits_(&limits), handler_(&handler), acceptor_(io), pause_(io) {}

  Status listen(const std::string& host, int port);  // port 0: any that is free

  // Connections from now on speak TLS on these terms.
  void secure(std::shared_ptr<TlsContext> tls) { tls_ = std::move(tls); }

  int port() const { return port_; }
  bool is_loopback() const { return is_loopback_; }

  void start();  // accepting
  void stop();   // accepting; connections go on
  void close_connections();

  std::size_t connections() const { return connections_.size(); }
  std::size_t answering() const;  // connections with an answer under way

 private:
  asio::awaitable<void> accept();
  void admit(asio::ip::tcp::socket socket);

  asio::io_context* io_;
  const Limits* limits_;
  Handler* handler_;
  std::shared_ptr<TlsContext> tls_;  // null: plain HTTP
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::unordered_set<Connection*> connections_;
  std::unordered_set<Connection*> refused_;  // being turned away; few
  int port_ = 0;
  bool is_loopback_ = false;
};

}  // namespace quire::http
