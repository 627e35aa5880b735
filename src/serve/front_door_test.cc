// The front door with a protocol that is nobody's: what it takes to add one, and that its errors
// are told in its own words wherever they arise.
#include "serve/front_door.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/all.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

http::Response tell(const ApiError& error, const http::Request& request) {
  return {.status = error.status, .content_type = "text/plain",
          .body = "toy says no to " + request.path + ": " + error.message};
}

Parsed<Call> parse_echo(const DialectContext& context, const http::Request& request) {
  if (request.body == "no") return invalid_value("body", "it says no");
  Call call;
  const std::string who(context.path["who"]);
  call.ready = http::Response{.status = 202, .content_type = "text/plain",
                              .body = who + request.query_value("q").value_or("?") + request.body};
  return call;
}

constexpr Route kToyRoutes[] = {
    {"POST", "/toy/{who}/echo", BodyKind::kLooseJson, Access::kKeyed, {.parse = parse_echo}},
    {"GET", "/v1/models", BodyKind::kNone, Access::kOpen,
     {.quick = [](const DialectContext&, const http::Request&) -> http::Response {
       return {.body = "toys"};
     }}, "x-toy"},
};

const Dialect kToy = {.name = "toy", .routes = kToyRoutes, .error_prefix = "/toy/",
                      .takes_x_api_key = true, .render_error = tell};

std::vector<const Dialect*> with_toy() {
  std::vector<const Dialect*> dialects = {&kToy};
  const auto others = all_dialects();
  dialects.insert(dialects.end(), others.begin(), others.end());
  return dialects;
}

TEST(FrontDoor, AToyDialectIsAFolderAndARow) {
  TestServer server({.dialects = with_toy()});
  TestClient client = server.client();
  client.send("POST /toy/ann/echo?a=1&q=%20b+c HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi");
  const TestResponse echo = client.receive();
  EXPECT_EQ(echo.status, 202);
  EXPECT_EQ(echo.body, "ann b chi");
  const TestResponse refused = client.post("/toy/ann/echo", "no");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, "toy says no to /toy/ann/echo: it says no");
}

TEST(FrontDoor, ErrorsOfAPathAreToldByItsDialect) {
  TestServer server({.http = {.body_max = 8}, .dialects = with_toy()});
  EXPECT_EQ(server.client().get("/toy/nowhere").body,
            "toy says no to /toy/nowhere: Invalid URL (GET /toy/nowhere)");
  EXPECT_EQ(server.client().post("/toy/ann/echo", "far too long").body,
            "toy says no to /toy/ann/echo: The body is too large: it has 12 bytes, at most "
            "8 are taken (--max-body-size).");
  EXPECT_NE(server.client().get("/v1/nowhere").body.find("\"error\""), std::string::npos);
}

TEST(FrontDoor, AHeaderDecidesWhoseASharedPathIs) {
  TestServer server({.dialects = with_toy()});
  TestClient client = server.client();
  EXPECT_NE(client.get("/v1/models").body, "toys");
  client.send("GET /v1/models HTTP/1.1\r\nHost: t\r\nX-Toy: 1\r\n\r\n");
  EXPECT_EQ(client.receive().body, "toys");
}

TEST(FrontDoor, AKeyWhereTheDialectTakesIt) {
  TestServer server({.api_keys = {"secret"}, .dialects = with_toy()});
  const auto status = [&](std::string_view path, std::string_view headers) {
    return server.client().post(path, "{}", headers).status;
  };
  EXPECT_EQ(status("/toy/ann/echo", "X-Api-Key: secret\r\n"), 202);
  EXPECT_EQ(status("/toy/ann/echo", "Authorization: Bearer secret\r\n"), 202);
  EXPECT_EQ(status("/toy/ann/echo", "X-Api-Key: other\r\n"), 401);
  EXPECT_EQ(status("/toy/ann/echo", ""), 401);
  EXPECT_EQ(status("/v1/completions", "X-Api-Key: secret\r\n"), 401);
}

TEST(FrontDoor, EveryOpenAiAnswerTellsHowLongItTook) {
  TestServer server;
  for (const char* path : {"/v1/models", "/v1/nowhere"}) {
    EXPECT_FALSE(server.client().get(path).header("openai-processing-ms").empty()) << path;
  }
  const TestResponse answer = server.client().post(
      "/v1/completions", R"({"model":"m","prompt":"a","max_tokens":1})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.header("openai-processing-ms").empty());
}

}  // namespace
}  // namespace quire
