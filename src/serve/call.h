// Call: what a dialect made of one HTTP request: the engine requests that answer it, and the writer
// that turns their events into the dialect's bytes. AnswerWriter is the only thing that a dialect
// implements towards Service. Made on a worker thread, then used on the I/O thread alone.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "core/events.h"
#include "core/request.h"
#include "serve/http/exchange.h"
#include "serve/http/message.h"
#include "serve/intake/api_error.h"
#include "serve/intake/constraint.h"
#include "serve/intake/model_lease.h"
#include "serve/intake/tenant.h"
#include "serve/intake/tools/warning.h"
#include "serve/intake/volatile_lines.h"

namespace quire {

struct House;

// How far a call had come when, for answers that tell it. Zero: not yet.
struct CallTimes {
  Nanos arrived{0};
  Nanos submitted{0};  // parsed, and given to the engine
  Nanos begun{0};      // a step fed its first row
  Nanos first_token{0};  // of any of its choices
  Nanos now{0};
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // What the head of an answer that went well says beside its type: of a whole one after finish(),
  // of a stream with the first that is taken.
  virtual void complete_head(const CallTimes&, http::Response&) {}

  // An event of request number `prompt`. A stream appends what it sends now to `out`.
  virtual void take(std::size_t prompt, const TokenEvent& event, std::string& out) = 0;

  // The answer's id as the client sees it; empty: it has none.
  virtual std::string_view id() const { return {}; }

  // A stream that has had nothing to say for a while shows that it is alive: a comment, which
  // readers of events pass over, unless the protocol has an event for it.
  virtual void ping(std::string& out) { out += ": ping\n\n"; }

  // Before anything is taken: what turned out while the call waited, to be told in the answer.
  virtual void warn(const Warning&) {}

  // Every request has ended. What this returns runs on a worker thread, once, before finish():
  // what the client may rely on when it has read the end, such as a row on a disk. It runs even if
  // the client leaves meanwhile, and holds what it needs itself. Empty: nothing.
  virtual std::function<void()> closing() { return nullptr; }

  // Every request has ended: the whole body, or what a stream still has to say.
  virtual void finish(std::string& out) = 0;

  // A stream that has begun ends with this instead.
  virtual void fail(const ApiError& error, std::string& out) = 0;
};

struct Call {
  ModelLease model;
  std::vector<Request> requests;  // ids are given at submission
  std::unique_ptr<AnswerWriter> writer;
  // What the answers of all its requests have to look like; they wait until it is compiled.
  std::optional<AskedGrammar> grammar;
  // What request number `index` is held to, whose grammar's constraint this is (null: it has none):
  // a thought may come before it, and have a budget. Empty: just that. I/O thread.
  std::function<std::shared_ptr<const Constraint>(std::size_t index,
                                                  std::shared_ptr<const Constraint>)> frame;
  std::optional<http::Response> ready;  // the answer is there already: no model, requests, writer
  std::size_t in_flight_max = 0;  // requests in the engine at once; 0: all of them
  // Set: the answer goes on by itself, on this exchange that no connection holds, whatever becomes
  // of the client. The client gets `ready` at once, or its exchange is given to `follow`.
  std::shared_ptr<http::Exchange> apart;
  std::function<void(std::shared_ptr<http::Exchange>)> follow;  // I/O thread
  bool is_stream = false;
  std::string_view stream_type = "text/event-stream; charset=utf-8";  // outlives the call
  std::string prompt_field;        // for errors: "messages", "prompt"
  std::size_t unknown_fields = 0;  // accepted with a warning
  std::vector<VolatileLine> volatile_lines;  // that were at the head of the prompt
};

// A call that is answered at once.
Call ready_call(http::Response answer);
Call ready_call(const Json& body);  // with status 200

// The parts of a path that its pattern names: {"name", "smollm2"}.
class PathParams {
 public:
  void add(std::string_view name, std::string_view value) { values_.emplace_back(name, value); }
  // Empty where the pattern names no such part.
  std::string_view operator[](std::string_view name) const {
    for (const auto& [known, value] : values_) {
      if (known == name) return value;
    }
    return {};
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// What an endpoint may know beside the request.
struct DialectContext {
  ModelSource models;
  bool unknown_fields_warn = false;
  bool keeps_volatile_lines = false;
  bool is_operable = false;  // the operator has opened what disturbs everybody
  Tenant tenant;  // of the client
  Nanos arrived{0};  // when the request did; of a parser
  PathParams path;
  const House* house = nullptr;
};

}  // namespace quire
