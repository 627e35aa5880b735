// Connection: one TCP connection as one coroutine: handshake where TLS is spoken, then head, body,
// answer, and again while the client keeps it alive. Requests that were pipelined are answered one
// after the other, in order. While an answer is being made the connection keeps reading, so that a
// client that leaves is noticed at once; a client that closes only its sending side counts as one
// that left.
// I/O thread. Created and counted by Listener.
#pragma once

#include <memory>
#include <string>

#include "serve/http/asio.h"
#include "serve/http/exchange.h"
#include "serve/http/message.h"
#include "serve/http/stream.h"

namespace quire::http {

struct RequestHead;

// Ends whatever a socket is doing when it takes too long. One phase at a time. A cancellation that
// meets a socket between two operations is lost (a read has just ended, its reader goes on to the
// next one), so it is repeated until the phase is over.
class Deadline {
 public:
  explicit Deadline(asio::ip::tcp::socket& socket) : state_(std::make_shared<State>(socket)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(std::chrono::milliseconds limit);
  void disarm();
  void pass();  // now
  bool has_passed() const { return state_->has_passed; }

 private:
  struct State {
    explicit State(asio::ip::tcp::socket& socket_given)
        : socket(&socket_given), timer(socket_given.get_executor()) {}

    asio::ip::tcp::socket* socket;
    asio::steady_timer timer;
    std::uint64_t phase = 0;
    bool has_passed = false;
  };

  static void await(const std::shared_ptr<State>& state);
  static void end_what_is_done(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;  // shared with a timer's callback that may come late
};

class Connection {
 public:
  // `tls`: null: plain HTTP.
  Connection(asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls, const Limits& limits,
             Handler& handler);

  // Until the connection is over. The caller keeps it alive meanwhile.
  asio::awaitable<void> run();

  // Says one thing and closes: the server has no room for this connection.
  asio::awaitable<void> turn_away();

  bool is_answering() const { return exchange_ != nullptr; }
  void close();  // now, whatever happens; a TLS client is told, as far as linger_timeout goes

 private:
  asio::awaitable<bool> shake_hands();
  asio::awaitable<bool> serve_one();
  asio::awaitable<bool> read_head(RequestHead& head);
  asio::awaitable<bool> read_body(RequestHead& head);
  asio::awaitable<bool> read_chunked(RequestHead& head);
  asio::awaitable<bool> read_file(RequestHead& head);  // a body that goes to its sink
  asio::awaitable<bool> pour(RequestHead& head, std::string& piece);
  asio::awaitable<bool> decode_body(RequestHead& head);
  asio::awaitable<bool> answer(Request request);
  asio::awaitable<void> send_answer(bool closes);
  asio::awaitable<void> watch_for_leaving();
  asio::awaitable<bool> fill();                   // reads more into input_
  asio::awaitable<bool> send(std::string bytes);  // all of it
  asio::awaitable<bool> reject(const Request& request, int status, std::string_view reason);
  // False if the connection is over.
  asio::awaitable<bool> send_whole(Response response, const Request& request, bool closes);
  asio::awaitable<void> linger();
  void close_socket();

  Stream stream_;
  const Limits* limits_;
  Handler* handler_;
  Deadline deadline_;
  asio::steady_timer output_;  // cancelled when the exchange has something to send
  std::string input_;          // received and not used yet
  std::shared_ptr<Exchange> exchange_;
  bool is_sent_ = false;       // the present answer went out completely
  bool is_closing_ = false;    // nothing more is read
};

}  // namespace quire::http
