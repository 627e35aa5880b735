// What is sent: by its method, in pieces, and what a failure in the middle of it becomes.
#include "net/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "net/testing/fault_server.h"

namespace quire::net {
namespace {

using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

Upload upload_of(const std::string& bytes, const std::string& method) {
  return {.method = method, .type = "text/x", .size = bytes.size(),
          .read = [&bytes](std::uint64_t offset, std::span<std::byte> into) {
            EXPECT_LE(offset + into.size(), bytes.size());
            std::memcpy(into.data(), bytes.data() + offset, into.size());
            return ok_status();
          }};
}

TEST(ClientTest, AnUploadHasItsMethodAndAllItsBytes) {
  FaultServer server([](const ServerRequest&) { return ServerReply{.status = 202}; });
  Client client({});
  std::string bytes;
  while (bytes.size() < 3'000'000) bytes += std::to_string(bytes.size());
  for (const std::string method : {"PUT", "PATCH", "POST"}) {
    const auto response = client.send({.url = server.url() + "/x", .headers = {"X-Mark: a"},
                                       .upload = upload_of(bytes, method)});
    ASSERT_TRUE(response.is_ok()) << response.status().message();
    EXPECT_EQ(response->status, 202);
    const ServerRequest seen = server.requests().back();
    EXPECT_EQ(seen.method, method);
    EXPECT_EQ(seen.header("content-type"), "text/x");
    EXPECT_EQ(seen.header("x-mark"), "a");
    EXPECT_TRUE(seen.body == bytes) << seen.body.size();
  }
  ASSERT_TRUE(client.send({.url = server.url(), .upload = Upload{.method = "POST"}}).is_ok());
  EXPECT_EQ(server.requests().back().header("content-length"), "0");
  ASSERT_TRUE(client.send({.url = server.url()}).is_ok());
  EXPECT_EQ(server.requests().back().method, "GET") << "nothing of it stays";
  ASSERT_TRUE(client.send({.url = server.url(), .json = "{}"}).is_ok());
  EXPECT_EQ(server.requests().back().method, "POST");
  ASSERT_TRUE(client.send({.url = server.url(), .is_head = true}).is_ok());
  EXPECT_EQ(server.requests().back().method, "HEAD");
}

TEST(ClientTest, ARedirectOfAnUploadIsToldAndNotFollowed) {
  FaultServer server([](const ServerRequest&) {
    return ServerReply{.status = 307, .headers = {{"Location", "/elsewhere"}}};
  });
  const std::string bytes = "abc";
  const auto response =
      Client({}).send({.url = server.url(), .upload = upload_of(bytes, "PATCH")});
  ASSERT_TRUE(response.is_ok()) << response.status().message();
  EXPECT_EQ(response->status, 307);
  EXPECT_EQ(response->header("location"), "/elsewhere");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(ClientTest, BytesThatCannotBeReadEndTheUploadWithTheirOwnError) {
  FaultServer server([](const ServerRequest&) { return ServerReply{}; });
  Upload upload{.size = 100};
  upload.read = [](std::uint64_t, std::span<std::byte>) {
    return error(StatusCode::kCorrupt, "the disk is gone");
  };
  const auto response = Client({}).send({.url = server.url(), .upload = upload});
  EXPECT_EQ(response.status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(response.status().message(), "the disk is gone");
}

TEST(ClientTest, WhoHangsUpIsAFailureThatMayPass) {
  FaultServer server([](const ServerRequest&) { return ServerReply{.status = 0}; });
  const std::string bytes = "abc";
  const auto response = Client({}).send({.url = server.url(), .upload = upload_of(bytes, "PUT")});
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace quire::net
