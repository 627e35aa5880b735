#include "rpc/grpc_call.h"

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "rpc/grpc_door.h"
#include "rpc/service_dialect.h"
#include "serve/http/request_head.h"

namespace quire::rpc {
namespace {

constexpr std::size_t kHeadersMax = 100;

class GrpcCall : public grpc::ServerGenericBidiReactor {
 public:
  GrpcCall(CallDesk& desk, grpc::GenericCallbackServerContext& context)
      : desk_(&desk),
        context_(&context),
        path_(context.method()),
        is_stream_(is_stream_method(path_)) {
    ++desk_->calls;
    for (const auto& [name, value] : context.client_metadata()) {
      if (headers_.size() == kHeadersMax) break;
      headers_.push_back({std::string(name.data(), name.size()),
                          std::string(value.data(), value.size())});
      ends_at_error_ |= headers_.back().name == "triton_grpc_error" &&
                        headers_.back().value == "true";
    }
    if (!has_method(path_)) {
      end({grpc::StatusCode::UNIMPLEMENTED, "no such method here"});
    } else if (desk_->calls > desk_->limits.connections_max || desk_->is_closing) {
      end({grpc::StatusCode::UNAVAILABLE, "the server has no room for another call"});
    } else {
      StartRead(&incoming_);
    }
  }

  void OnReadDone(bool ok) override {
    desk_->to_io([this, ok] { ok ? take_message() : take_end_of_messages(); });
  }
  void OnWriteDone(bool ok) override {
    desk_->to_io([this, ok] {
      is_writing_ = false;
      if (!ok) leave();
      pump();
    });
  }
  void OnCancel() override {
    desk_->to_io([this] {
      leave();
      pump();
    });
  }
  // The last that gRPC says; what was posted before runs before this.
  void OnDone() override {
    desk_->to_io([this] {
      leave();
      release_all();
      --desk_->calls;
      delete this;
    });
  }

 private:
  void take_message() {
    std::vector<grpc::Slice> slices;
    std::string body;
    if (incoming_.Dump(&slices).ok()) {
      for (const grpc::Slice& slice : slices) {
        body.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
    }
    incoming_.Clear();
    has_message_ = true;
    is_reading_ = false;
    if (!is_over()) ask(std::move(body));
    pump();
  }

  void take_end_of_messages() {
    is_reading_ = false;
    has_ended_ = true;
    if (!has_message_ && !is_stream_ && !is_gone_) {
      status_ = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "there is no message");
    }
    pump();
  }

  void ask(std::string body) {
    http::Request request{.method = "POST", .path = path_, .headers = headers_,
                          .body = std::move(body), .id = http::fresh_request_id()};
    if (const auto refusal = desk_->handler->refuse(request)) return take_refusal(*refusal);
    const auto exchange =
        std::make_shared<http::Exchange>(std::move(request), desk_->limits.output_max);
    exchanges_.push_back(exchange);
    ++desk_->answering;
    // The exchange may outlive the call.
    exchange->on_output([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) pump();
    });
    desk_->handler->answer(exchange);
  }

  // Of a call as a whole it is the status; on a stream a message, but where nobody was let in.
  void take_refusal(const http::Response& refusal) {
    const bool is_status = !is_stream_ || refusal.status == 401 || refusal.status == 403 ||
                           ends_at_error_ || refusal.body.empty();
    if (is_status) {
      status_ = grpc::Status(static_cast<grpc::StatusCode>(grpc_status_of(refusal.status)),
                             message_of(refusal));
    } else {
      frames_ += refusal.body;
    }
  }

  static std::string message_of(const http::Response& response) {
    for (const http::Header& header : response.headers) {
      if (header.name == kMessageHeader) return header.value;
    }
    return "the request failed";
  }

  // Takes what the exchanges have to say, writes one message, ends what has ended.
  void pump() {
    if (is_pumping_) return;  // an exchange that is taken from may speak
    is_pumping_ = true;
    while (!is_writing_ && !is_finished_ && !is_gone_) {
      if (write_frame() || !take_output()) break;
    }
    is_pumping_ = false;
    settle();
  }

