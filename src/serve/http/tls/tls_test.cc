// The server behind TLS: the same answers, the same bounds, and what only TLS knows: versions,
// renegotiation, half-closed streams, handshakes that do not end, certificates that are replaced.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "serve/testing/test_certificate.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kPath = "/v1/completions";

std::string body_of(int tokens, const char* more = "") {
  return R"({"model":"m","prompt":"hi","seed":3,"ignore_eos":true,"max_tokens":)" +
         std::to_string(tokens) + more + "}";
}

// A server with a certificate of its own.
class TlsTest : public testing::Test {
 protected:
  ServerOptions options() const {
    ServerOptions options;
    options.ssl_certfile = certificate_;
    options.ssl_keyfile = key_;
    return options;
  }

  void install(const TestCertificate& made) {
    certificate_ = folder_.write("c.pem", made.certificate);
    key_ = folder_.write("k.pem", made.key);
  }

  void SetUp() override { install(make_test_certificate("first.test")); }

  TestFolder folder_;
  std::string certificate_, key_;
};

std::string common_name(const TestClient& client) {
  char name[64] = "";
  X509* shown = SSL_get1_peer_certificate(client.tls());
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
  X509_free(shown);
  return name;
}

// A byte that never comes: why not.
int end_of(const TestClient& client) {
  char byte;
  return SSL_get_error(client.tls(), SSL_read(client.tls(), &byte, 1));
}

TEST_F(TlsTest, SaysTheSameAsPlainHttp) {
  TestServer plain, secure(options());
  TestClient client = secure.client();
  ASSERT_NE(client.tls(), nullptr);
  EXPECT_GE(SSL_version(client.tls()), TLS1_2_VERSION);
  const auto text = [](const TestResponse& response) {
    return response.body.substr(response.body.find("\"choices\""));
  };
  const TestResponse whole = client.post(kPath, body_of(20));
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(text(whole), text(plain.client().post(kPath, body_of(20))));
  const TestResponse stream = client.post(kPath, body_of(20, R"(,"stream":true)"));
  EXPECT_TRUE(stream.body.ends_with("data: [DONE]\n\n"));

  std::string pipeline;
  for (int i = 0; i < 50; ++i) pipeline += post_bytes(kPath, body_of(1));
  client.send(pipeline);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.receive().status, 200) << i;
  const std::string large = R"({"model":"m","prompt":")" + std::string(200'000, 'x') + "\"}";
  EXPECT_EQ(client.post(kPath, large).status, 400) << "longer than the context, in many records";
}

TEST_F(TlsTest, ManyAtOnce) {
  TestServer server(options());
  server.gate().close();
  std::vector<TestClient> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(server.client());
    clients.back().send(post_bytes(kPath, body_of(8, R"(,"stream":true)")));
  }
  server.gate().open();
  for (TestClient& client : clients) {
    EXPECT_TRUE(client.receive().body.ends_with("data: [DONE]\n\n"));
  }
}

// --- who does not speak TLS as we do ---

TEST_F(TlsTest, OldVersionsAndOtherProtocolsGetNoHandshake) {
  TestServer server(options());
  const auto is_welcome = [&](const TestClient::TlsTerms& terms) {
    return TestClient(server.port(), terms).tls() != nullptr;
  };
  EXPECT_FALSE(is_welcome([](SSL_CTX* terms) {
    SSL_CTX_set_security_level(terms, 0);
    SSL_CTX_set_max_proto_version(terms, TLS1_1_VERSION);
  }));
  EXPECT_TRUE(is_welcome([](SSL_CTX* terms) {
    SSL_CTX_set_max_proto_version(terms, TLS1_2_VERSION);
  }));
  const auto with_protocols = [](std::string_view list) {
    return [list](SSL_CTX* terms) {
      SSL_CTX_set_alpn_protos(terms, reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()));
    };
  };
  EXPECT_FALSE(is_welcome(with_protocols("\x02h2")));
  EXPECT_TRUE(is_welcome(with_protocols("\x02h2\x08http/1.1")));
  EXPECT_EQ(server.client().get("/health").status, 200);
}

