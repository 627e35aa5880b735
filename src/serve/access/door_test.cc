// The door of a running server: keys of a file that changes, pages of other sites, what the log
// keeps to itself, and HEAD wherever there is a GET.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "serve/dialects/all.h"
#include "serve/testing/test_certificate.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kHello =
    R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]})";

// What is logged while this lives, to the last detail.
class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out_);
    auto logger = std::make_shared<spdlog::logger>("capture", std::move(sink));
    logger->set_level(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }

  std::string text() const { return out_.str(); }  // of what no other thread writes any more

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

std::string bearer(std::string_view key) {
  return "Authorization: Bearer " + std::string(key) + "\r\n";
}

TestResponse ask(TestServer& server, const std::string& head) {
  TestClient client = server.client();
  client.send(head + "\r\n");
  return client.receive(head.starts_with("HEAD "));
}

int models_with(TestServer& server, std::string_view key) {
  return ask(server, "GET /v1/models HTTP/1.1\r\nHost: t\r\n" + bearer(key)).status;
}

TEST(DoorTest, KeysOfAFileComeAndGo) {
  const TestFolder folder;
  ServerOptions options;
  options.api_keys = {"fixed"};
  options.api_key_file = folder.write("keys", "one name=alpha\n");
  options.watch_period = std::chrono::milliseconds(2);
  TestServer server(options);
  EXPECT_EQ(models_with(server, "fixed"), 200);
  EXPECT_EQ(models_with(server, "one"), 200);
  EXPECT_EQ(models_with(server, "two"), 401);

  folder.write("keys", "two name=alpha\n");
  while (models_with(server, "two") != 200) {
  }
  EXPECT_EQ(models_with(server, "one"), 401) << "withdrawn";
  EXPECT_EQ(models_with(server, "fixed"), 200);

  folder.write("keys", "two name=alpha\nthree and more\n");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(models_with(server, "two"), 200) << "a mistake";
  EXPECT_EQ(models_with(server, "three"), 401);
  folder.write("keys", "# nobody\n");
  while (models_with(server, "two") != 401) {
  }
  EXPECT_EQ(models_with(server, "fixed"), 200);
  EXPECT_EQ(server.client().post(kChat, kHello, bearer("fixed")).status, 200);
}

TEST(DoorTest, AKeyThatIsWithdrawnWhileTheBodyArrivesIsNoMore) {
  const TestFolder folder;
  ServerOptions options;
  options.api_key_file = folder.write("keys", "one\ntwo\n");
  options.watch_period = std::chrono::milliseconds(2);
  TestServer server(options);
  TestClient client = server.client();
  const std::string bytes = post_bytes(kChat, kHello, bearer("one"));
  client.send(bytes.substr(0, bytes.size() - 1));
  folder.write("keys", "two\n");
  while (models_with(server, "one") != 401) {
  }
  client.send(bytes.substr(bytes.size() - 1));
  EXPECT_EQ(client.receive().status, 401);
}

TEST(DoorTest, FilesOfKeysThatAreNoGoodEndTheStart) {
  const TestFolder folder;
  ServerOptions options;
  options.api_key_file = folder.path("none");
  EXPECT_THAT(check_files(options).message(), HasSubstr("--api-key-file: "));
  options.api_key_file = folder.write("keys", "\n# sesame\n");
  EXPECT_THAT(check_files(options).message(), HasSubstr("there is no key in it"));
  options.api_keys = {"sesame"};
  EXPECT_TRUE(check_files(options).is_ok());
  folder.write("keys", "one\nsesame\n");
  EXPECT_THAT(check_files(options).message(), HasSubstr("line 2: the key is given by --api-key"));
  options = {};
  options.allowed_origins = {"example.com"};
  EXPECT_THAT(check_files(options).message(), HasSubstr("--allowed-origins 'example.com'"));
}

