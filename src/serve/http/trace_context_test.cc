// The table of what is a traceparent and what is none, and where its trace is shown.
#include "serve/http/trace_context.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kGood = "00-" + std::string(kTrace) + "-b7ad6b7169203331-01";

std::string with(std::size_t at, std::string_view piece) {
  std::string text = kGood;
  return text.replace(at, piece.size(), piece);
}

TEST(TraceContext, WhatIsOne) {
  const auto parsed = http::parse_traceparent(kGood);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->trace_id, kTrace);
  EXPECT_EQ(parsed->parent_id, "b7ad6b7169203331");
  EXPECT_TRUE(parsed->is_sampled);
  EXPECT_FALSE(http::parse_traceparent(with(53, "00"))->is_sampled);
  EXPECT_FALSE(http::parse_traceparent(with(53, "fe"))->is_sampled) << "other bits are passed over";
  EXPECT_TRUE(http::parse_traceparent(with(53, "ff"))->is_sampled);
  EXPECT_TRUE(http::parse_traceparent(with(0, "01")).has_value());
  EXPECT_TRUE(http::parse_traceparent(with(0, "01") + "-what-else").has_value());
  EXPECT_TRUE(http::parse_traceparent(with(0, "cc") + "-").has_value());
}

TEST(TraceContext, WhatIsNone) {
  const std::string bad[] = {
      "",
      kGood.substr(0, 54),
      kGood + "1",
      kGood + "-",
      kGood + "-x",
      with(0, "01") + "x",
      with(0, "ff"),
      with(0, "0A"),
      with(0, "0g"),
      with(3, "0AF7651916CD43DD8448EB211C80319C"),
      with(3, std::string(32, '0')),
      with(3, "z"),
      with(36, std::string(16, '0')),
      with(36, "B7AD6B7169203331"),
      with(53, "0x"),
      with(53, "0F"),
      with(2, "_"),
      with(35, "_"),
      with(52, "_"),
      " " + kGood.substr(1),
      std::string(55, '-'),
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(http::parse_traceparent(text).has_value()) << text;
  }
}

TEST(TraceContext, ARequestIsFoundByItsTrace) {
  TestServer server;
  const auto trace_of = [&](const std::string& headers) {
    server.client().post("/v1/completions", R"({"model":"m","prompt":"a","max_tokens":1})",
                         "X-Request-Id: r\r\n" + headers);
    const auto shown = parse_json(server.client().get("/debug/requests/r").body);
    const Json* trace = shown.is_ok() ? shown->find("trace_id") : nullptr;
    return trace != nullptr && trace->is_string() ? trace->as_string() : std::string("none");
  };
  EXPECT_EQ(trace_of(""), "none");
  EXPECT_EQ(trace_of("TraceParent: " + kGood + "\r\n"), kTrace);
  EXPECT_EQ(trace_of("traceparent: " + kGood + "x\r\n"), "none");
  EXPECT_EQ(trace_of("traceparent: " + kGood + "\r\ntraceparent: " + kGood + "\r\n"), "none");
}

}  // namespace
}  // namespace quire
