#include "serve/http/connection.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <utility>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "serve/http/body/content_coding.h"
#include "serve/http/body/chunk_decoder.h"
#include "serve/http/request_gate.h"
#include "serve/http/request_head.h"

namespace quire::http {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;             // bytes asked of the socket at once
constexpr std::size_t kLingerMax = 8 * 1024 * 1024;      // bytes read and dropped before closing
constexpr std::size_t kPieceSize = 1024 * 1024;          // bytes that a sink is given at once
constexpr std::chrono::milliseconds kCancelAgain{5};
constexpr auto kForever = asio::steady_timer::time_point::max;

// Where bodies are written to files: a disk that is slow keeps no other client waiting.
asio::thread_pool& file_threads() {
  static asio::thread_pool threads(1);
  return threads;
}

// One of the places for bodies that go to files, of this process; each holds a piece. Null: all are
// taken.
std::shared_ptr<void> hold_file_place() {
  constexpr int kFilesMax = 16;
  static std::atomic<int> taken = 0;
  if (++taken > kFilesMax) {
    --taken;
    return nullptr;
  }
  return {&taken, [](std::atomic<int>* held) { --*held; }};
}

// What large bodies were parsed into lies in pieces between what stays; after so many bytes of
// bodies the free pages go back to the system.
void return_heap_after(std::size_t body_size) {
#ifdef __GLIBC__
  constexpr std::size_t kBodiesMax = 8 * 1024 * 1024;
  static std::atomic<std::size_t> bodies = 0;
  if (bodies.fetch_add(body_size) + body_size < kBodiesMax) return;
  bodies = 0;
  malloc_trim(0);
#endif
}

}  // namespace

void Deadline::arm(std::chrono::milliseconds limit) {
  state_->has_passed = false;
  ++state_->phase;
  state_->timer.expires_after(limit);  // ends the wait of the phase before
  await(state_);
}

void Deadline::disarm() {
  ++state_->phase;
  state_->timer.cancel();
}

void Deadline::pass() {
  ++state_->phase;
  end_what_is_done(state_);
}

void Deadline::await(const std::shared_ptr<State>& state) {
  state->timer.async_wait([state, phase = state->phase](boost::system::error_code failure) {
    if (!failure && phase == state->phase) end_what_is_done(state);
  });
}

void Deadline::end_what_is_done(const std::shared_ptr<State>& state) {
  state->has_passed = true;
  boost::system::error_code ignored;
  state->socket->cancel(ignored);
  state->timer.expires_after(kCancelAgain);
  await(state);
}

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls,
                       const Limits& limits, Handler& handler)
    : stream_(std::move(socket), std::move(tls)),
      limits_(&limits),
      handler_(&handler),
      deadline_(stream_.socket()),
      output_(stream_.socket().get_executor()) {}

asio::awaitable<void> Connection::run() {
  if (stream_.is_secure() && !co_await shake_hands()) co_return;
  for (bool keeps_alive = true; keeps_alive && !is_closing_;) keeps_alive = co_await serve_one();
  co_await linger();
}

asio::awaitable<void> Connection::turn_away() {
  if (stream_.is_secure() && !co_await shake_hands()) co_return;
  Request nobody;
  co_await reject(nobody, 503, "too many connections");
  co_await linger();
}

void Connection::close() {
  is_closing_ = true;
  if (!stream_.is_secure()) return close_socket();
  deadline_.pass();  // what was waited for ends; run() goes on to say goodbye
  output_.cancel();
}

void Connection::close_socket() {
  boost::system::error_code ignored;
  stream_.socket().close(ignored);
  output_.cancel();
}

// Whoever does not get that far is not spoken to, but for the one mistake that people make.
asio::awaitable<bool> Connection::shake_hands() {
  deadline_.arm(limits_->handshake_timeout);
  const auto failure = co_await stream_.shake_hands();
  deadline_.disarm();
  if (!failure) co_return true;
  if (is_plain_http(failure)) {
    const Response answer =
        handler_->transport_error(400, "this port speaks HTTPS, not plain HTTP", Request());
    const std::string bytes =
        response_head(answer, Request(), answer.body.size(), true) + answer.body;
    deadline_.arm(limits_->linger_timeout);
    co_await asio::async_write(stream_.socket(), asio::buffer(bytes), kAsTuple);
    deadline_.disarm();
  }
  close_socket();
  co_return false;
}

