#include "serve/http/request_gate.h"

#include <gtest/gtest.h>

#include <string>

namespace quire::http {
namespace {

using Verdict = RequestGate::Verdict;

struct Look {
  Verdict verdict;
  int status;
};

// All at once and byte by byte: the answer must be the same.
Look look_at(const std::string& bytes) {
  const Limits limits;
  RequestGate whole(limits);
  const Verdict verdict = whole.look(bytes);
  RequestGate slow(limits);
  Verdict last = Verdict::kMore;
  for (std::size_t size = 1; size <= bytes.size() && last == Verdict::kMore; ++size) {
    last = slow.look(std::string_view(bytes).substr(0, size));
  }
  EXPECT_EQ(verdict, last) << bytes;
  EXPECT_EQ(whole.status(), slow.status()) << bytes;
  return {verdict, whole.status()};
}

TEST(RequestGateTest, LetsPlainRequestsThrough) {
  const std::string head = "GET /v1/models?x=1 HTTP/1.1\r\nHost: t\r\nX-Y: a\tb \xC3\xA9\r\n\r\n";
  const Limits limits;
  RequestGate gate(limits);
  EXPECT_EQ(gate.look(head + "rest"), Verdict::kComplete);
  EXPECT_EQ(gate.head_size(), head.size());
  EXPECT_EQ(look_at("GET / HTTP/1.0\r\n\r\n").verdict, Verdict::kComplete);
}

TEST(RequestGateTest, WaitsForTheRest) {
  EXPECT_EQ(look_at("").verdict, Verdict::kMore);
  EXPECT_EQ(look_at("GET / HTTP/1.1\r\nHost: t\r\n").verdict, Verdict::kMore);
}

TEST(RequestGateTest, RefusesWhatCouldBeReadInTwoWays) {
  const std::string nul("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\nHost: t\n\n"),
        std::string("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), nul,
        std::string(" GET / HTTP/1.1\r\n"), std::string("GET / HTTP/1.1\r\n A: b\r\n"),
        std::string("GET / HTTP/1.1\r\nA : b\r\n"), std::string("GET / HTTP/1.1\r\nnocolon\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\r\n folded\r\n"), std::string("GET  / HTTP/1.1\r\n"),
        std::string("GET /\r\n"), std::string("GET / HTTP/11\r\n"),
        std::string("GET / http/1.1\r\n"),
        std::string("\x16\x03\x01"), std::string("\r\n GET / HTTP/1.1\r\n"),
        std::string("GET /\xC3\xA9 HTTP/1.1\r\n"), std::string("m\",\"messages\":[{"),
        std::string(40, 'A')}) {
    EXPECT_EQ(look_at(bytes).status, 400) << bytes;
  }
  EXPECT_EQ(look_at("GET / HTTP/2.0\r\n").status, 505);
  EXPECT_EQ(look_at("GET / HTTP/3.0\r\n").status, 505);
}

// RFC 9112, 2.2 and 2.3.
TEST(RequestGateTest, EmptyLinesBeforeARequestAndLaterMinorVersionsAreFine) {
  EXPECT_EQ(look_at("\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n").verdict, Verdict::kComplete);
  EXPECT_EQ(look_at("GET / HTTP/1.2\r\nHost: t\r\n\r\n").verdict, Verdict::kComplete);
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "\r\n";
  EXPECT_EQ(look_at(lines).status, 414);
}

TEST(RequestGateTest, BoundsLinesFieldsAndTheWhole) {
  EXPECT_EQ(look_at("GET /" + std::string(9000, 'a')).status, 414);
  EXPECT_EQ(look_at("GET / HTTP/1.1\r\nA: " + std::string(40'000, 'a')).status, 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  EXPECT_EQ(look_at(many).status, 431);
}

}  // namespace
}  // namespace quire::http
