#include "serve/page/page.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quire {
namespace {

constexpr std::size_t kPageSizeMax = 300 * 1024;  // bytes of all assets, compressed

http::Request request(std::string path, std::vector<http::Header> headers = {}) {
  return {.method = "GET", .path = std::move(path), .headers = std::move(headers)};
}

std::string header(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

const PageAsset& script() {
  const auto assets = page_assets();
  return *std::find_if(assets.begin(), assets.end(), [](const PageAsset& asset) {
    return asset.path.ends_with(".js") && asset.is_named_by_content;
  });
}

TEST(PageTest, IsSmallAndComplete) {
  std::size_t total = 0;
  for (const PageAsset& asset : page_assets()) {
    EXPECT_FALSE(asset.content.empty()) << asset.path;
    EXPECT_EQ(asset.gzip.substr(0, 2), "\x1f\x8b") << asset.path;
    EXPECT_TRUE(asset.path == "/" || asset.path.starts_with("/assets/")) << asset.path;
    total += asset.gzip.size();
  }
  EXPECT_LT(total, kPageSizeMax);
  const http::Response page = show_page_asset(request("/"));
  EXPECT_NE(page.body.find(script().path), std::string::npos) << "the page loads its script";
}

TEST(PageTest, BrowsersGetThePage) {
  const auto prefers = [](const char* accept) {
    return prefers_html(request("/", {{"accept", accept}}));
  };
  EXPECT_TRUE(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
  EXPECT_FALSE(prefers("*/*"));
  EXPECT_FALSE(prefers("application/json, text/html"));
  EXPECT_FALSE(prefers("text/html;q=0"));
  EXPECT_FALSE(prefers_html(request("/")));
}

TEST(PageTest, EveryAnswerConfinesThePage) {
  for (const PageAsset& asset : page_assets()) {
    const http::Response response = show_page_asset(request(std::string(asset.path)));
    EXPECT_EQ(response.status, 200);
    const std::string policy = header(response, "content-security-policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none';")) << policy;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(policy.find("http"), std::string::npos) << "nothing from elsewhere";
    EXPECT_EQ(header(response, "x-content-type-options"), "nosniff");
    EXPECT_EQ(header(response, "referrer-policy"), "no-referrer");
  }
}

TEST(PageTest, WhatIsNamedByItsContentIsKept) {
  const http::Response kept = show_page_asset(request(std::string(script().path)));
  EXPECT_EQ(header(kept, "cache-control"), "public, max-age=31536000, immutable");
  const http::Response page = show_page_asset(request("/"));
  EXPECT_EQ(header(page, "cache-control"), "no-cache");
}

TEST(PageTest, CompressedForWhoTakesIt) {
  const std::string path(script().path);
  const http::Response packed =
      show_page_asset(request(path, {{"accept-encoding", "gzip, deflate, br"}}));
  EXPECT_EQ(header(packed, "content-encoding"), "gzip");
  EXPECT_EQ(packed.body, script().gzip);
  for (const char* encodings : {"identity", "gzip;q=0", "br"}) {
    const http::Response plain = show_page_asset(request(path, {{"accept-encoding", encodings}}));
    EXPECT_EQ(header(plain, "content-encoding"), "");
    EXPECT_EQ(plain.body, script().content);
  }
}

TEST(PageTest, NotModifiedForWhoHoldsIt) {
  const std::string tag = header(show_page_asset(request("/")), "etag");
  EXPECT_TRUE(tag.starts_with("W/\""));
  for (const std::string& held : {tag, "\"other\", " + tag, tag.substr(2), std::string("*")}) {
    EXPECT_EQ(show_page_asset(request("/", {{"if-none-match", held}})).status, 304) << held;
  }
  EXPECT_EQ(show_page_asset(request("/", {{"if-none-match", "W/\"other\""}})).status, 200);
}

TEST(PageTest, UnknownPartsAreNotFound) {
  EXPECT_EQ(show_page_asset(request("/assets/none.js")).status, 404);
  EXPECT_EQ(show_page_asset(request("/assets/../serve")).status, 404);
}

}  // namespace
}  // namespace quire