asio::awaitable<bool> Connection::serve_one() {
  RequestHead head;
  if (!co_await read_head(head)) co_return false;
  if (const auto refusal = handler_->refuse(head.request)) {
    const bool has_body = head.is_chunked || head.body_size > 0;
    co_return co_await send_whole(*refusal, head.request, has_body || !head.request.keeps_alive);
  }
  const bool is_large = head.is_chunked || head.body_size > limits_->body_max ||
                        head.coding != ContentCoding::kIdentity;
  std::shared_ptr<void> place;
  const bool is_file = head.request.sink != nullptr;
  if (is_file || (is_large && head.body_max > limits_->body_max)) {
    place = is_file ? hold_file_place() : handler_->hold_large_body(*limits_);
    if (place == nullptr) {
      co_return co_await reject(head.request, 503, "too many large bodies arrive at once");
    }
  }
  const std::shared_ptr<BodySink> sink = head.request.sink;
  bool keeps_alive = false;
  if (co_await read_body(head) && co_await decode_body(head)) {
    const std::size_t body_size = head.request.body.size();
    keeps_alive = co_await answer(std::move(head.request));
    return_heap_after(body_size);
  }
  head.request.sink = nullptr;
  if (is_file) asio::post(file_threads(), [sink] {});  // what goes with it may take time as well
  co_return keeps_alive;
}

asio::awaitable<bool> Connection::fill() {
  if (is_closing_) co_return false;
  std::array<char, kReadSize> buffer;
  const auto [failure, size] = co_await stream_.read_some(asio::buffer(buffer));
  if (failure) co_return false;
  input_.append(buffer.data(), size);
  co_return true;
}

asio::awaitable<bool> Connection::read_head(RequestHead& head) {
  RequestGate gate(*limits_);
  deadline_.arm(input_.empty() ? limits_->idle_timeout : limits_->head_timeout);
  for (bool is_begun = !input_.empty();;) {
    const auto verdict = gate.look(input_);
    if (verdict == RequestGate::Verdict::kRefused) {
      co_return co_await reject(head.request, gate.status(), gate.reason());
    }
    if (verdict == RequestGate::Verdict::kComplete) break;
    if (!co_await fill()) {
      if (deadline_.has_passed() && !input_.empty()) {
        co_await reject(head.request, 408, "the head of the request did not arrive in time");
      }
      co_return false;
    }
    if (!std::exchange(is_begun, true)) deadline_.arm(limits_->head_timeout);
  }
  deadline_.disarm();
  head = parse_head(std::string_view(input_).substr(0, gate.head_size()), *limits_);
  input_.erase(0, gate.head_size());
  if (head.refusal != 0) co_return co_await reject(head.request, head.refusal, head.reason);
  head.request.reply_headers = handler_->reply_headers(head.request);
  head.body_max = handler_->body_max(head.request, *limits_);
  if (head.is_chunked || head.body_size > 0) head.request.sink = handler_->body_sink(head.request);
  const bool is_file = head.request.sink != nullptr;
  if (is_file && head.coding != ContentCoding::kIdentity) {
    co_return co_await reject(head.request, 415, "a file is taken as it is, not compressed");
  }
  if (const std::uint64_t bound = is_file ? limits_->file_max : head.body_max;
      head.body_size > bound) {
    const std::string reason = fmt::format(
        "the body is too large: it has {} bytes, at most {} are taken{}", head.body_size, bound,
        bound == limits_->body_max ? " (--max-body-size)" : "");
    co_return co_await reject(head.request, 413, reason);
  }
  co_return true;
}

