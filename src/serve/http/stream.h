// Stream: the bytes of one connection, as they are on the socket or through TLS. Reading, writing
// and cancelling are the same for both, one read and one write at a time beside each other; what is
// cancelled or fails is an error code. A plain stream is its socket: nothing stands in between.
// I/O thread. Used by Connection.
#pragma once

#include <memory>
#include <tuple>

#include "serve/http/asio.h"
#include "serve/http/tls/certificate.h"

namespace quire::http {

class Stream {
 public:
  using Outcome = std::tuple<boost::system::error_code, std::size_t>;

  // `tls`: null: plain.
  Stream(asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls);
  ~Stream();

  bool is_secure() const { return tls_ != nullptr; }

  // REQUIRES: is_secure(). Before anything is read or written.
  asio::awaitable<boost::system::error_code> shake_hands();

  asio::awaitable<Outcome> read_some(asio::mutable_buffer into);
  asio::awaitable<Outcome> write_some(asio::const_buffer bytes);  // at least one byte, or an error

  // Of a secure stream: close_notify is sent, and the peer's is awaited, as far as it goes.
  asio::awaitable<void> say_goodbye();

  // The socket below: its bytes are nobody's business but for closing and for who speaks no TLS.
  asio::ip::tcp::socket& socket() { return socket_; }

 private:
  struct Tls;

  asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls> tls_;
};

// The client spoke plain HTTP where TLS was expected.
bool is_plain_http(boost::system::error_code failure);

}  // namespace quire::http
