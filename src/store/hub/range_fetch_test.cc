// Fetches from a server with faults: whatever it does, the bytes are right or the error is a
// sentence, and what was complete is not fetched again.
#include "store/hub/range_fetch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "formats/testing/temp_folder.h"
#include "net/testing/fault_server.h"

namespace quire::store {
namespace {

using net::testing::FaultServer;
using net::testing::file_reply;
using net::testing::ServerReply;
using net::testing::ServerRequest;

constexpr std::size_t kSize = 5 * kChunkBytes + 12345;
constexpr const char* kTag = "\"one\"";

std::string make_bytes(std::size_t size) {
  std::mt19937_64 random(7);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

class RangeFetchTest : public ::testing::Test {
 protected:
  Status fetch(const FaultServer& server, std::size_t size = kSize) {
    return fetch_from(server.url() + "/file", size);
  }

  Status fetch_from(const std::string& url, std::size_t size = kSize) {
    auto file = PartialFile::open(folder_.path() + "/partial", size);
    QUIRE_CHECK(file.is_ok(), "{}", file.status().message());
    const RemoteBytes remote{url, "secret", [](const net::Response& response) {
                               return error(response.is_passing() ? StatusCode::kUnavailable
                                                                  : StatusCode::kNotFound,
                                            "status {}", response.status);
                             }};
    const Status status = fetch_ranges(remote, limits_, **file, [&](std::uint64_t bytes) {
      EXPECT_LE(bytes, size);
      bytes_told_ = bytes;
    });
    bytes_complete_ = (*file)->bytes_complete();
    return status;
  }

  void expect_fetched(const Status& status) {
    EXPECT_TRUE(status.is_ok()) << status.message();
    EXPECT_TRUE(read_file(folder_.path() + "/partial/data", 2 * kSize).value() == bytes_);
    EXPECT_EQ(bytes_told_, bytes_.size());
  }

  // Chunks that the requests asked for, each once.
  static std::vector<std::size_t> chunks_asked_for(const std::vector<ServerRequest>& requests) {
    std::vector<std::size_t> chunks;
    for (const ServerRequest& request : requests) {
      const std::string range = request.header("range");
      if (range.empty()) continue;
      const std::size_t first = std::stoul(range.substr(range.find('=') + 1));
      const std::size_t last = std::stoul(range.substr(range.find('-') + 1));
      for (std::size_t at = first; at <= last; at += kChunkBytes) {
        chunks.push_back(at / kChunkBytes);
      }
    }
    std::sort(chunks.begin(), chunks.end());
    return chunks;
  }

  quire::testing::TempFolder folder_;
  std::string bytes_ = make_bytes(kSize);
  net::Limits limits_{.connect_seconds = 2,
                     .slow_bytes_per_second = 10000,
                     .slow_seconds = 1,
                     .attempts_max = 4,
                     .backoff_first = std::chrono::milliseconds(5),
                     .wait_max = std::chrono::seconds(2)};
  std::uint64_t bytes_told_ = 0;
  std::uint64_t bytes_complete_ = 0;
};

TEST_F(RangeFetchTest, EveryChunkIsAskedForOnce) {
  FaultServer server([&](const ServerRequest& r) { return file_reply(r, bytes_, kTag); });
  expect_fetched(fetch(server));
  EXPECT_EQ(chunks_asked_for(server.requests()), (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(server.requests()[0].header("authorization"), "Bearer secret");
}

TEST_F(RangeFetchTest, CutConnectionsAreTakenUpAgain) {
  std::atomic<int> count{0};
  FaultServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, bytes_, kTag);
    if (++count % 2 == 1) reply.cut_after = reply.body.size() / 3;
    return reply;
  });
  expect_fetched(fetch(server));
}

TEST_F(RangeFetchTest, AServerThatAlwaysCutsIsGivenUp) {
  FaultServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, bytes_, kTag);
    reply.cut_after = 100;
    return reply;
  });
  const Status status = fetch(server);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(bytes_complete_, 0u);
  EXPECT_LE(server.requests().size(), 4u * 4u) << "four connections, four attempts each";
}

TEST_F(RangeFetchTest, WhatIsCompleteIsNotAskedForAgain) {
  std::atomic<bool> is_broken{true};
  FaultServer server([&](const ServerRequest& r) {
    const bool is_first = r.header("range").starts_with("bytes=0-");
    if (is_broken && !is_first) return ServerReply{.status = 404};
    return file_reply(r, bytes_, kTag);
  });
  EXPECT_EQ(fetch(server).code(), StatusCode::kNotFound);
  const std::uint64_t before = bytes_complete_;
  const std::size_t requests_before = server.requests().size();
  is_broken = false;
  expect_fetched(fetch(server));
  auto requests = server.requests();
  requests.erase(requests.begin(), requests.begin() + static_cast<long>(requests_before));
  const auto chunks = chunks_asked_for(requests);
  EXPECT_EQ(chunks.size(), 6 - before / kChunkBytes);
  EXPECT_EQ(std::adjacent_find(chunks.begin(), chunks.end()), chunks.end());
}