asio::awaitable<bool> Connection::read_body(RequestHead& head) {
  if (!head.is_chunked && head.body_size == 0) co_return true;
  if (head.expects_continue && input_.empty()) {
    if (!co_await send("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
  }
  deadline_.arm(limits_->body_timeout);
  if (head.request.sink != nullptr) co_return co_await read_file(head);
  if (head.is_chunked) co_return co_await read_chunked(head);

  const auto size = static_cast<std::size_t>(head.body_size);
  for (std::size_t rearmed_at = 0; input_.size() < size;) {
    if (!co_await fill()) {
      if (!deadline_.has_passed()) co_return false;
      co_return co_await reject(head.request, 408, "the body did not arrive in time");
    }
    if (input_.size() - rearmed_at >= kReadSize) {  // it moves: more time
      rearmed_at = input_.size();
      deadline_.arm(limits_->body_timeout);
    }
  }
  deadline_.disarm();
  std::string rest = input_.substr(size);
  input_.resize(size);
  head.request.body = std::exchange(input_, std::move(rest));
  co_return true;
}

asio::awaitable<bool> Connection::read_chunked(RequestHead& head) {
  Request& request = head.request;
  Limits limits = *limits_;
  limits.body_max = head.body_max;
  ChunkDecoder decoder(limits);
  for (std::size_t rearmed_at = 0;;) {
    const std::size_t taken = decoder.feed(input_, request.body);
    input_.erase(0, taken);
    if (decoder.refusal() != 0) {
      co_return co_await reject(request, decoder.refusal(), decoder.reason());
    }
    if (decoder.is_complete()) break;
    if (!co_await fill()) {
      if (!deadline_.has_passed()) co_return false;
      co_return co_await reject(request, 408, "the body did not arrive in time");
    }
    if (request.body.size() - rearmed_at >= kReadSize) {
      rearmed_at = request.body.size();
      deadline_.arm(limits_->body_timeout);
    }
  }
  deadline_.disarm();
  co_return true;
}

// No more of it is held than a piece and what was read ahead.
asio::awaitable<bool> Connection::read_file(RequestHead& head) {
  Limits limits = *limits_;
  limits.body_max = kPieceSize + limits_->file_max;  // pieces are counted here
  limits.chunks_max = std::numeric_limits<std::size_t>::max();
  ChunkDecoder decoder(limits);
  std::string piece;
  std::uint64_t total = 0, rearmed_at = 0;
  for (bool is_complete = false;;) {
    std::size_t taken = 0;
    const std::size_t held = piece.size();
    if (head.is_chunked) {
      taken = decoder.feed(input_, piece);
      if (decoder.refusal() != 0) {
        co_return co_await reject(head.request, decoder.refusal(), decoder.reason());
      }
      is_complete = decoder.is_complete();
    } else {
      taken = static_cast<std::size_t>(
          std::min<std::uint64_t>(input_.size(), head.body_size - total));
      piece.append(input_, 0, taken);
      is_complete = total + taken == head.body_size;
    }
    input_.erase(0, taken);
    total += piece.size() - held;
    if (total > limits_->file_max) {
      co_return co_await reject(head.request, 413, "the body is too large");
    }
    if (is_complete || piece.size() >= kPieceSize) {
      deadline_.disarm();
      if (!co_await pour(head, piece)) co_return false;
      if (is_complete) co_return true;
      deadline_.arm(limits_->body_timeout);
    }
    if (total - rearmed_at >= kReadSize) {  // it moves: more time
      rearmed_at = total;
      deadline_.arm(limits_->body_timeout);
    }
    if (!co_await fill()) {
      if (!deadline_.has_passed()) co_return false;
      co_return co_await reject(head.request, 408, "the body did not arrive in time");
    }
  }
}

asio::awaitable<bool> Connection::pour(RequestHead& head, std::string& piece) {
  const bool is_kept = co_await asio::co_spawn(
      file_threads(),
      [sink = head.request.sink.get(), &piece]() -> asio::awaitable<bool> {
        co_return sink->write(piece);
      },
      asio::use_awaitable);
  piece.clear();
  if (is_kept) co_return true;
  co_return co_await reject(head.request, 507, "the body cannot be kept: the disk may be full");
}

asio::awaitable<bool> Connection::decode_body(RequestHead& head) {
  Request& request = head.request;
  if (head.coding == ContentCoding::kIdentity || request.body.empty()) co_return true;
  std::string plain;
  ContentDecoder decoder(head.coding, request.body, head.body_max);
  while (decoder.step(plain)) {
    co_await asio::post(output_.get_executor(), kAsTuple);  // others get their turn
  }
  if (decoder.refusal() != 0) {
    co_return co_await reject(request, decoder.refusal(), decoder.reason());
  }
  request.body = std::move(plain);
  co_return true;
}

asio::awaitable<bool> Connection::answer(Request request) {
  using namespace asio::experimental::awaitable_operators;
  const bool closes = !request.keeps_alive;
  exchange_ = std::make_shared<Exchange>(std::move(request), limits_->output_max);
  exchange_->on_output([this] { output_.cancel(); });
  is_sent_ = false;
  handler_->answer(exchange_);
  if (exchange_->is_done()) {
    co_await send_answer(closes);
  } else {
    co_await (send_answer(closes) || watch_for_leaving());
  }
  exchange_->on_output(nullptr);
  if (!is_sent_) exchange_->leave();
  exchange_.reset();
  co_return is_sent_ && !closes;
}

// Whatever the exchange brings goes out as it comes.
asio::awaitable<void> Connection::send_answer(bool closes) {
  co_await asio::this_coro::throw_if_cancelled(false);
  bool is_head_sent = false;
  for (;;) {
    while (!exchange_->has_output() && !exchange_->is_gone()) {
      output_.expires_at(kForever());
      co_await output_.async_wait(kAsTuple);
    }
    if (exchange_->is_gone()) co_return;
    const Request& request = exchange_->request();
    const bool is_done = exchange_->is_done();
    std::string body = exchange_->take_pending();
    std::string bytes;
    // An HTTP/1.0 client knows no chunks: its stream ends with the connection.
    const bool is_chunked = !exchange_->is_whole() && !request.is_http_10;
    if (!is_head_sent) {
      is_head_sent = true;
      const auto size = exchange_->is_whole() ? std::optional(body.size()) : std::nullopt;
      const bool ends_open = !exchange_->is_whole() && request.is_http_10;
      bytes = response_head(exchange_->head(), request, size, closes || ends_open);
    }
    if (has_body(request.method, exchange_->head().status)) {
      if (!is_chunked) bytes += body;
      if (is_chunked && !body.empty()) append_chunk(body, bytes);
      if (is_chunked && is_done) append_chunk({}, bytes);
    }
    if (!co_await send(std::move(bytes))) co_return;
    if (is_done) break;
    if (request.method == "HEAD") {  // its head was all that was asked for
      exchange_->leave();
      break;
    }
  }
  is_sent_ = true;
}

// Reads on while the answer is made: the next pipelined request, or the end.
asio::awaitable<void> Connection::watch_for_leaving() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (input_.size() < limits_->head_max) {
    if (!co_await fill()) {
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() == asio::cancellation_type::none) exchange_->leave();
      co_return;
    }
  }
  // It pipelines more than we hold; should it leave, a failing write will tell.
  asio::steady_timer never(output_.get_executor(), kForever());
  co_await never.async_wait(kAsTuple);
}

