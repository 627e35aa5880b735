// How answers to inferences go out: compressed where the reader wishes it, and what a stream tells
// beside its text.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/http/body/content_coding.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

TEST(InferHttpTest, AnswersAreSmallWhereTheReaderWishesIt) {
  TestServer server;
  const std::string body = R"({"inputs":[{"name":"input_ids","shape":[1,4],"datatype":"INT32",)"
                           R"("data":[5,9,200,9]}]})";
  const TestResponse plain = server.client().post(kInferPath, body);
  EXPECT_EQ(plain.header("content-encoding"), "");
  EXPECT_EQ(plain.header("vary"), "Accept-Encoding") << "a cache keeps it from those who wish";
  for (const char* coding : {"gzip", "deflate"}) {
    const TestResponse answer =
        server.client().post(kInferPath, body, fmt::format("Accept-Encoding: {}\r\n", coding));
    EXPECT_EQ(answer.header("content-encoding"), coding);
    EXPECT_LT(answer.body.size(), plain.body.size());
    std::string back;
    http::ContentDecoder decoder(*http::content_coding(coding), answer.body, plain.body.size());
    while (decoder.step(back)) {
    }
    EXPECT_EQ(back, plain.body);
  }
  TestClient client = server.client();
  client.send(post_bytes(kInferPath, body.substr(0, body.size() - 1) +
                                         R"(,"parameters":{"binary_data_output":true}})",
                         "Accept-Encoding: gzip\r\n"));
  const TestResponse bytes = client.receive();
  std::string back;
  http::ContentDecoder decoder(http::ContentCoding::kGzip, bytes.body, plain.body.size());
  while (decoder.step(back)) {
  }
  const std::size_t head = std::stoul(bytes.header("inference-header-content-length"));
  ASSERT_LT(head, back.size());
  EXPECT_TRUE(parse_json(back.substr(0, head)).is_ok()) << "its length is that of the plain answer";
  const TestResponse refused =
      server.client().post(kInferPath, "{}", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.header("content-encoding"), "");
}

// The document of generate has no detail without a reason why it ended.
TEST(InferHttpTest, DetailsOfAStreamAreThoseOfItsEnd) {
  TestServer server;
  const TestResponse stream = server.client().post(
      "/v2/models/m/generate_stream",
      R"({"text_input":"ab","parameters":{"details":true,"max_tokens":5,"seed":5}})");
  std::vector<Json> events;
  for (std::size_t at = stream.body.find("data: "); at != std::string::npos;
       at = stream.body.find("data: ", at + 1)) {
    const std::size_t end = stream.body.find("\n\n", at);
    events.push_back(*parse_json(stream.body.substr(at + 6, end - at - 6)));
  }
  ASSERT_GT(events.size(), 1u);
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_EQ(events[i].find("details"), nullptr);
    ASSERT_NE(events[i].find("token"), nullptr);
    EXPECT_TRUE(events[i].find("token")->find("id")->is_int());
  }
  const Json* details = events.back().find("details");
  ASSERT_NE(details, nullptr);
  EXPECT_TRUE(details->find("finish_reason")->is_string());
  EXPECT_TRUE(details->find("token")->find("id")->is_int());
}

}  // namespace
}  // namespace quire
