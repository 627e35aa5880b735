#include "lab/load/load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <future>
#include <mutex>
#include <thread>

namespace quire {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = boost::asio::ip::tcp;

// A server of a few canned answers; a thread per connection.
class TinyServer {
 public:
  struct Answer {
    http::status status = http::status::ok;
    std::string body;
  };
  using Responder = std::function<Answer(const std::string& target, const std::string& body)>;

  explicit TinyServer(Responder responder)
      : responder_(std::move(responder)), acceptor_(io_, {Tcp::v4(), 0}), thread_([this] {
          for (;;) {
            Tcp::socket socket(io_);
            boost::system::error_code problem;
            acceptor_.accept(socket, problem);
            if (problem || is_stopping_) return;
            connections_.push_back(
                std::async(std::launch::async,
                           [this, s = std::move(socket)]() mutable { answer(std::move(s)); }));
          }
        }) {}
  ~TinyServer() {
    is_stopping_ = true;
    Tcp::socket waker(io_);
    boost::system::error_code ignored;
    waker.connect({boost::asio::ip::address_v4::loopback(), acceptor_.local_endpoint().port()},
                  ignored);
    thread_.join();
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  int answering_max() const { return answering_max_; }

 private:
  void answer(Tcp::socket socket) {
    boost::system::error_code problem;
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::read(socket, buffer, request, problem);
    if (problem) return;
    const int now = ++answering_;
    answering_max_ = std::max<int>(answering_max_, now);
    const Answer answer = responder_(std::string(request.target()), request.body());
    --answering_;
    http::response<http::string_body> response(answer.status, 11);
    response.chunked(true);
    response.body() = answer.body;
    http::write(socket, response, problem);
    socket.shutdown(Tcp::socket::shutdown_both, problem);
  }

  Responder responder_;
  boost::asio::io_context io_;
  Tcp::acceptor acceptor_;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<int> answering_ = 0, answering_max_ = 0;
  std::vector<std::future<void>> connections_;  // before thread_, which fills it
  std::thread thread_;
};

constexpr std::string_view kModels = R"({"data": [{"id": "toy"}, {"id": "other"}]})";
const std::string kStream =
    "data: {\"choices\": [{\"text\": \"one\"}]}\n\n"
    "data: {\"choices\": [{\"text\": \"\", \"finish_reason\": \"length\"}]}\n\n"
    "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 5, "
    "\"prompt_tokens_details\": {\"cached_tokens\": 4}}}\n\n"
    "data: [DONE]\n\n";

WorkloadOptions small_workload() {
  WorkloadOptions workload = *named_workload("mixed");
  workload.requests = 7;
  workload.clients = 3;
  return workload;
}

TEST(LoadTest, SendsEveryRequestAndReadsItsStream) {
  std::mutex mutex;
  std::vector<std::string> bodies;
  TinyServer server([&](const std::string& target, const std::string& body) -> TinyServer::Answer {
    if (target == "/v1/models") return {.body = std::string(kModels)};
    EXPECT_EQ(target, "/v1/completions");
    const std::lock_guard lock(mutex);
    bodies.push_back(body);
    return {.body = kStream};
  });
  const auto result = run_load({.url = server.url()}, small_workload());
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_EQ(result->model, "toy");
  EXPECT_TRUE(result->is_ignoring_eos);
  ASSERT_EQ(result->records.size(), 7u);
  for (const LoadRecord& record : result->records) {
    EXPECT_EQ(record.error, "");
    EXPECT_EQ(record.prompt_tokens, 9);
    EXPECT_EQ(record.cached_tokens, 4);
    EXPECT_EQ(record.generated_tokens, 5);
    EXPECT_GT(record.first_at, record.sent_at);
    EXPECT_TRUE(record.gaps.empty());
  }
  EXPECT_EQ(bodies.size(), 1u + 7u);
  EXPECT_NE(bodies.back().find("\"ignore_eos\":true"), std::string::npos);
}

TEST(LoadTest, ClientsWaitForTheirAnswersAndAnOpenLoopDoesNot) {
  const auto respond = [](const std::string& target, const std::string&) -> TinyServer::Answer {
    if (target == "/v1/models") return {.body = std::string(kModels)};
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return {.body = kStream};
  };
  TinyServer closed(respond);
  WorkloadOptions workload = small_workload();
  ASSERT_TRUE(run_load({.url = closed.url()}, workload).is_ok());
  EXPECT_EQ(closed.answering_max(), 3);
  TinyServer open(respond);
  workload.rate = 10000;
  ASSERT_TRUE(run_load({.url = open.url()}, workload).is_ok());
  EXPECT_GT(open.answering_max(), 3);
}

TEST(LoadTest, ReportsRefusalsAndFallsBackWithoutIgnoreEos) {
  TinyServer server([&](const std::string& target, const std::string& body) -> TinyServer::Answer {
    if (target == "/v1/models") return {.body = std::string(kModels)};
    if (body.find("ignore_eos") != body.npos) return {http::status::bad_request, "unknown field"};
    if (body.find("\"max_tokens\":2,") != body.npos) return {.body = kStream};
    return {http::status::too_many_requests, "come back later"};
  });
  WorkloadOptions workload = small_workload();
  workload.tokens_min = 100;
  const auto result = run_load({.url = server.url()}, workload);
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_FALSE(result->is_ignoring_eos);
  for (const LoadRecord& record : result->records) {
    EXPECT_EQ(record.error, "HTTP 429: come back later");
  }
}

TEST(LoadTest, ASilentHostIsAnError) {
  const auto result = run_load({.url = "http://127.0.0.1:1"}, small_workload());
  ASSERT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace quire