TEST(DoorTest, NoKeyIsEverLogged) {
  const TestFolder folder;
  std::string log;
  {
    LogCapture capture;
    {
      ServerOptions options;
      options.api_keys = {"sesame-one"};
      options.api_key_file = folder.write("keys", "sesame-two name=alpha\nsesame-three\n");
      options.watch_period = std::chrono::milliseconds(2);
      TestServer server(options);
      const std::string path = "GET /v1/models?key=sesame-q HTTP/1.1\r\n";
      for (const char* key : {"sesame-one", "sesame-two", "sesame-wrong"}) {
        models_with(server, key);
        server.client().post(kChat, kHello, bearer(key));
        server.client().post(kChat, "{", bearer(key));
        ask(server, path + "Host: t\r\nX-Api-Key: " + key + "\r\n");
        ask(server, path + "Host: a b\r\n" + bearer(key));                 // refused as a head
        ask(server, path + "Host: t\r\nAuthorization : " + key + "\r\n");  // and by the gate
        ask(server, "OPTIONS * HTTP/1.1\r\nHost: t\r\nAuthorization: " + std::string(key) + "\r\n");
      }
      folder.write("keys", "sesame-two name=alpha\nsesame-one\n");  // given twice
      for (int i = 0; i < 20; ++i) models_with(server, "sesame-two");
      folder.write("keys", "sesame-four\n");
      while (models_with(server, "sesame-four") != 200) {
      }
    }
    log = capture.text();
  }
  EXPECT_THAT(log, HasSubstr("GET \"/v1/models\" 401"));
  EXPECT_THAT(log, HasSubstr("1 API keys were read"));
  EXPECT_THAT(log, Not(HasSubstr("sesame")));
}

TEST(DoorTest, AClientThatLeavesIsInTheLog) {
  std::string log;
  {
    LogCapture capture;
    {
      TestServer server;
      server.gate().close();
      TestClient client = server.client();
      client.send(post_bytes("/api/generate", R"({"model":"m","prompt":"hi"})",
                             "X-Request-Id: gone\r\n"));
      server.wait_for_metric("quire_requests_total{outcome=\"accepted\"}", 1);
      client.close();
      server.wait_for_metric("quire_clients_left_total", 1);
      EXPECT_EQ(server.metric("quire_choices_total{finish=\"cancelled\"}"), 1);
      server.gate().open();
      server.wait_for_metric("quire_kv_blocks{state=\"referenced\"}", 0);
    }
    log = capture.text();
  }
  EXPECT_THAT(log, HasSubstr("POST \"/api/generate\" gone 499"));
}

TEST(DoorTest, ListeningToOthersSaysWhatThatMeans) {
  const auto words = [](ServerOptions options) {
    LogCapture capture;
    { TestServer server(std::move(options)); }
    return capture.text();
  };
  const TestFolder folder;
  const TestCertificate made = make_test_certificate();
  const std::string pair = folder.write("both.pem", made.certificate + made.key);
  EXPECT_THAT(words({}), Not(HasSubstr("listening")));
  const std::string open = words({.host = "0.0.0.0"});
  EXPECT_THAT(open, HasSubstr("listening on 0.0.0.0 without API keys: whoever reaches"));
  EXPECT_THAT(open, HasSubstr("listening on 0.0.0.0 without TLS: whoever is on the way"));
  const std::string keyed = words({.host = "0.0.0.0", .api_keys = {"sesame"}});
  EXPECT_THAT(keyed, Not(HasSubstr("without API keys")));
  EXPECT_THAT(keyed, HasSubstr("without TLS"));
  ServerOptions safe{.host = "0.0.0.0", .api_keys = {"sesame"}};
  safe.ssl_certfile = pair;
  EXPECT_THAT(words(safe), Not(HasSubstr("listening")));
}

// --- pages of other sites ---

TEST(DoorTest, OnlyOwnHostNamesOnLoopback) {
  TestServer server;
  TestClient client = server.client();
  const auto status_of = [&](const std::string& host) {
    client.send("GET /v1/models HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.receive().status;
  };
  EXPECT_EQ(status_of("127.0.0.1:8000"), 200);
  EXPECT_EQ(status_of("localhost"), 200);
  EXPECT_EQ(status_of("[::1]:80"), 200);
  for (const char* own : {"", "LOCALHOST", "localhost.:80", "app.localhost", "My-Mac.local:11434",
                          "host.docker.internal:11434", "192.168.1.5:8000", "server"}) {
    EXPECT_EQ(status_of(own), 200) << own;
  }
  for (const char* foreign :
       {"attacker.example", "attacker.example.", "127.0.0.1.attacker.example",
        "localhost.attacker.example:80", "not.xlocal", "a.internal.example"}) {
    EXPECT_EQ(status_of(foreign), 403) << foreign;
  }
}

TEST(DoorTest, APageOfAnotherSiteMayNotPost) {
  TestServer server;
  TestClient client = server.client();
  const TestResponse refused = client.post(kChat, kHello, "Origin: https://a.example\r\n");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("origin_not_allowed"));
  EXPECT_EQ(refused.header("access-control-allow-origin"), "");
  EXPECT_EQ(server.client().post(kChat, kHello, "Origin: http://t\r\n").status, 200) << "our own";
  const TestResponse shown = ask(server, "GET /v1/models HTTP/1.1\r\nHost: t\r\n"
                                         "Origin: https://a.example\r\n");
  EXPECT_EQ(shown.status, 200) << "which the browser keeps from the page";
  EXPECT_EQ(shown.header("access-control-allow-origin"), "");
  EXPECT_EQ(shown.header("vary"), "");
  EXPECT_EQ(ask(server, "OPTIONS /v1/models HTTP/1.1\r\nHost: t\r\nOrigin: https://a.example\r\n"
                        "Access-Control-Request-Method: GET\r\n").status, 405);
}

