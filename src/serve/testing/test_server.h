// A Server with a test model on a free port, its I/O thread, and a plain blocking client over real
// sockets. A test holds a TestServer and as many TestClients as it likes.
// Each object: one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "serve/server.h"
#include "serve/testing/test_model.h"

struct ssl_st;      // OpenSSL's SSL
struct ssl_ctx_st;  // and SSL_CTX

namespace quire {

struct TestResponse {
  int status = 0;  // 0: the connection ended instead
  std::vector<http::Header> headers;  // names in lower case
  std::string body;                 // of chunks: joined
  std::size_t chunks = 0;

  std::string header(std::string_view name) const;  // empty if absent
};

inline constexpr std::string_view kInferPath = "/v2/models/m/infer";  // of its one model

inline constexpr const char* kCompletionsPath = "/v1/completions";
// The body of a completion of "ab" by that model.
std::string ask_model(const std::string& model, const std::string& fields = R"("max_tokens":4)");

class TestClient {
 public:
  using TlsTerms = std::function<void(ssl_ctx_st*)>;

  // `is_secure`: TLS, whoever the server says it is.
  explicit TestClient(int port, bool is_secure = false);
  TestClient(int port, const TlsTerms& terms);
  TestClient(TestClient&& other) noexcept;
  ~TestClient();

  void send(std::string_view bytes);  // a connection that has ended already is fine
  // Until the response is complete. `is_head`: it answers a HEAD.
  TestResponse receive(bool is_head = false);
  std::string receive_some();  // what comes next; empty: the end
  bool is_closed();            // nothing more comes
  void shut_sending();
  void shrink_receive_buffer(int size);
  void close();
  ssl_st* tls() const { return tls_; }  // null: plain, or there was no handshake

  TestResponse get(std::string_view path);
  TestResponse post(std::string_view path, std::string_view json, std::string_view headers = "");

 private:
  void shake_hands(const TlsTerms& terms);
  bool fill();

  int socket_;
  ssl_st* tls_ = nullptr;
  std::string input_;
};

std::string post_bytes(std::string_view path, std::string_view json, std::string_view headers = "");

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, TestModelOptions model = {});
  TestServer(ServerOptions options, std::shared_ptr<StepGate> gate,
             std::unique_ptr<ModelHost> host);
  ~TestServer();  // opens the gate, drains, joins

  int port() const { return server_->port(); }
  StepGate& gate() { return *gate_; }
  const Engine& engine() const { return *(*host_->lease(0))->engine; }  // nobody unloads it
  ModelHost& host() { return *host_; }
  TestClient client() const { return TestClient(port(), is_secure_); }
  void request_stop() { server_->request_stop(); }
  void join();  // waits until run() has returned

  // The sum of a metric's series that have the label, if one is given: "name" or "name{label}".
  // -1 if there is none.
  double metric(const std::string& series) const;
  // Asks again until it is so; a test that hangs here has failed.
  void wait_for_metric(const std::string& series, double value) const;

 private:
  void start(ServerOptions options);

  std::shared_ptr<StepGate> gate_;
  std::unique_ptr<ModelHost> host_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  bool is_secure_ = false;
};

}  // namespace quire
