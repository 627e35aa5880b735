#include "serve/http/listener.h"

#include <algorithm>
#include <exception>

#include <spdlog/spdlog.h>

namespace quire::http {
namespace {

using Tcp = asio::ip::tcp;

constexpr std::size_t kRefusedMax = 64;           // told why; beyond that just closed
constexpr std::chrono::milliseconds kPause{100};  // when the machine has no more sockets

// The one place where what a connection's coroutine threw would arrive: it ends that connection.
void log_failure(std::exception_ptr failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    spdlog::error("a connection failed: {}", e.what());
  }
}

}  // namespace

Status Listener::listen(const std::string& host, int port) {
  boost::system::error_code failure;
  const std::string name = host == "localhost" ? "127.0.0.1" : host;
  const auto address = asio::ip::make_address(name, failure);
  if (failure) {
    return error(StatusCode::kInvalidArgument,
                 "--host '{}' is not an address of this machine, such as 127.0.0.1 or 0.0.0.0",
                 host);
  }
  const Tcp::endpoint endpoint(address, static_cast<std::uint16_t>(port));
  acceptor_.open(endpoint.protocol(), failure);
  if (!failure) acceptor_.set_option(Tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor_.bind(endpoint, failure);
  if (!failure) acceptor_.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) {
    return error(StatusCode::kUnavailable, "cannot listen on {}:{}: {}", host, port,
                 failure.message());
  }
  port_ = acceptor_.local_endpoint(failure).port();
  is_loopback_ = address.is_loopback();
  return ok_status();
}

void Listener::start() { asio::co_spawn(*io_, accept(), log_failure); }

void Listener::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

void Listener::close_connections() {
  for (Connection* connection : connections_) connection->close();
  for (Connection* connection : refused_) connection->close();
}

std::size_t Listener::answering() const {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const Connection* connection) { return connection->is_answering(); }));
}

asio::awaitable<void> Listener::accept() {
  while (acceptor_.is_open()) {
    auto [failure, socket] = co_await acceptor_.async_accept(kAsTuple);
    if (!failure) {
      admit(std::move(socket));
    } else if (acceptor_.is_open()) {  // no more descriptors, or a client that left again
      pause_.expires_after(kPause);
      co_await pause_.async_wait(kAsTuple);
    }
  }
}

void Listener::admit(Tcp::socket socket) {
  const bool has_room = connections_.size() < limits_->connections_max;
  if (!has_room && refused_.size() >= kRefusedMax) return;
  auto connection = std::make_shared<Connection>(std::move(socket), tls_, *limits_, *handler_);
  auto& set = has_room ? connections_ : refused_;
  set.insert(connection.get());
  auto whole = has_room ? connection->run() : connection->turn_away();
  asio::co_spawn(*io_, std::move(whole), [&set, connection](std::exception_ptr failure) {
    set.erase(connection.get());
    log_failure(failure);
  });
}

}  // namespace quire::http
