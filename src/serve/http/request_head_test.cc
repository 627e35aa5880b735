#include "serve/http/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace quire::http {
namespace {

RequestHead parse(const std::string& fields, const std::string& line = "POST /x HTTP/1.1") {
  return parse_head(line + "\r\n" + fields + "\r\n", Limits());
}

TEST(RequestHeadTest, ReadsWhatWasSent) {
  const RequestHead head = parse("Host: t:80\r\nX-Thing: A b\r\nContent-Length: 12\r\n",
                                 "POST /v1/a%20b?q=1 HTTP/1.1");
  ASSERT_EQ(head.refusal, 0) << head.reason;
  EXPECT_EQ(head.request.method, "POST");
  EXPECT_EQ(head.request.path, "/v1/a b");
  ASSERT_NE(head.request.find("x-thing"), nullptr);
  EXPECT_EQ(*head.request.find("x-thing"), "A b");
  EXPECT_EQ(head.body_size, 12u);
  EXPECT_FALSE(head.is_chunked);
  EXPECT_TRUE(head.request.keeps_alive);
}

TEST(RequestHeadTest, KeepAliveFollowsVersionAndConnection) {
  EXPECT_FALSE(parse("Host: t\r\nConnection: close\r\n").request.keeps_alive);
  EXPECT_FALSE(parse("", "GET / HTTP/1.0").request.keeps_alive);
  EXPECT_TRUE(parse("Connection: keep-alive\r\n", "GET / HTTP/1.0").request.keeps_alive);
}

TEST(RequestHeadTest, FramingIsUnambiguousOrRefused) {
  EXPECT_TRUE(parse("Host: t\r\nTransfer-Encoding: chunKed\r\n").is_chunked);
  for (const char* fields :
       {"Content-Length: +5", "Content-Length: -1", "Content-Length: 5, 5", "Content-Length: 5 5",
        "Content-Length: 18446744073709551616", "Content-Length: 0x5", "Content-Length: ",
        "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"}) {
    EXPECT_EQ(parse("Host: t\r\n" + std::string(fields) + "\r\n").refusal, 400) << fields;
  }
  for (const char* coding :
       {"xchunked", "chunked, identity", "\"chunked\"", "gzip, chunked", "cow"}) {
    const int refusal =
        parse("Host: t\r\nTransfer-Encoding: " + std::string(coding) + "\r\n").refusal;
    EXPECT_TRUE(refusal == 400 || refusal == 501) << coding;
  }
  EXPECT_EQ(parse("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0").refusal, 400);
}

TEST(RequestHeadTest, OneHostThatIsAHost) {
  EXPECT_EQ(parse("").refusal, 400);
  EXPECT_EQ(parse("Host: a\r\nHost: b\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: a b\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: t/?\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: t/#\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: [::1]:8000\r\n").refusal, 0);
}

// RFC 9112, 3.2.2: it must be accepted, and its host is the one that counts.
TEST(RequestHeadTest, ATargetMayBeAbsolute) {
  const RequestHead head = parse("Host: other\r\n", "GET http://t:80/a%20b?x HTTP/1.1");
  ASSERT_EQ(head.refusal, 0) << head.reason;
  EXPECT_EQ(head.request.path, "/a b");
  EXPECT_EQ(*head.request.find("host"), "t:80");
  EXPECT_EQ(parse("Host: t\r\n", "GET HTTP://t HTTP/1.1").request.path, "/");
  EXPECT_EQ(parse("Host: t\r\n", "GET http://t?q HTTP/1.1").request.path, "/");
  EXPECT_EQ(*parse("", "GET http://t/ HTTP/1.0").request.find("host"), "t");
  EXPECT_EQ(parse("", "GET http://t/ HTTP/1.1").refusal, 400) << "the host field is still needed";
  EXPECT_EQ(parse("Host: t\r\nHost: t\r\n", "GET http://t/ HTTP/1.1").refusal, 400);
  EXPECT_EQ(parse("Host: t\r\n", "GET https://t/ HTTP/1.1").refusal, 421);
  for (const char* target : {"http:///a", "http://:80/", "ftp://t/", "http://u@t/", "http:/t", "t",
                             "http://t/../x", "*"}) {
    EXPECT_EQ(parse("Host: t\r\n", "GET " + std::string(target) + " HTTP/1.1").refusal, 400)
        << target;
  }
  EXPECT_EQ(parse("Host: t\r\n", "OPTIONS * HTTP/1.1").refusal, 0);
}

TEST(RequestHeadTest, VersionsAndEmptyLinesAreReadLiberally) {
  EXPECT_EQ(parse("Host: t\r\n", "GET / HTTP/1.7").refusal, 0);
  EXPECT_FALSE(parse("Host: t\r\n", "GET / HTTP/1.7").request.is_http_10);
  EXPECT_EQ(parse("Host: t\r\n", "\r\n\r\nGET / HTTP/1.1").refusal, 0);
}

TEST(RequestHeadTest, AnEndThatNobodyKnowsIsABadRequest) {
  EXPECT_EQ(parse("Host: t\r\nTransfer-Encoding: gzip\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: t\r\nTransfer-Encoding: chunked, gzip\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: t\r\nTransfer-Encoding: chunked,\r\n").refusal, 400);
  EXPECT_EQ(parse("Host: t\r\nTransfer-Encoding: gzip, chunked\r\n").refusal, 501);
}

TEST(RequestHeadTest, ExpectationsAndCodings) {
  EXPECT_TRUE(parse("Host: t\r\nExpect: 100-continue\r\n").expects_continue);
  EXPECT_EQ(parse("Host: t\r\nExpect: 200-maybe\r\n").refusal, 417);
  EXPECT_EQ(parse("Host: t\r\nContent-Encoding: zstd, br\r\n").refusal, 415);
  EXPECT_EQ(parse("Host: t\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n").refusal, 415);
  EXPECT_EQ(parse("Host: t\r\nContent-Encoding: GZip\r\n").coding, ContentCoding::kGzip);
  EXPECT_EQ(parse("Host: t\r\nContent-Encoding: identity\r\n").refusal, 0);
}

TEST(RequestHeadTest, RequestIdIsTakenOnlyIfHarmless) {
  EXPECT_EQ(parse("Host: t\r\nX-Request-Id: abc-1.2:3\r\n").request.id, "abc-1.2:3");
  EXPECT_TRUE(parse("Host: t\r\nX-Request-Id: a%0d%0aX: y\r\n").request.id.starts_with("req_"));
  const std::string long_id(200, 'a');
  EXPECT_TRUE(parse("Host: t\r\nX-Request-Id: " + long_id + "\r\n").request.id.starts_with("req_"));
}

TEST(RequestHeadTest, TargetsBecomeOnePath) {
  const struct {
    const char* target;
    const char* path;  // null: refused
  } kCases[] = {
      {"/", "/"},
      {"/v1/models", "/v1/models"},
      {"/v1/models?a=b%20c", "/v1/models"},
      {"/v1/models/a%2Fb", "/v1/models/a/b"},
      {"/a..b/c.", "/a..b/c."},
      {"/%252e%252e/etc", "/%2e%2e/etc"},
      {"/../etc/passwd", nullptr},
      {"/admin/../v1/models", nullptr},
      {"/%2e%2e/x", nullptr},
      {"/v1/%2e", nullptr},
      {"/%c0%ae%c0%ae/etc", nullptr},
      {"/v1/models#frag", nullptr},
      {"/v1/models?%zz", nullptr},
      {"/v1/%", nullptr},
      {"/a%00b", nullptr},
      {"/a%0d%0aX:y", nullptr},
      {"http://evil/v1/models", nullptr},
      {"*", nullptr},
      {"", nullptr},
  };
  for (const auto& [target, path] : kCases) {
    std::string decoded;
    const bool is_good = decode_target(target, decoded);
    EXPECT_EQ(is_good, path != nullptr) << target;
    if (is_good && path != nullptr) {
      EXPECT_EQ(decoded, path);
    }
  }
}

}  // namespace
}  // namespace quire::http
