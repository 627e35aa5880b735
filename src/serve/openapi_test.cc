#include "serve/openapi.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "serve/dialects/all.h"
#include "serve/intake/document/field_shapes.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

TEST(OpenApi, EveryRouteIsInItWithTheFieldsThatItsParserReads) {
  TestServer server;
  const TestResponse response = server.client().get("/openapi.json");
  ASSERT_EQ(response.status, 200);
  const Json document = *parse_json(response.body);
  const Json* paths = document.find("paths");
  std::size_t operations = 0;
  for (const Dialect* dialect : all_dialects()) {
    for (const Route& route : dialect->routes) {
      const auto same = [&](const Json::Member& path) {
        std::string pattern(route.pattern);
        if (const auto dots = pattern.find("..."); dots != pattern.npos) pattern.erase(dots, 3);
        return path.first == pattern;
      };
      EXPECT_TRUE(std::any_of(paths->members().begin(), paths->members().end(), same))
          << route.pattern;
    }
  }
  for (const auto& [path, methods] : paths->members()) {
    for (const auto& [method, operation] : methods.members()) {
      ++operations;
      const Json* body = operation.find("requestBody");
      if (body == nullptr || method != "post") continue;
      EXPECT_NE(operation.find("responses")->find("400"), nullptr) << path;
    }
  }
  EXPECT_GT(operations, 30u);
  const Json* chat = paths->find("/v1/chat/completions")->find("post");
  const Json* properties = chat->find("requestBody")->find("content")->find("application/json")
                               ->find("schema")->find("properties");
  EXPECT_EQ(dump(*properties->find("temperature")),
            R"({"type":["number","null"],"minimum":0,"maximum":2})");
  EXPECT_EQ(dump(*properties->find("n")),
            R"({"type":["integer","null"],"minimum":1,"maximum":128})");
  EXPECT_EQ(dump(*properties->find("stream")), R"({"type":["boolean","null"]})");
  EXPECT_NE(properties->find("messages"), nullptr);
  EXPECT_NE(properties->find("length_penalty")->find("enum"), nullptr);
  EXPECT_NE(properties->find("response_format"), nullptr);
  EXPECT_EQ(properties->find("no_such_field"), nullptr);
  const Json* messages = paths->find("/v1/messages")->find("post")->find("requestBody")
                             ->find("content")->find("application/json")->find("schema");
  EXPECT_EQ(dump(*messages->find("required")), R"(["model","messages","max_tokens"])");
  EXPECT_EQ(messages->find("properties")->find("messages")->find("type")->as_string(), "array");
  EXPECT_EQ(dump(*messages->find("properties")->find("model")->find("enum")),
            R"(["m","other-name"])");
  // What is a list or an object has a shape.
  for (const auto& [path, methods] : paths->members()) {
    const Json* post = methods.find("post");
    const Json* body = post != nullptr ? post->find("requestBody") : nullptr;
    const Json* json = body != nullptr ? body->find("content")->find("application/json") : nullptr;
    if (json == nullptr) continue;
    for (const auto& [name, schema] : json->find("schema")->find("properties")->members()) {
      const bool is_told = !schema.members().empty() || find_shape(path, name) != nullptr;
      EXPECT_TRUE(is_told) << path << ": a row in field_shapes.cc for " << name;
    }
  }
  const Json* content = paths->find("/v1/responses/{id}")->find("get")->find("responses")
                            ->find("200")->find("content");
  EXPECT_NE(content->find("text/event-stream"), nullptr);
  const Json* model = paths->find("/quire/models/{model}/load")->find("post");
  EXPECT_EQ(model->find("parameters")->items().at(0).find("name")->as_string(), "model");
}

}  // namespace
}  // namespace quire