TEST_F(TlsTest, PlainHttpIsToldWhatIsSpokenHere) {
  TestServer server(options());
  TestClient client(server.port());
  const TestResponse answer = client.get("/health");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("This port speaks HTTPS"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(TlsTest, AHandshakeHasToEnd) {
  ServerOptions terms = options();
  terms.http.handshake_timeout = std::chrono::milliseconds(30);
  TestServer server(terms);
  TestClient silent(server.port()), stuck(server.port());
  stuck.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));  // of a hello of 512 bytes
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(stuck.is_closed());
  EXPECT_EQ(server.client().get("/health").status, 200);
}

// A deadline that passes just when a byte arrives holds all the same.
TEST_F(TlsTest, NoMomentSavesAHandshakeFromItsDeadline) {
  ServerOptions terms = options();
  terms.http.handshake_timeout = std::chrono::milliseconds(1);
  TestServer server(terms);
  constexpr std::string_view kHello = "\x16\x03\x01\x02";  // and nothing behind it
  for (int i = 0; i < 300; ++i) {
    TestClient client(server.port());
    for (const char c : kHello) {
      std::this_thread::sleep_for(std::chrono::microseconds(i));
      client.send({&c, 1});
    }
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(TlsTest, RenegotiationIsRefused) {
  TestServer server(options());
  const TestClient::TlsTerms older = [](SSL_CTX* terms) {
    SSL_CTX_set_max_proto_version(terms, TLS1_2_VERSION);
  };
  TestClient client(server.port(), older);
  EXPECT_EQ(client.get("/health").status, 200);
  ASSERT_EQ(SSL_renegotiate(client.tls()), 1);
  EXPECT_NE(SSL_do_handshake(client.tls()), 1);
  EXPECT_EQ(server.client().get("/health").status, 200);
}

// Keys of one connection may be renewed; that is no renegotiation.
TEST_F(TlsTest, KeysMayBeRenewed) {
  TestServer server(options());
  TestClient client = server.client();
  ASSERT_EQ(SSL_version(client.tls()), TLS1_3_VERSION);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(SSL_key_update(client.tls(), SSL_KEY_UPDATE_REQUESTED), 1);
    EXPECT_EQ(client.get("/health").status, 200) << i;
  }
}

// --- slow ones, and ends ---

TEST_F(TlsTest, AByteARecordIsAnswered) {
  TestServer server(options());
  TestClient slow = server.client();
  for (const char c : post_bytes(kPath, body_of(1))) slow.send({&c, 1});
  EXPECT_EQ(slow.receive().status, 200);
}

TEST_F(TlsTest, SlowHeadsAndBodiesTimeOut) {
  ServerOptions terms = options();
  terms.http.head_timeout = std::chrono::milliseconds(30);
  terms.http.body_timeout = std::chrono::milliseconds(30);
  terms.http.idle_timeout = std::chrono::milliseconds(30);
  TestServer server(terms);
  TestClient idle = server.client();
  TestClient head = server.client();
  head.send("GET /health HT");
  EXPECT_EQ(head.receive().status, 408);
  TestClient body = server.client();
  body.send("POST /v1/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            "Content-Length: 10\r\n\r\n{");
  EXPECT_EQ(body.receive().status, 408);
  EXPECT_EQ(end_of(idle), SSL_ERROR_ZERO_RETURN) << "without a word but goodbye";
}

TEST_F(TlsTest, AReaderThatDoesNotReadLosesItsStream) {
  ServerOptions terms = options();
  terms.http.output_max = 4096;
  TestServer server(terms, {.blocks = 4000, .context_max = 100'000});
  TestClient client = server.client();
  client.shrink_receive_buffer(1);
  client.send(post_bytes("/v1/chat/completions",
                         R"({"model":"m","messages":[{"role":"user","content":"hi"}],)"
                         R"("stream":true,"max_tokens":90000,"ignore_eos":true,"logprobs":true,)"
                         R"("top_logprobs":20})"));
  server.wait_for_metric("quire_clients_left_total", 1);
  server.wait_for_metric("quire_requests_running", 0);
}

// With close_notify or without: who closes its side has left.
TEST_F(TlsTest, AHalfClosedStreamIsLeft) {
  TestServer server(options());
  int left = 0;
  for (const bool says_so : {true, false}) {
    server.gate().close();
    TestClient client = server.client();
    client.send(post_bytes(kPath, body_of(900, R"(,"stream":true)")));
    server.gate().let_pass(3);
    EXPECT_THAT(client.receive_some(), HasSubstr("200 OK"));
    if (says_so) {
      SSL_shutdown(client.tls());
    } else {
      SSL_set_quiet_shutdown(client.tls(), 1);
      client.shut_sending();
    }
    server.wait_for_metric("quire_clients_left_total", ++left);
    server.gate().open();
    server.wait_for_metric("quire_requests_running", 0);
  }
  EXPECT_LT(server.metric("quire_generated_tokens_total"), 40);
}

TEST_F(TlsTest, TheServerSaysGoodbye) {
  TestServer server(options());
  TestClient closing = server.client(), idle = server.client();
  EXPECT_EQ(idle.get("/health").status, 200);
  closing.send("GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(closing.receive().status, 200);
  EXPECT_EQ(end_of(closing), SSL_ERROR_ZERO_RETURN);
  server.request_stop();
  EXPECT_EQ(end_of(idle), SSL_ERROR_ZERO_RETURN) << "drained";
  idle.close();
  server.join();
}

TEST_F(TlsTest, ConnectionsBeyondTheLimitAreTold) {
  ServerOptions terms = options();
  terms.http.connections_max = 1;
  TestServer server(terms);
  TestClient first = server.client();
  EXPECT_EQ(first.get("/health").status, 200);
  TestClient second = server.client();
  EXPECT_EQ(second.receive().status, 503);
  EXPECT_TRUE(second.is_closed());
  EXPECT_EQ(first.get("/health").status, 200);
}

// --- certificates ---

TEST_F(TlsTest, ANewCertificateIsShownToWhoComesNext) {
  ServerOptions terms = options();
  terms.watch_period = std::chrono::milliseconds(2);
  TestServer server(terms);
  TestClient old = server.client();
  EXPECT_EQ(common_name(old), "first.test");
  folder_.write("c.pem", "no certificate at all");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(common_name(server.client()), "first.test");
  install(make_test_certificate("second.test"));
  while (common_name(server.client()) != "second.test") {
  }
  EXPECT_EQ(old.get("/health").status, 200) << "who is in stays in";
}

TEST(TlsStartTest, AMistakeEndsTheStart) {
  const auto host = make_test_host({}, std::make_shared<StepGate>());
  ServerOptions options;
  options.ssl_keyfile = "k.pem";
  EXPECT_EQ(check_files(options).message(),
            "--ssl-keyfile 'k.pem' is of no use without --ssl-certfile");
  options.ssl_certfile = "no-such-file.pem";
  EXPECT_THAT(Server(options, *host).listen().message(), HasSubstr("no-such-file.pem"));
}

// --- the collection of bad bytes ---

TEST_F(TlsTest, BadBytesAreRefusedAsTheyAreInPlain) {
  const fs::path folder = fs::path(QUIRE_SOURCE_DIR) / "../shared/testdata/bad-http";
  if (!fs::exists(folder)) GTEST_SKIP() << "no ../shared here";
  TestServer plain, secure(options());
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".raw") continue;
    const std::string name = entry.path().filename();
    if (name.starts_with("048")) continue;  // a thousand good ones
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    TestClient here = plain.client(), there = secure.client();
    here.send(bytes);
    there.send(bytes);
    EXPECT_EQ(here.receive().status, there.receive().status) << name;
    EXPECT_EQ(secure.client().get("/health").status, 200) << name;
    ++files;
  }
  EXPECT_GT(files, 60u);
}

// Noise in place of records, before and after the handshake.
TEST_F(TlsTest, NoiseIsNoTls) {
  TestServer server(options());
  std::string noise;
  for (int i = 0; i < 4000; ++i) noise += static_cast<char>((i * 7919) >> 3);
  for (std::size_t at = 0; at < 40; ++at) {
    TestClient client(server.port());
    client.send(std::string_view(noise).substr(at * 50, 400));
    client.shut_sending();
    while (!client.receive_some().empty()) {
    }
  }
  TestClient client = server.client();
  EXPECT_EQ(client.get("/health").status, 200);
  BIO_write(SSL_get_wbio(client.tls()), noise.data(), 300);
  EXPECT_NE(end_of(client), SSL_ERROR_NONE);
  EXPECT_EQ(server.client().get("/health").status, 200);
}

}  // namespace
}  // namespace quire
