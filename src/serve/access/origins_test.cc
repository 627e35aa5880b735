// Pages of other sites: which of them are answered, and what they are told.
#include "serve/access/origins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace quire {
namespace {

using testing::HasSubstr;

http::Request request(std::string method, std::vector<http::Header> headers) {
  http::Request head;
  head.method = std::move(method);
  head.headers = std::move(headers);
  head.headers.push_back({"host", "127.0.0.1:8000"});
  return head;
}

Origins allowing(const std::vector<std::string>& list) {
  auto origins = Origins::from(list);
  EXPECT_TRUE(origins.is_ok()) << origins.status().message();
  return origins.is_ok() ? *origins : Origins();
}

std::map<std::string, std::string> as_map(const std::vector<http::Header>& headers) {
  std::map<std::string, std::string> map;
  for (const http::Header& header : headers) map.emplace(header.name, header.value);
  return map;
}

TEST(OriginsTest, WithoutAListNobodyIsToldAnything) {
  const Origins none;
  EXPECT_TRUE(none.reply_headers(request("GET", {{"origin", "https://a.example"}})).empty());
  EXPECT_FALSE(none.is_preflight(request("OPTIONS", {{"origin", "https://a.example"},
                                                     {"access-control-request-method", "POST"}})));
}

TEST(OriginsTest, ProgramsOfThisMachineMayUseOllamasPaths) {
  const Origins none;
  const auto at = [](const char* path, const std::string& method, const std::string& origin) {
    http::Request head = request(method, {{"origin", origin},
                                          {"access-control-request-method", "POST"}});
    head.path = path;
    return head;
  };
  for (const char* local : {"http://localhost:3000", "https://127.0.0.1", "http://0.0.0.0:1",
                            "HTTP://LocalHost:5173", "app://obsidian.md", "file://",
                            "tauri://localhost", "vscode-webview://1a2b"}) {
    EXPECT_FALSE(none.is_foreign_change(at("/api/chat", "POST", local))) << local;
    EXPECT_TRUE(none.is_foreign_change(at("/v1/chat/completions", "POST", local))) << local;
    EXPECT_TRUE(none.is_preflight(at("/api/chat", "OPTIONS", local))) << local;
    EXPECT_FALSE(none.is_preflight(at("/quire/models", "OPTIONS", local))) << local;
    EXPECT_EQ(as_map(none.reply_headers(at("/api/chat", "POST", local)))
                  .at("access-control-allow-origin"), local);
  }
  for (const char* other : {"https://a.example", "http://localhost.a.example", "http://localhost:",
                            "http://localhost:80.a.example", "http://localhost@a.example", "null",
                            "http://127.0.0.1.a.example", "apps://x", "chrome-extension://x"}) {
    EXPECT_TRUE(none.is_foreign_change(at("/api/chat", "POST", other))) << other;
    EXPECT_FALSE(none.is_preflight(at("/api/chat", "OPTIONS", other))) << other;
    EXPECT_TRUE(none.reply_headers(at("/api/chat", "POST", other)).empty()) << other;
  }
}

TEST(OriginsTest, AChangeFromAnotherSiteIsForeign) {
  const Origins none;
  const Origins some = allowing({"https://Chat.example", "http://localhost:5173"});
  const auto post = [](const std::string& origin) { return request("POST", {{"origin", origin}}); };
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "SPELL"}) {
    EXPECT_TRUE(none.is_foreign_change(request(method, {{"origin", "https://a.example"}})));
  }
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    EXPECT_FALSE(none.is_foreign_change(request(method, {{"origin", "https://a.example"}})));
  }
  EXPECT_FALSE(none.is_foreign_change(request("POST", {}))) << "no browser";
  EXPECT_FALSE(none.is_foreign_change(post("http://127.0.0.1:8000"))) << "our own page";
  EXPECT_FALSE(none.is_foreign_change(post("https://127.0.0.1:8000"))) << "behind a proxy";
  for (const char* other : {"http://127.0.0.1:8001", "http://127.0.0.1", "null", "", "127.0.0.1",
                            "http://evil.example/127.0.0.1:8000"}) {
    EXPECT_TRUE(none.is_foreign_change(post(other))) << other;
  }
  EXPECT_FALSE(some.is_foreign_change(post("https://chat.example")));
  EXPECT_FALSE(some.is_foreign_change(post("http://localhost:5173")));
  for (const char* other : {"http://chat.example", "https://chat.example:444", "https://x.example",
                            "https://chat.example.evil", "null"}) {
    EXPECT_TRUE(some.is_foreign_change(post(other))) << other;
  }
  EXPECT_TRUE(some.is_foreign_change(
      request("POST", {{"origin", "https://chat.example"}, {"origin", "https://x.example"}})));
  EXPECT_FALSE(allowing({"*"}).is_foreign_change(post("https://x.example")));
}