TEST(DoorTest, AnAllowedPageIsAskedAndAnswered) {
  ServerOptions options;
  options.api_keys = {"sesame"};
  options.allowed_origins = {"https://a.example"};
  TestServer server(options);
  const auto preflight = [&](const std::string& path, const std::string& origin) {
    return ask(server, "OPTIONS " + path + " HTTP/1.1\r\nHost: t\r\nOrigin: " + origin +
                           "\r\nAccess-Control-Request-Method: POST\r\n"
                           "Access-Control-Request-Headers: authorization,content-type\r\n");
  };
  const TestResponse yes = preflight(kChat, "https://a.example");
  EXPECT_EQ(yes.status, 204) << "without a key, which browsers do not send here";
  EXPECT_EQ(yes.header("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(yes.header("access-control-allow-methods"), "POST, GET, HEAD");
  EXPECT_EQ(yes.header("access-control-allow-headers"), "authorization, content-type");
  EXPECT_EQ(yes.header("content-length"), "");
  EXPECT_EQ(yes.header("content-type"), "");
  EXPECT_EQ(preflight(kChat, "https://b.example").status, 403);
  EXPECT_EQ(preflight("/v1/none", "https://a.example").status, 401) << "no route is known";
  EXPECT_EQ(preflight("/none", "https://a.example").status, 404);

  const std::string origin = "Origin: https://a.example\r\n";
  const TestResponse done = server.client().post(kChat, kHello, origin + bearer("sesame"));
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.header("access-control-allow-origin"), "https://a.example");
  EXPECT_THAT(done.header("access-control-expose-headers"), HasSubstr("x-request-id"));
  EXPECT_EQ(done.header("vary"), "Origin");
  for (const TestResponse& wrong : {server.client().post(kChat, kHello, origin),
                                    server.client().post(kChat, "{", origin + bearer("sesame"))}) {
    EXPECT_GE(wrong.status, 400);
    EXPECT_EQ(wrong.header("access-control-allow-origin"), "https://a.example")
        << "or the page could not read why";
  }
  const TestResponse other =
      server.client().post(kChat, kHello, "Origin: https://b.example\r\n" + bearer("sesame"));
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(other.header("access-control-allow-origin"), "");
  EXPECT_EQ(other.header("vary"), "Origin");
}

// --- what every answer has ---

TEST(DoorTest, EveryAnswerHasAnId) {
  TestServer server;
  for (const char* head :
       {"GET /health HTTP/1.1\r\nHost: t\r\n", "GET /none HTTP/1.1\r\nHost: t\r\n", "GET / HTT\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n", "GET / HTTP/1.1\r\n"}) {
    EXPECT_TRUE(ask(server, head).header("x-request-id").starts_with("req_")) << head;
  }
  TestServer full({.http = {.connections_max = 1}});
  TestClient only = full.client();
  EXPECT_EQ(only.get("/health").status, 200);
  EXPECT_TRUE(full.client().receive().header("x-request-id").starts_with("req_"));
}

TEST(DoorTest, HeadIsAGetWithoutItsBody) {
  TestServer server;
  std::size_t routes = 0;
  for (const Dialect* dialect : all_dialects()) {
    for (const Route& route : dialect->routes) {
      if (route.method != "GET") continue;
      std::string path(route.pattern);
      for (std::size_t open; (open = path.find('{')) != std::string::npos;) {
        path.replace(open, path.find('}') - open + 1, "m");
      }
      TestClient client = server.client();
      client.send("HEAD " + path + " HTTP/1.1\r\nHost: t\r\n\r\n");
      const TestResponse head = client.receive(true);
      ++routes;
      EXPECT_EQ(client.get("/health").status, 200) << path << ": the connection is in step";
      if (path.ends_with("/stream")) {
        EXPECT_EQ(head.status, 200);
        continue;
      }
      const TestResponse whole = client.get(path);
      EXPECT_EQ(head.status, whole.status) << path;
      EXPECT_EQ(head.header("content-type"), whole.header("content-type")) << path;
      EXPECT_EQ(head.header("content-length") == "0", whole.body.empty()) << path;
    }
  }
  EXPECT_GE(routes, 12u);
  EXPECT_EQ(server.client().get("/health").status, 200);
}

}  // namespace
}  // namespace quire
