// Batches of conversations, rendered requests and /invocations over a real socket.
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

constexpr const char* kHello = R"([{"role":"user","content":"hi"}])";
constexpr const char* kBye = R"([{"role":"user","content":"bye, all of you"}])";

std::string chat(std::string_view messages, std::string_view more = "") {
  return R"({"model":"m","seed":7,"max_tokens":4,"messages":)" + std::string(messages) +
         std::string(more) + "}";
}

Json post(const TestServer& server, std::string_view path, const std::string& body) {
  const TestResponse response = server.client().post(path, body);
  EXPECT_EQ(response.status, 200) << response.body;
  return *parse_json(response.body);
}

std::string content(const Json& body, std::size_t choice) {
  return body.find("choices")->items().at(choice).find("message")->find("content")->as_string();
}

TEST(VllmRender, ABatchAnswersEveryConversationAsItWouldAlone) {
  TestServer server;
  const Json batch = post(server, "/v1/chat/completions/batch",
                          chat("[" + std::string(kHello) + "," + kBye + "]"));
  ASSERT_EQ(batch.find("choices")->items().size(), 2u);
  EXPECT_EQ(content(batch, 0), content(post(server, "/v1/chat/completions", chat(kHello)), 0));
  EXPECT_EQ(content(batch, 1), content(post(server, "/v1/chat/completions", chat(kBye)), 0));
  EXPECT_EQ(batch.find("usage")->find("completion_tokens")->as_int(), 8);
  for (const auto& [body, status] : {std::pair{chat(kHello), 400}, {chat("[]"), 400},
                                     {chat("[" + std::string(kHello) + "]", R"(,"stream":true)"),
                                      400}}) {
    EXPECT_EQ(server.client().post("/v1/chat/completions/batch", body).status, status) << body;
  }
}

TEST(VllmRender, WhatAModelWouldReadIsShown) {
  TestServer server;
  const Json chatted = post(server, "/v1/chat/completions/render", chat(kHello));
  EXPECT_EQ(chatted.find("prompt")->as_string(),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(chatted.find("sampling_params")->find("max_tokens")->as_int(), 4);
  const Json counted = post(server, "/tokenize", R"({"model":"m","messages":)" +
                                                     std::string(kHello) + "}");
  EXPECT_EQ(dump(*chatted.find("token_ids")), dump(*counted.find("tokens")));
  const Json texts = post(server, "/v1/completions/render", R"({"model":"m","prompt":["a","b"]})");
  ASSERT_EQ(texts.items().size(), 2u);
  EXPECT_EQ(texts.items()[1].find("prompt")->as_string(), "b");
}

TEST(VllmRender, InvocationsReadTheBody) {
  TestServer server;
  EXPECT_EQ(post(server, "/invocations", chat(kHello)).find("object")->as_string(),
            "chat.completion");
  EXPECT_EQ(post(server, "/invocations", R"({"model":"m","prompt":"a","max_tokens":1})")
                .find("object")->as_string(), "text_completion");
  EXPECT_EQ(server.client().post("/invocations", "{}").status, 400);
}

}  // namespace
}  // namespace quire