TEST(OriginsTest, AFormWithoutAnOriginIsKnownByItsSite) {
  const auto from = [](const std::string& site) {
    return Origins().is_foreign_change(request("POST", {{"sec-fetch-site", site}}));
  };
  EXPECT_TRUE(from("cross-site"));
  EXPECT_TRUE(from("same-site"));
  EXPECT_FALSE(from("same-origin"));
  EXPECT_FALSE(from("none"));
}

TEST(OriginsTest, APreflightIsAnsweredForItsOrigin) {
  const Origins some = allowing({"https://chat.example"});
  const auto ask = [&](const std::string& origin, const std::string& headers) {
    return request("OPTIONS", {{"origin", origin},
                               {"access-control-request-method", "POST"},
                               {"access-control-request-headers", headers}});
  };
  const http::Request question = ask(
      "https://chat.example", "Authorization,content-type, x-stainless-os,x-evil,anthropic-beta");
  ASSERT_TRUE(some.is_preflight(question));
  const http::Response yes = some.answer_preflight(question, "GET, HEAD, POST");
  EXPECT_EQ(yes.status, 204);
  auto headers = as_map(yes.headers);
  EXPECT_EQ(headers["access-control-allow-methods"], "GET, HEAD, POST");
  EXPECT_EQ(headers["access-control-allow-headers"],
            "authorization, content-type, x-stainless-os, anthropic-beta");
  headers = as_map(some.reply_headers(question));
  EXPECT_EQ(headers["access-control-allow-origin"], "https://chat.example");
  EXPECT_EQ(headers["vary"], "Origin");
  EXPECT_EQ(headers.count("access-control-expose-headers"), 0u);

  const http::Request stranger = ask("https://x.example", "authorization");
  EXPECT_EQ(some.answer_preflight(stranger, "POST").status, 403);
  EXPECT_EQ(as_map(some.reply_headers(stranger)).count("access-control-allow-origin"), 0u);
  EXPECT_FALSE(some.is_preflight(request("OPTIONS", {{"origin", "https://chat.example"}})));
}

TEST(OriginsTest, AnswersNameTheOriginAndWhatMayBeRead) {
  const Origins some = allowing({"https://a.example", "https://b.example"});
  auto headers = as_map(some.reply_headers(request("POST", {{"origin", "https://b.example"}})));
  EXPECT_EQ(headers["access-control-allow-origin"], "https://b.example");
  EXPECT_THAT(headers["access-control-expose-headers"], HasSubstr("x-request-id"));
  EXPECT_THAT(headers["access-control-expose-headers"], HasSubstr("retry-after"));
  EXPECT_EQ(headers["vary"], "Origin");
  headers = as_map(some.reply_headers(request("GET", {})));
  EXPECT_EQ(headers.size(), 1u) << "a cache must know that others get another answer";
  headers = as_map(allowing({"*"}).reply_headers(request("GET", {{"origin", "null"}})));
  EXPECT_EQ(headers["access-control-allow-origin"], "*");
  EXPECT_EQ(headers.count("vary"), 0u);
}

TEST(OriginsTest, ListsAsVllmWritesThemAndMistakes) {
  EXPECT_FALSE(allowing({R"(["https://a.example","*"])"}).is_foreign_change(
      request("POST", {{"origin", "https://x.example"}})));
  EXPECT_FALSE(allowing({"\"https://a.example\"", " \"https://x.example\""}).is_foreign_change(
      request("POST", {{"origin", "https://x.example"}})));
  for (const char* bad : {"", "a.example", "https://", "https://a.example/", "https://a.example/x",
                          "https://*.example", "https://a b", "[1]", "[\"x\"", "[\"x\"]"}) {
    EXPECT_FALSE(Origins::from({bad}).is_ok()) << bad;
  }
}

}  // namespace
}  // namespace quire