TEST_F(RangeFetchTest, ADamagedChunkIsFetchedAgain) {
  FaultServer server([&](const ServerRequest& r) { return file_reply(r, bytes_, kTag); });
  expect_fetched(fetch(server));
  std::FILE* file = std::fopen((folder_.path() + "/partial/data").c_str(), "r+b");
  std::fseek(file, kChunkBytes + 5, SEEK_SET);
  std::fputs("damage", file);
  std::fclose(file);
  const std::size_t before = server.requests().size();
  expect_fetched(fetch(server));
  ASSERT_EQ(server.requests().size(), before + 1);
  EXPECT_EQ(chunks_asked_for({server.requests().back()}), (std::vector<std::size_t>{1}));
}

TEST_F(RangeFetchTest, ARecordThatWasCutOffLosesOneChunkAtMost) {
  FaultServer server([&](const ServerRequest& r) { return file_reply(r, bytes_, kTag); });
  expect_fetched(fetch(server));
  const std::string record = folder_.path() + "/partial/record";
  std::filesystem::resize_file(record, std::filesystem::file_size(record) - 10);
  const std::size_t before = server.requests().size();
  expect_fetched(fetch(server));
  EXPECT_EQ(server.requests().size(), before + 1);
  expect_fetched(fetch(server));
  EXPECT_EQ(server.requests().size(), before + 1) << "what was mended stays";
}

TEST_F(RangeFetchTest, AFileThatChangesBetweenRangesIsNoticed) {
  std::atomic<int> count{0};
  FaultServer server([&](const ServerRequest& r) {
    return file_reply(r, bytes_, ++count <= 2 ? kTag : "\"two\"");
  });
  const Status status = fetch(server);
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("changed"), std::string::npos) << status.message();
}

TEST_F(RangeFetchTest, AFileOfAnotherSizeIsNoticed) {
  FaultServer server([&](const ServerRequest& r) { return file_reply(r, bytes_ + "x", kTag); });
  EXPECT_EQ(fetch(server).code(), StatusCode::kCorrupt);
}

TEST_F(RangeFetchTest, AnotherRangeThanAskedForIsNoticed) {
  FaultServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, bytes_, kTag);
    reply.headers.back().second = "bytes 1-100/" + std::to_string(kSize);
    return reply;
  });
  EXPECT_EQ(fetch(server).code(), StatusCode::kCorrupt);
}

TEST_F(RangeFetchTest, AServerWithoutRangesSendsTheWholeFile) {
  FaultServer server([&](const ServerRequest&) {
    return ServerReply{.headers = {{"ETag", kTag}}, .body = bytes_};
  });
  expect_fetched(fetch(server));
}

TEST_F(RangeFetchTest, ASlowDripIsCutOffAndTriedAgain) {
  std::atomic<int> count{0};
  FaultServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, bytes_, kTag);
    if (++count == 1) reply.pause = std::chrono::milliseconds(400);
    return reply;
  });
  expect_fetched(fetch(server));
}

TEST_F(RangeFetchTest, TooManyRequestsWaitsAsLongAsItIsTold) {
  std::atomic<int> count{0};
  FaultServer server([&](const ServerRequest& r) {
    if (++count == 1) return ServerReply{.status = 429, .headers = {{"Retry-After", "1"}}};
    return file_reply(r, bytes_, kTag);
  });
  const auto start = std::chrono::steady_clock::now();
  expect_fetched(fetch(server, kSize));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
}

TEST_F(RangeFetchTest, AWaitThatIsTooLongIsAnErrorAtOnce) {
  FaultServer server([&](const ServerRequest&) {
    return ServerReply{.status = 503, .headers = {{"Retry-After", "3600"}}};
  });
  EXPECT_EQ(fetch(server).code(), StatusCode::kUnavailable);
  EXPECT_LE(server.requests().size(), 4u);
}

TEST_F(RangeFetchTest, ARedirectIsFollowedWithoutTheToken) {
  FaultServer storage([&](const ServerRequest& r) { return file_reply(r, bytes_, kTag); });
  FaultServer hub([&](const ServerRequest&) {
    return ServerReply{.status = 302, .headers = {{"Location", storage.url() + "/elsewhere"}}};
  });
  expect_fetched(fetch(hub));
  for (const ServerRequest& request : hub.requests()) {
    EXPECT_EQ(request.header("authorization"), "Bearer secret");
  }
  ASSERT_FALSE(storage.requests().empty());
  for (const ServerRequest& request : storage.requests()) {
    EXPECT_EQ(request.header("authorization"), "") << "the token is for the hub alone";
  }
}

TEST_F(RangeFetchTest, RedirectsInACircleAndToOtherProtocolsEnd) {
  FaultServer circle([](const ServerRequest&) {
    return ServerReply{.status = 302, .headers = {{"Location", "/again"}}};
  });
  EXPECT_FALSE(fetch(circle).is_ok());
  FaultServer file([](const ServerRequest&) {
    return ServerReply{.status = 302, .headers = {{"Location", "file:///etc/passwd"}}};
  });
  EXPECT_FALSE(fetch(file).is_ok());
}

TEST_F(RangeFetchTest, NobodyThereIsASentence) {
  std::string url;
  {
    FaultServer server([](const ServerRequest&) { return ServerReply{}; });
    url = server.url();
  }
  const Status status = fetch_from(url + "/file");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("127.0.0.1"), std::string::npos) << status.message();
}

TEST_F(RangeFetchTest, AnEmptyFileNeedsNoRequest) {
  FaultServer server([](const ServerRequest&) { return ServerReply{}; });
  EXPECT_TRUE(fetch(server, 0).is_ok());
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace quire::store
