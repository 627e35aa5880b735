#include "serve/testing/test_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <sstream>
#include <utility>

#include "base/text/ascii.h"

namespace quire {
namespace {

std::size_t parse_size(std::string_view text, int base) {
  std::size_t size = 0;
  std::from_chars(text.data(), text.data() + text.size(), size, base);
  return size;
}

}  // namespace

std::string ask_model(const std::string& model, const std::string& fields) {
  return R"({"prompt":"ab","ignore_eos":true,"seed":1,"model":")" + model + "\"," + fields + "}";
}

std::string TestResponse::header(std::string_view name) const {
  for (const http::Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

TestClient::TestClient(int port, bool is_secure)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  QUIRE_CHECK(result == 0, "connect to port {}: errno {}", port, errno);
  if (is_secure) shake_hands([](SSL_CTX*) {});
}

TestClient::TestClient(int port, const TlsTerms& terms) : TestClient(port) { shake_hands(terms); }

void TestClient::shake_hands(const TlsTerms& terms) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without asking for silence
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  terms(context);
  tls_ = SSL_new(context);
  SSL_CTX_free(context);
  SSL_set_fd(tls_, socket_);
  if (SSL_connect(tls_) != 1) SSL_free(std::exchange(tls_, nullptr));
}

TestClient::TestClient(TestClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      tls_(std::exchange(other.tls_, nullptr)),
      input_(std::move(other.input_)) {}

TestClient::~TestClient() { close(); }

void TestClient::close() {
  SSL_free(std::exchange(tls_, nullptr));
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void TestClient::shut_sending() {
  if (tls_ != nullptr) SSL_shutdown(tls_);
  ::shutdown(socket_, SHUT_WR);
}

void TestClient::shrink_receive_buffer(int size) {
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

void TestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                        : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string TestClient::receive_some() {
  if (!input_.empty()) return std::exchange(input_, {});
  std::string bytes(64 * 1024, '\0');
  const ssize_t size = tls_ != nullptr
                           ? SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::recv(socket_, bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

bool TestClient::fill() {
  std::string held = std::exchange(input_, {});
  const std::string more = receive_some();
  input_ = std::move(held) + more;
  return !more.empty();
}

bool TestClient::is_closed() { return input_.empty() && !fill(); }

TestResponse TestClient::receive(bool is_head) {
  TestResponse response;
  std::size_t end;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return response;
  }
  const std::string head = input_.substr(0, end);
  input_.erase(0, end + 4);
  response.status = static_cast<int>(parse_size(std::string_view(head).substr(9, 3), 10));
  for (std::size_t at = head.find("\r\n"); at != std::string::npos;) {
    const std::size_t next = head.find("\r\n", at + 2);
    const std::string line = head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
    const std::size_t colon = line.find(": ");
    response.headers.push_back({lower_ascii(line.substr(0, colon)), line.substr(colon + 2)});
    at = next;
  }
  if (is_head) return response;
  if (response.header("transfer-encoding") == "chunked") {
    for (;;) {
      std::size_t line_end;
      while ((line_end = input_.find("\r\n")) == std::string::npos) {
        if (!fill()) return {};
      }
      const std::size_t size = parse_size(std::string_view(input_).substr(0, line_end), 16);
      while (input_.size() < line_end + 2 + size + 2) {
        if (!fill()) return {};
      }
      response.body += input_.substr(line_end + 2, size);
      input_.erase(0, line_end + 2 + size + 2);
      if (size == 0) return response;
      ++response.chunks;
    }
  }
  const std::size_t size = parse_size(response.header("content-length"), 10);
  while (input_.size() < size) {
    if (!fill()) return {};
  }
  response.body = input_.substr(0, size);
  input_.erase(0, size);
  return response;
}

TestResponse TestClient::get(std::string_view path) {
  send(fmt::format("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", path));
  return receive();
}

TestResponse TestClient::post(std::string_view path, std::string_view json,
                              std::string_view headers) {
  send(post_bytes(path, json, headers));
  return receive();
}

std::string post_bytes(std::string_view path, std::string_view json, std::string_view headers) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n{}"
                     "Content-Length: {}\r\n\r\n{}", path, headers, json.size(), json);
}

TestServer::TestServer(ServerOptions options, TestModelOptions model)
    : gate_(std::make_shared<StepGate>()), host_(make_test_host(model, gate_)) {
  start(std::move(options));
}

TestServer::TestServer(ServerOptions options, std::shared_ptr<StepGate> gate,
                       std::unique_ptr<ModelHost> host)
    : gate_(std::move(gate)), host_(std::move(host)) {
  start(std::move(options));
}

void TestServer::start(ServerOptions options) {
  is_secure_ = !options.ssl_certfile.empty();
  options.port = 0;
  options.catches_signals = false;
  options.version = "test";
  server_ = std::make_unique<Server>(std::move(options), *host_);
  const Status status = server_->listen();
  QUIRE_CHECK(status.is_ok(), "{}", status.message());
  thread_ = std::thread([this] { server_->run(); });
}

TestServer::~TestServer() {
  gate_->open();
  if (thread_.joinable()) {
    request_stop();
    join();
  }
}

void TestServer::join() { thread_.join(); }

double TestServer::metric(const std::string& series) const {
  const std::string name = series.substr(0, series.find('{'));
  const std::string label =
      name == series ? "" : series.substr(name.size() + 1, series.size() - name.size() - 2);
  double sum = 0;
  bool is_found = false;
  std::istringstream lines(client().get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.rfind(' ');
    const std::size_t name_end = std::min(line.find('{'), end);
    if (line.starts_with('#') || line.substr(0, name_end) != name) continue;
    if (line.substr(name_end, end - name_end).find(label) == std::string::npos) continue;
    sum += std::stod(line.substr(end + 1));
    is_found = true;
  }
  return is_found ? sum : -1;
}

void TestServer::wait_for_metric(const std::string& series, double value) const {
  // Each look is a connection, and through TLS a handshake: the server has other things to do.
  while (metric(series) != value) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace quire
