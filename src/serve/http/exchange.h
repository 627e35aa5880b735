// Exchange: one request and its answer, between the connection that carries them and the handler
// that knows what to say. The answer is a whole response, or a head and then pieces. What the
// client has not taken yet waits here, within a bound: a reader that is too slow loses its stream,
// and nobody else waits for it.
// I/O thread only, except request(), which never changes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace quire::http {

class Exchange {
 public:
  Exchange(Request request, std::size_t pending_max)
      : request_(std::move(request)), pending_max_(pending_max) {}

  // --- for the handler ---

  const Request& request() const { return request_; }

  void respond(Response response);  // the whole answer
  void start(Response head);        // a stream; its body, if any, is the first piece
  void widen(std::size_t factor) { pending_max_ *= factor; }  // for several streams in one
  // False: the client has left or does not read; the stream is over and `on_gone` is not called.
  bool write(std::string_view piece);
  void finish();                        // of a stream

  bool is_started() const { return head_.has_value(); }
  bool is_gone() const { return is_gone_; }
  // Called once if the client leaves before the answer is complete.
  void on_gone(std::function<void()> callback) { gone_ = std::move(callback); }

  // --- for the connection ---

  void on_output(std::function<void()> callback) { output_ = std::move(callback); }
  bool has_output() const { return head_ && (is_new_ || !pending_.empty() || is_done_); }
  bool is_whole() const { return is_whole_; }
  bool is_done() const { return is_done_; }
  const Response& head() const { return *head_; }
  std::string take_pending();  // bytes of the body, as the handler wrote them
  void leave();                // the client is gone

 private:
  void announce();

  Request request_;
  std::size_t pending_max_;  // bytes
  std::optional<Response> head_;
  std::string pending_;
  bool is_new_ = false;    // the head has not been taken
  bool is_whole_ = false;  // respond() was used: pending_ is the whole body
  bool is_done_ = false;   // nothing follows
  bool is_gone_ = false;
  std::function<void()> gone_;
  std::function<void()> output_;
};

// What answers requests. I/O thread; neither call may block.
class Handler {
 public:
  virtual ~Handler() = default;

  // What every answer to this request carries beside its own headers.
  virtual std::vector<Header> reply_headers(const Request& head) = 0;

  // The head has arrived, the body has not: an answer if the request is to be refused already. The
  // connection is closed after it.
  virtual std::optional<Response> refuse(const Request& head) = 0;

  // Where the body goes, if it is not to be held. Null: it is.
  virtual std::shared_ptr<BodySink> body_sink(const Request&) { return nullptr; }

  // Bytes that a body may have that is held.
  virtual std::size_t body_max(const Request&, const Limits& limits) { return limits.body_max; }

  // A place for a body beyond what every request may have, until the request is answered. Null:
  // all are taken.
  virtual std::shared_ptr<void> hold_large_body(const Limits&) { return nullptr; }

  // The whole request is there. The answer may come now or later.
  virtual void answer(std::shared_ptr<Exchange> exchange) = 0;

  // What the server says when the transport itself is misused or overloaded. `head`: as far as it
  // was read.
  virtual Response transport_error(int status, std::string_view reason, const Request& head) = 0;
};

}  // namespace quire::http
