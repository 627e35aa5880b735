#include "serve/http/stream.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <utility>

#include <boost/asio/ssl.hpp>

namespace quire::http {

struct Stream::Tls {
  Tls(asio::ip::tcp::socket& socket, std::shared_ptr<TlsContext> context_given)
      : context(std::move(context_given)), stream(socket, *context) {}

  std::shared_ptr<TlsContext> context;
  asio::ssl::stream<asio::ip::tcp::socket&> stream;
};

Stream::Stream(asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls)
    : socket_(std::move(socket)) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (tls) tls_ = std::make_unique<Tls>(socket_, std::move(tls));
}

Stream::~Stream() = default;

asio::awaitable<boost::system::error_code> Stream::shake_hands() {
  const auto [failure] =
      co_await tls_->stream.async_handshake(asio::ssl::stream_base::server, kAsTuple);
  co_return failure;
}

asio::awaitable<Stream::Outcome> Stream::read_some(asio::mutable_buffer into) {
  return tls_ ? tls_->stream.async_read_some(into, kAsTuple)
              : socket_.async_read_some(into, kAsTuple);
}

asio::awaitable<Stream::Outcome> Stream::write_some(asio::const_buffer bytes) {
  return tls_ ? tls_->stream.async_write_some(bytes, kAsTuple)
              : socket_.async_write_some(bytes, kAsTuple);
}

asio::awaitable<void> Stream::say_goodbye() {
  if (tls_) co_await tls_->stream.async_shutdown(kAsTuple);
}

bool is_plain_http(boost::system::error_code failure) {
  return failure.category() == asio::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(failure.value())) == SSL_R_HTTP_REQUEST;
}

}  // namespace quire::http
