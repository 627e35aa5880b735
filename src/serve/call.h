// Call: what a dialect made of one HTTP request: the engine requests that answer it, and the writer
// that turns their events into the dialect's bytes. AnswerWriter is the only thing that a dialect
// implements towards Service. Made on a worker thread, then used on the I/O thread alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/events.h"
#include "core/request.h"
#include "host/model_host.h"
#include "serve/api_error.h"
#include "serve/http/message.h"
#include "serve/tenants.h"

namespace quire {

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // An event of request number `prompt`. A stream appends what it sends now to `out`.
  virtual void take(std::size_t prompt, const TokenEvent& event, std::string& out) = 0;

  // The answer's id as the client sees it; empty: it has none.
  virtual std::string_view id() const { return {}; }

  // Every request has ended: the whole body, or what a stream still has to say.
  virtual void finish(std::string& out) = 0;

  // A stream that has begun ends with this instead.
  virtual void fail(const ApiError& error, std::string& out) = 0;
};

struct Call {
  ModelLease model;
  std::vector<Request> requests;  // ids are given at submission; none: the answer is there already
  std::unique_ptr<AnswerWriter> writer;
  bool is_stream = false;
  std::string prompt_field;        // for errors: "messages", "prompt"
  std::size_t unknown_fields = 0;  // accepted with a warning
};

// What a dialect may know when it parses.
struct DialectContext {
  ModelHost* host = nullptr;
  ModelLease waited_for;  // the model that this request has waited for, if it has
  bool unknown_fields_warn = false;
  Tenant tenant;  // of the client
};

// One row's worth of protocol: bytes to a Call, errors to bytes. Any thread.
struct Dialect {
  Parsed<Call> (*parse)(const DialectContext& context, const http::Request& request);
  http::Response (*render_error)(const ApiError& error);
};

}  // namespace quire