  // True: a message is on its way.
  bool write_frame() {
    std::string message;
    if (!take_frame(frames_, message)) return false;
    const grpc::Slice slice(message);
    outgoing_ = grpc::ByteBuffer(&slice, 1);
    is_writing_ = true;
    StartWrite(&outgoing_);
    return true;
  }

  // One exchange's output, of those that have some. False: none has.
  bool take_output() {
    const auto found = std::find_if(exchanges_.begin(), exchanges_.end(), [](const auto& it) {
      return it->has_output() || it->is_gone();
    });
    if (found == exchanges_.end()) return false;
    const std::shared_ptr<http::Exchange> exchange = *found;
    if (exchange->is_gone()) {  // it overflowed: its reader is too slow
      release(exchange);
      status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the answer is read too slowly");
      return true;
    }
    const bool is_refused = exchange->head().status != 200;
    const bool is_done = exchange->is_done();
    std::string bytes = exchange->take_pending();
    for (const http::Header& header : exchange->head().headers) {
      if (is_done && header.name == kWarningHeader) {
        context_->AddTrailingMetadata(std::string(kWarningHeader), header.value);
      }
    }
    if (is_refused) {
      http::Response refusal = exchange->head();
      refusal.body = std::move(bytes);
      take_refusal(refusal);
    } else if (is_stream_) {
      frames_ += bytes;
    } else {
      append_frame(bytes, frames_);
    }
    if (is_done) release(exchange);
    return true;
  }

  void settle() {
    if (is_finished_ || is_writing_) return;
    const bool is_answered = exchanges_.empty() && frames_.empty();
    if (is_gone_) return end(grpc::Status::CANCELLED);
    if (!status_.ok()) {
      if (is_stream_ && !frames_.empty()) return;
      return end(status_);
    }
    const bool is_complete = is_stream_ ? has_ended_ : has_message_;
    if (is_answered && is_complete) return end(grpc::Status::OK);
    const bool may_read = is_stream_ && !has_ended_ && !is_reading_ &&
                          exchanges_.size() < kStreamRequestsMax;
    if (!may_read) return;
    is_reading_ = true;
    StartRead(&incoming_);
  }

  bool is_over() const { return is_finished_ || is_gone_ || !status_.ok(); }

  void end(const grpc::Status& status) {
    is_finished_ = true;
    for (const auto& exchange : std::vector(exchanges_)) exchange->leave();
    Finish(status);
  }

  void leave() {
    is_gone_ = true;
    for (const auto& exchange : std::vector(exchanges_)) exchange->leave();
  }

  void release(const std::shared_ptr<http::Exchange>& exchange) {
    const auto found = std::find(exchanges_.begin(), exchanges_.end(), exchange);
    if (found == exchanges_.end()) return;
    exchanges_.erase(found);
    --desk_->answering;
  }

  void release_all() {
    for (const auto& exchange : std::vector(exchanges_)) release(exchange);
  }

  CallDesk* desk_;
  grpc::GenericCallbackServerContext* context_;  // until OnDone
  std::shared_ptr<bool> alive_ = std::make_shared<bool>();
  std::string path_;
  bool is_stream_;
  bool ends_at_error_ = false;
  std::vector<http::Header> headers_;
  grpc::ByteBuffer incoming_, outgoing_;
  std::vector<std::shared_ptr<http::Exchange>> exchanges_;  // that have not ended
  std::string frames_;       // to be written: messages with their lengths
  grpc::Status status_;      // not ok: the call ends with it
  bool has_message_ = false, has_ended_ = false;  // of the client's side
  bool is_reading_ = true, is_writing_ = false, is_pumping_ = false;
  bool is_finished_ = false, is_gone_ = false;
};

}  // namespace

grpc::ServerGenericBidiReactor* make_grpc_call(CallDesk& desk,
                                               grpc::GenericCallbackServerContext& context) {
  return new GrpcCall(desk, context);
}

}  // namespace quire::rpc
