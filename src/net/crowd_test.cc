// Many exchanges on one thread: side by side, one after the other, too slow, and given up.
#include "net/crowd.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "net/testing/fault_server.h"

namespace quire::net {
namespace {

using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

constexpr std::chrono::milliseconds kWait{1000};

TEST(CrowdTest, ExchangesGoOnSideBySide) {
  constexpr int kExchanges = 8;
  std::atomic<int> arrived = 0;
  FaultServer server([&](const ServerRequest& request) {
    ++arrived;
    for (int turn = 0; turn < 2000 && arrived < kExchanges; ++turn) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return ServerReply{.body = request.target + request.body};
  });
  Crowd crowd({});
  std::map<int, std::string> answers;
  for (int i = 0; i < kExchanges; ++i) {
    crowd.begin({.url = server.url() + "/" + std::to_string(i), .json = "{}"},
                [&, i](const Result<Response>& response) {
                  ASSERT_TRUE(response.is_ok()) << response.status().message();
                  answers[i] = response->body;
                });
  }
  EXPECT_EQ(crowd.under_way(), std::size_t{kExchanges});
  while (crowd.under_way() > 0) crowd.advance(kWait);
  EXPECT_EQ(arrived, kExchanges);
  ASSERT_EQ(answers.size(), std::size_t{kExchanges});
  for (const auto& [i, answer] : answers) EXPECT_EQ(answer, "/" + std::to_string(i) + "{}");
}

TEST(CrowdTest, AnEndMayBeginTheNext) {
  FaultServer server([](const ServerRequest&) { return ServerReply{.status = 404}; });
  Crowd crowd({});
  int ended = 0;
  Crowd::Done done = [&](const Result<Response>& response) {
    EXPECT_EQ(response->status, 404);
    if (++ended < 3) crowd.begin({.url = server.url()}, done);
  };
  crowd.begin({.url = server.url()}, done);
  while (crowd.under_way() > 0) crowd.advance(kWait);
  EXPECT_EQ(ended, 3);
}

TEST(CrowdTest, WhoIsTooSlowFailsAndTheOthersDoNot) {
  FaultServer server([](const ServerRequest& request) {
    return ServerReply{.body = std::string(64 << 10, 'x'),
                       .pause = std::chrono::milliseconds(request.target == "/slow" ? 50 : 0)};
  });
  Crowd crowd({});
  StatusCode slow = StatusCode::kOk;
  std::size_t quick = 0;
  crowd.begin({.url = server.url() + "/slow", .time_max = std::chrono::milliseconds(200)},
              [&](const Result<Response>& response) { slow = response.status().code(); });
  crowd.begin({.url = server.url() + "/quick"},
              [&](const Result<Response>& response) { quick = response->body.size(); });
  while (crowd.under_way() > 0) crowd.advance(kWait);
  EXPECT_EQ(slow, StatusCode::kUnavailable);
  EXPECT_EQ(quick, std::size_t{64} << 10);
}

TEST(CrowdTest, WhatIsUnderWayEndsWithTheCrowd) {
  FaultServer server([](const ServerRequest&) {
    return ServerReply{.body = std::string(16 << 10, 'x'), .pause = std::chrono::milliseconds(50)};
  });
  bool has_ended = false;
  {
    Crowd crowd({});
    crowd.begin({.url = server.url()}, [&](const Result<Response>&) { has_ended = true; });
    while (server.requests().empty()) crowd.advance(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(has_ended);
}

}  // namespace
}  // namespace quire::net
