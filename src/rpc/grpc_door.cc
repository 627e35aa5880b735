#include "rpc/grpc_door.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/json.h"
#include "rpc/grpc_call.h"
#include "rpc/service_dialect.h"

namespace quire::rpc {
namespace {

constexpr const Dialect* kDialects[] = {&kServiceDialect};
constexpr unsigned kCertificateLookSeconds = 1;
constexpr int kStreamsOfConnectionMax = 256;

std::shared_ptr<grpc::ServerCredentials> credentials_for(const SideDoor::Ports& ports) {
  if (ports.certfile.empty()) return grpc::InsecureServerCredentials();
  const std::string& key = ports.keyfile.empty() ? ports.certfile : ports.keyfile;
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      key, ports.certfile, kCertificateLookSeconds);
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return grpc::experimental::TlsServerCredentials(options);
}

// "::1" -> "[::1]:8001"
std::string address_of(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

// What protobuf has to say of messages that it cannot read, which a client may send as many as it
// likes of: it belongs into our log, and only for those who look at all of it. What ends the
// process is everybody's.
void log_of_protobuf(google::protobuf::LogLevel level, const char*, int,
                     const std::string& message) {
  const bool is_end = level == google::protobuf::LOGLEVEL_FATAL;
  spdlog::log(is_end ? spdlog::level::critical : spdlog::level::debug, "protobuf: {}",
              dump(Json(message)));
}

// For so long a client may read what it was answered and end its stream; then it is cut off.
constexpr int kLastWordsMax = 5;  // seconds

class GrpcDoor : public SideDoor, public grpc::CallbackGenericService {
 public:
  explicit GrpcDoor(int port) : port_(port) {}
  ~GrpcDoor() override {
    if (closer_.joinable()) closer_.join();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::time_point());
  }

  std::span<const Dialect* const> dialects() const override { return kDialects; }

  Status listen(Ports ports) override {
    desk_.limits = ports.limits;
    desk_.handler = ports.handler;
    desk_.to_io = ports.to_io;
    google::protobuf::SetLogHandler(log_of_protobuf);
    grpc::ServerBuilder builder;
    const std::string address = address_of(ports.host, port_);
    int chosen = 0;
    builder.AddListeningPort(address, credentials_for(ports), &chosen);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsOfConnectionMax);
    builder.SetMaxReceiveMessageSize(static_cast<int>(ports.limits.body_max));
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || chosen == 0) {
      return error(StatusCode::kUnavailable, "--grpc-port: cannot listen on {}", address);
    }
    port_ = chosen;
    return ok_status();
  }

  int port() const override { return port_; }
  std::size_t answering() const override { return desk_.answering; }

  // Nobody answers any more, but messages may be on their way, and a stream is its client's to end:
  // a connection that is closed before takes with it what the client has not read. Shutdown waits
  // for calls, which end on the I/O thread: so it waits elsewhere.
  void close(std::function<void()> done) override {
    desk_.is_closing = true;
    closer_ = std::thread([this, done = std::move(done)] {
      server_->Shutdown(gpr_time_from_seconds(kLastWordsMax, GPR_TIMESPAN));
      desk_.to_io(done);
    });
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return make_grpc_call(desk_, *context);
  }

 private:
  int port_;
  CallDesk desk_;
  std::unique_ptr<grpc::Server> server_;
  std::thread closer_;
};

}  // namespace

std::shared_ptr<SideDoor> make_grpc_door(int port) { return std::make_shared<GrpcDoor>(port); }

int grpc_status_of(int http_status) {
  switch (http_status) {
    case 200: return grpc::StatusCode::OK;
    case 401: return grpc::StatusCode::UNAUTHENTICATED;
    case 403: return grpc::StatusCode::PERMISSION_DENIED;
    case 404: return grpc::StatusCode::NOT_FOUND;
    case 409: return grpc::StatusCode::ABORTED;
    case 413:
    case 429: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case 501: return grpc::StatusCode::UNIMPLEMENTED;
    case 503: return grpc::StatusCode::UNAVAILABLE;
    default: break;
  }
  return http_status >= 500 ? grpc::StatusCode::INTERNAL : grpc::StatusCode::INVALID_ARGUMENT;
}

}  // namespace quire::rpc
