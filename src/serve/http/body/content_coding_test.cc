// Compressed bodies: what comes back, in how many steps, and what ends early.
#include "serve/http/body/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "serve/testing/test_server.h"

namespace quire::http {
namespace {

constexpr std::size_t kPlainMax = 1 << 20;

std::string packed_by_zlib(std::string_view text, int window_bits) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string gzipped(std::string_view text) { return packed_by_zlib(text, 16 + MAX_WBITS); }
std::string deflated(std::string_view text) { return packed_by_zlib(text, MAX_WBITS); }

std::string zstd(std::string_view text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  if (window_log != 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer in = {text.data(), text.size(), 0};
  ZSTD_outBuffer packed = {out.data(), out.size(), 0};
  if (window_log != 0) {  // before the end is known, or the window would be as small as the text
    in.size = text.size() / 2;
    ZSTD_compressStream2(context, &packed, &in, ZSTD_e_flush);
    in.size = text.size();
  }
  EXPECT_EQ(ZSTD_compressStream2(context, &packed, &in, ZSTD_e_end), 0u);
  out.resize(packed.pos);
  ZSTD_freeCCtx(context);
  return out;
}

struct Decoded {
  std::string body;
  int refusal = 0;
  int steps = 1;
};

Decoded decode(ContentCoding coding, std::string_view bytes, std::size_t plain_max = kPlainMax) {
  Decoded decoded;
  ContentDecoder decoder(coding, bytes, plain_max);
  while (decoder.step(decoded.body)) ++decoded.steps;
  decoded.refusal = decoder.refusal();
  return decoded;
}

struct Way {
  ContentCoding coding;
  const char* name;
  std::string (*pack)(std::string_view);
};
const Way kWays[] = {
    {ContentCoding::kGzip, "gzip", gzipped},
    {ContentCoding::kDeflate, "deflate", deflated},
    {ContentCoding::kZstd, "zstd", [](std::string_view text) { return zstd(text); }}};

std::string some_text(std::size_t size) {
  std::mt19937 random(size);
  std::string text;
  while (text.size() < size) text += "word " + std::to_string(random() % 1000) + ", ";
  text.resize(size);
  return text;
}

TEST(ContentCodingTest, Names) {
  EXPECT_EQ(content_coding("gzip"), ContentCoding::kGzip);
  EXPECT_EQ(content_coding(" X-GZip "), ContentCoding::kGzip);
  EXPECT_EQ(content_coding("zstd"), ContentCoding::kZstd);
  EXPECT_EQ(content_coding("Identity"), ContentCoding::kIdentity);
  for (const char* other : {"", "br", "compress", "gzip, zstd", "gzip;q=1", "*"}) {
    EXPECT_FALSE(content_coding(other).has_value()) << other;
  }
}

TEST(ContentCodingTest, EverySizeComesBack) {
  for (const Way& way : kWays) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, kPlainMax / 4,
                                   kPlainMax / 4 + 1, kPlainMax - 1, kPlainMax}) {
      const std::string text = some_text(size);
      const Decoded decoded = decode(way.coding, way.pack(text));
      EXPECT_EQ(decoded.refusal, 0) << size;
      EXPECT_TRUE(decoded.body == text) << size;
      EXPECT_LE(decoded.steps, 6) << size;
    }
  }
}

TEST(ContentCodingTest, SeveralMembersAreOneBody) {
  for (const Way& way : kWays) {
    const std::string three = way.pack("one ") + way.pack("") + way.pack("two");
    EXPECT_EQ(decode(way.coding, three).body, "one two");
    std::string many;
    for (int i = 0; i < 300; ++i) many += way.pack("");
    EXPECT_EQ(decode(way.coding, many).refusal, 413) << "work without bytes";
  }
}

TEST(ContentCodingTest, ABombEndsEarly) {
  for (const Way& way : kWays) {
    const std::string bomb = way.pack(std::string(100 << 20, '\0'));
    EXPECT_LT(bomb.size(), 130'000u);
    const Decoded decoded = decode(way.coding, bomb);
    EXPECT_EQ(decoded.refusal, 413);
    EXPECT_EQ(decoded.body.size(), kPlainMax + 1);
    EXPECT_LE(decoded.steps, 5);
    EXPECT_EQ(decode(way.coding, way.pack(some_text(kPlainMax + 1))).refusal, 413);
  }
}

// A frame that wants a gigabyte to look back into.
TEST(ContentCodingTest, WindowsAreBounded) {
  EXPECT_EQ(decode(ContentCoding::kZstd, zstd(some_text(1000), 23)).refusal, 0);
  EXPECT_EQ(decode(ContentCoding::kZstd, zstd(some_text(1000), 27)).refusal, 400);
}

TEST(ContentCodingTest, WhatIsCutOrFollowedIsRefused) {
  const std::string text = some_text(5000);
  for (const Way& way : kWays) {
    const std::string packed = way.pack(text);
    for (std::size_t size = 1; size < packed.size(); ++size) {
      EXPECT_EQ(decode(way.coding, packed.substr(0, size)).refusal, 400) << size;
    }
    EXPECT_EQ(decode(way.coding, packed + "x").refusal, 400);
    EXPECT_EQ(decode(way.coding, packed + "more").refusal, 400);
    EXPECT_EQ(decode(way.coding, text).refusal, 400);
  }
}

TEST(ContentCodingTest, NoiseIsRefusedOrBounded) {
  std::mt19937 random(3);
  for (const Way& way : kWays) {
    const std::string packed = way.pack(some_text(3000));
    for (int i = 0; i < 3000; ++i) {
      std::string bytes = packed;
      for (unsigned n = random() % 5 + 1; n > 0; --n) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      const Decoded decoded = decode(way.coding, bytes, 10'000);
      EXPECT_LE(decoded.body.size(), 10'001u);
    }
  }
}

// --- over a socket ---

TestResponse post_packed(TestClient& client, const std::string& coding, const std::string& body,
                         bool is_chunked = false) {
  std::string bytes = "POST /tokenize HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                      "Content-Encoding: " + coding + "\r\n";
  if (is_chunked) {
    bytes += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += 7) append_chunk(body.substr(at, 7), bytes);
    append_chunk({}, bytes);
  } else {
    bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  client.send(bytes);
  return client.receive();
}

TEST(ContentCodingTest, RequestsMayComeCompressed) {
  TestServer server({.http = {.body_max = 300'000}});
  TestClient client = server.client();
  const std::string small = R"({"prompt":"once upon a time"})";
  const std::string plain = client.post("/tokenize", small).body;
  for (const Way& way : kWays) {
    const std::string name = way.name;
    for (const bool is_chunked : {false, true}) {
      const TestResponse answer = post_packed(client, name, way.pack(small), is_chunked);
      EXPECT_EQ(answer.status, 200) << name;
      EXPECT_EQ(answer.body, plain) << name;
    }
    TestClient other = server.client();
    EXPECT_EQ(post_packed(other, name, small).status, 400) << "it is not what it says";
    EXPECT_TRUE(other.is_closed());
    TestClient bomber = server.client();
    EXPECT_EQ(post_packed(bomber, name, way.pack(std::string(8 << 20, ' '))).status, 413);
  }
  TestClient brotli = server.client();
  const TestResponse refused = post_packed(brotli, "br", "x");
  EXPECT_EQ(refused.status, 415);
  EXPECT_EQ(refused.header("accept-encoding"), "gzip, deflate, zstd, identity");
}

}  // namespace
}  // namespace quire::http
