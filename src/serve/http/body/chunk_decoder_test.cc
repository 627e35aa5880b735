#include "serve/http/body/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace quire::http {
namespace {

struct Outcome {
  bool is_complete;
  int refusal;
  std::string body;
  std::size_t taken;
};

Outcome decode(const std::string& bytes, std::size_t piece_size, const Limits& limits = {}) {
  ChunkDecoder decoder(limits);
  Outcome outcome = {};
  for (std::size_t at = 0; at < bytes.size() && !decoder.is_complete() && decoder.refusal() == 0;) {
    const std::size_t taken =
        decoder.feed(std::string_view(bytes).substr(at, piece_size), outcome.body);
    at += taken;
    outcome.taken += taken;
  }
  outcome.is_complete = decoder.is_complete();
  outcome.refusal = decoder.refusal();
  return outcome;
}

TEST(ChunkDecoderTest, JoinsChunksForAnySplit) {
  const std::string bytes = "5\r\nhello\r\nA;name=value\r\n, world!!!\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Outcome outcome = decode(bytes + "GET", piece);
    ASSERT_TRUE(outcome.is_complete) << piece;
    EXPECT_EQ(outcome.body, "hello, world!!!");
    EXPECT_EQ(outcome.taken, bytes.size());
  }
}

TEST(ChunkDecoderTest, RefusesEveryOtherSpelling) {
  for (const char* bytes :
       {"-2\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n", "FFFFFFFFFFFFFFFF\r\nhello\r\n", "5_0\r\nhello\r\n", "\r\nhello\r\n",
        "5\nhello\n0\n\n", "5\r\nhelloo\r\n", "5\r\nhello\n0\r\n", "0\r\nX: y\n\r\n",
        "5\rhello"}) {
    EXPECT_EQ(decode(bytes, 1).refusal, 400) << bytes;
    EXPECT_EQ(decode(bytes, 100).refusal, 400) << bytes;
  }
}

TEST(ChunkDecoderTest, BoundsBytesChunksAndTrailers) {
  Limits limits;
  limits.body_max = 8;
  EXPECT_EQ(decode("5\r\nhello\r\n4\r\n", 100, limits).refusal, 413);
  EXPECT_EQ(decode("FFFFFFF\r\n", 100, limits).refusal, 413);
  limits.body_max = 1000;
  limits.chunks_max = 3;
  EXPECT_EQ(decode("1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n", 100, limits).refusal, 413);
  limits.trailers_max = 10;
  EXPECT_EQ(decode("0\r\nA: bbbbbbbbbbbbb\r\n\r\n", 100, limits).refusal, 431);
}

}  // namespace
}  // namespace quire::http
