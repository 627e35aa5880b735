// POST /v1/embeddings: the forms of its input, what its fields do, and the answer of a server with
// a scripted model.
#include "serve/dialects/openai/embeddings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PooledInfo embedder() {
  PooledInfo info{.width = 2};
  info.words.prompts = {{"query", "q:"}, {"none", ""}};
  return info;
}

class EmbeddingsTest : public ::testing::Test {
 protected:
  EmbeddingsTest() { use(embedder()); }

  void use(const PooledInfo& info) {
    host_ = make_test_host({.pooled = info}, std::make_shared<StepGate>());
    context_.models.host = host_.get();
  }

  Parsed<Call> embed(const std::string& fields) {
    http::Request request;
    request.body = R"({"model":"m",)" + fields + "}";
    return parse_openai_embeddings(context_, request);
  }

  std::string refusal(const std::string& fields) {
    auto call = embed(fields);
    return call.is_ok() ? "accepted" : call.error().param + ": " + call.error().message;
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(EmbeddingsTest, InputsComeInFourForms) {
  EXPECT_EQ(embed(R"("input":"abc")")->requests.size(), 1u);
  EXPECT_EQ(embed(R"("input":["abc","d"])")->requests.size(), 2u);
  auto ids = embed(R"("input":[1,2,3])");
  ASSERT_EQ(ids->requests.size(), 1u);
  EXPECT_THAT(ids->requests[0].prompt, ElementsAre(1, 2, 3));
  EXPECT_TRUE(ids->requests[0].is_pooled);
  EXPECT_EQ(embed(R"("input":[[1],[2,3]])")->requests.size(), 2u);
  auto chat = embed(R"("messages":[{"role":"user","content":"a"}])");
  ASSERT_TRUE(chat.is_ok()) << chat.error().message;
  EXPECT_EQ(chat->requests[0].prompt.back(), '\n');  // no answer is begun
}

TEST_F(EmbeddingsTest, AMistakeIsNamedByItsPlace) {
  EXPECT_THAT(refusal(R"("input":["a",5])"), HasSubstr("input[1]: "));
  EXPECT_THAT(refusal(R"("input":[[1],[258]])"), HasSubstr("input[1]: "));
  EXPECT_THAT(refusal(R"("input":[1,"a"])"), HasSubstr("input: "));
  EXPECT_THAT(refusal(R"("input":[])"), HasSubstr("expected 1 to 2048 inputs, got 0"));
  EXPECT_THAT(refusal(R"("input":["a",""])"), HasSubstr("input[1]: "));
  EXPECT_THAT(refusal(R"("user":"ann")"), HasSubstr("input: You must provide an input"));
  EXPECT_THAT(refusal(R"("input":["a",")" + std::string(1025, 'x') + "\"]"),
              HasSubstr("'input[1]' has 1025 tokens"));
  EXPECT_THAT(refusal(R"("input":"a","other":1)"), HasSubstr("other: "));
  std::string many = "\"a\"";
  for (int i = 0; i < 2048; ++i) many += ",\"a\"";
  EXPECT_THAT(refusal("\"input\":[" + many + "]"), HasSubstr("got 2049"));
}

TEST_F(EmbeddingsTest, FieldsActOrAreRefused) {
  EXPECT_THAT(embed(R"("input":"abcdef","truncate_prompt_tokens":2,"truncation_side":"left")")
                  ->requests[0].prompt, ElementsAre('e', 'f'));
  EXPECT_EQ(embed(R"("input":"a","priority":7)")->requests[0].priority, 7);
  EXPECT_EQ(embed(R"("input":"a","prompt_name":"query")")->requests[0].prompt.size(), 3u);
  EXPECT_THAT(refusal(R"("input":"a","prompt_name":"other")"), HasSubstr("'query'"));
  EXPECT_THAT(refusal(R"("input":"a","truncation_side":"top")"), HasSubstr("'left'"));
  EXPECT_THAT(refusal(R"("input":"a","encoding_format":"bytes")"), HasSubstr("'base64'"));
  EXPECT_THAT(refusal(R"("input":"a","embed_dtype":"float16")"), HasSubstr("base64"));
  EXPECT_THAT(refusal(R"("input":"a","embed_dtype":"fp8_e4m3")"), HasSubstr("'bfloat16'"));
  EXPECT_THAT(refusal(R"("input":"a","dimensions":1)"), HasSubstr("matryoshka"));
  EXPECT_EQ(refusal(R"("input":"a","dimensions":2)"), "accepted");
  EXPECT_THAT(refusal(R"("input":"a","dimensions":0)"), HasSubstr("dimensions: "));
  use({.width = 2, .is_normalised = true});
  EXPECT_THAT(refusal(R"("input":"a","normalize":false)"), HasSubstr("own last step"));
  PooledInfo few = embedder();
  few.width = 8;
  few.words.is_matryoshka = true;
  few.words.dimensions = {4, 8};
  use(few);
  EXPECT_EQ(refusal(R"("input":"a","dimensions":4)"), "accepted");
  EXPECT_THAT(refusal(R"("input":"a","dimensions":5)"), HasSubstr("[4,8]"));
}

TEST_F(EmbeddingsTest, WhatAModelCannotDoIsSaid) {
  host_ = make_test_host({}, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  EXPECT_THAT(refusal(R"("input":"a")"), HasSubstr("makes no embeddings: it generates text"));
}

Json asked(TestServer& server, const std::string& fields) {
  const TestResponse answer =
      server.client().post("/v1/embeddings", R"({"model":"m",)" + fields + "}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  return parse_json(answer.body).value();
}

std::vector<double> vector_of(const Json& body, std::size_t i) {
  std::vector<double> values;
  for (const Json& value : body.find("data")->items()[i].find("embedding")->items()) {
    values.push_back(value.as_double());
  }
  return values;
}

TEST(EmbeddingsServerTest, VectorsComeInOrderWithUsage) {
  TestServer server({}, {.pooled = embedder()});
  const Json body = asked(server, R"("input":["abc","de"])");
  EXPECT_EQ(body.find("object")->as_string(), "list");
  EXPECT_EQ(body.find("model")->as_string(), "m");
  ASSERT_EQ(body.find("data")->items().size(), 2u);
  EXPECT_EQ(body.find("data")->items()[1].find("index")->as_int(), 1);
  EXPECT_EQ(body.find("usage")->find("prompt_tokens")->as_int(), 5);
  EXPECT_EQ(vector_of(body, 0).size(), 2u);
  EXPECT_EQ(vector_of(asked(server, R"("input":"de")"), 0), vector_of(body, 1));
}

TEST(EmbeddingsServerTest, LengthAndColumnsAreWhatIsAsked) {
  PooledInfo info = embedder();
  info.words.is_matryoshka = true;
  TestServer server({}, {.pooled = info});
  const std::vector<double> one =
      vector_of(asked(server, R"("input":"abc","normalize":true)"), 0);
  EXPECT_NEAR(one[0] * one[0] + one[1] * one[1], 1, 1e-6);
  const std::vector<double> cut =
      vector_of(asked(server, R"("input":"abc","normalize":true,"dimensions":1)"), 0);
  EXPECT_THAT(cut, ElementsAre(1));
  const Json bytes = asked(server, R"("input":"abc","encoding_format":"base64")");
  EXPECT_EQ(bytes.find("data")->items()[0].find("embedding")->as_string().size(), 12u);
}

// More inputs than a tenant's queue holds: they follow each other, and all are answered.
TEST(EmbeddingsServerTest, ManyInputsPassAShortQueue) {
  TestServer server({}, {.rows_max = 4, .queue_max = 16, .pooled = embedder()});
  std::string inputs;
  for (int i = 0; i < 500; ++i) inputs += fmt::format("{}\"text {}\"", i > 0 ? "," : "", i);
  const Json body = asked(server, "\"input\":[" + inputs + "]");
  ASSERT_EQ(body.find("data")->items().size(), 500u);
  EXPECT_EQ(vector_of(body, 499), vector_of(asked(server, R"("input":"text 499")"), 0));
  while (!server.engine().is_idle()) std::this_thread::yield();  // told after its last event
}

TEST(EmbeddingsServerTest, AClientThatLeavesCancelsTheRest) {
  TestServer server({}, {.rows_max = 2, .pooled = embedder()});
  server.gate().close();
  std::string inputs;
  for (int i = 0; i < 300; ++i) inputs += fmt::format("{}\"text {}\"", i > 0 ? "," : "", i);
  TestClient client = server.client();
  client.send(post_bytes("/v1/embeddings", R"({"model":"m","input":[)" + inputs + "]}"));
  const auto wait_for = [&](const char* text) {
    while (server.client().get("/debug/requests").body.find(text) == std::string::npos) {
      std::this_thread::yield();
    }
  };
  wait_for(R"("endpoint":"/v1/embeddings")");
  server.gate().let_pass(3);
  client.close();
  server.wait_for_metric("quire_clients_left_total", 1);
  server.gate().open();
  // Those that the engine never saw have ended, too.
  wait_for(R"("state":"finished")");
  EXPECT_EQ(vector_of(asked(server, R"("input":"x")"), 0).size(), 2u);
}

TEST(EmbeddingsServerTest, AModelOfVectorsIsListedAndRefusesToTalk) {
  TestServer server({}, {.pooled = embedder()});
  const TestResponse listed = server.client().get("/v1/models/m");
  EXPECT_THAT(listed.body, HasSubstr(R"("capabilities":["embedding","score"])"));
  EXPECT_THAT(listed.body, HasSubstr(R"("embedding_dimensions":2)"));
  for (const char* path : {"/v1/chat/completions", "/v1/completions"}) {
    const TestResponse refused = server.client().post(
        path, R"({"model":"m","prompt":"a","messages":[{"role":"user","content":"a"}]})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr("generates no text: it makes embeddings of 2 values"));
  }
  EXPECT_EQ(server.client().get("/quire/status").status, 200);
}

}  // namespace
}  // namespace quire