asio::awaitable<bool> Connection::send(std::string bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    deadline_.arm(limits_->write_timeout);
    const auto rest = asio::buffer(bytes.data() + sent, bytes.size() - sent);
    const auto [failure, size] = co_await stream_.write_some(rest);
    if (failure) co_return false;
    sent += size;
  }
  deadline_.disarm();
  co_return true;
}

asio::awaitable<bool> Connection::reject(const Request& request, int status,
                                         std::string_view reason) {
  Request unread;  // what could not be read has an id all the same
  if (request.id.empty()) unread.id = fresh_request_id();
  const Request& asked = request.id.empty() ? unread : request;
  co_return co_await send_whole(handler_->transport_error(status, reason, asked), asked, true);
}

asio::awaitable<bool> Connection::send_whole(Response response, const Request& request,
                                             bool closes) {
  std::string bytes = response_head(response, request, response.body.size(), closes);
  if (has_body(request.method, response.status)) bytes += response.body;
  const bool is_sent = co_await send(std::move(bytes));
  co_return is_sent && !closes;
}

// Closing with unread input would reset the connection and could destroy our last words on their
// way.
asio::awaitable<void> Connection::linger() {
  deadline_.arm(limits_->linger_timeout);
  co_await stream_.say_goodbye();
  asio::ip::tcp::socket& socket = stream_.socket();
  boost::system::error_code failure;
  socket.shutdown(asio::ip::tcp::socket::shutdown_send, failure);
  input_.resize(kReadSize);
  for (std::size_t dropped = 0; !failure && !deadline_.has_passed() && dropped < kLingerMax;) {
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(input_), kAsTuple);
    failure = ended;
    dropped += size;
  }
  deadline_.disarm();
  close_socket();
}

}  // namespace quire::http
