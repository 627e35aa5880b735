// /classify and /pooling over a server with a scripted model: labels, chances, raw scores, tasks.
#include "serve/dialects/vllm/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/vllm/pooling.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

PooledInfo classifier() {
  PooledInfo info{.width = 2, .labels = 2};
  info.words.labels = {"bad", "good"};
  return info;
}

Json ask(TestServer& server, std::string_view path, const std::string& fields) {
  const TestResponse answer = server.client().post(path, R"({"model":"m",)" + fields + "}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  return parse_json(answer.body).value();
}

std::string refusal(TestServer& server, std::string_view path, const std::string& fields) {
  const TestResponse answer = server.client().post(path, R"({"model":"m",)" + fields + "}");
  return fmt::format("{} {}", answer.status, answer.body);
}

TEST(ClassifyTest, TheLikeliestLabelAndTheChancesOfAll) {
  TestServer server({}, {.pooled = classifier()});
  const Json body = ask(server, "/classify", R"("input":["abc","de"])");
  const Json raw = ask(server, "/classify", R"("input":["abc","de"],"use_activation":false)");
  ASSERT_EQ(body.find("data")->items().size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& entry = body.find("data")->items()[i];
    EXPECT_EQ(entry.find("index")->as_int(), static_cast<std::int64_t>(i));
    EXPECT_EQ(entry.find("num_classes")->as_int(), 2);
    const auto chance = [&](std::size_t label) {
      return entry.find("probs")->items()[label].as_double();
    };
    EXPECT_NEAR(chance(0) + chance(1), 1, 1e-6);
    const auto score = [&](std::size_t label) {
      return raw.find("data")->items()[i].find("probs")->items()[label].as_double();
    };
    EXPECT_EQ(entry.find("label")->as_string(), score(0) >= score(1) ? "bad" : "good");
  }
  EXPECT_EQ(body.find("usage")->find("prompt_tokens")->as_int(), 5);
}

TEST(ClassifyTest, OnlyWhatClassifiesDoes) {
  TestServer server({}, {.pooled = PooledInfo{.width = 2}});
  EXPECT_THAT(refusal(server, "/classify", R"("input":"a")"),
              HasSubstr("classifies no texts: it makes embeddings of 2 values"));
  TestServer other({}, {.pooled = classifier()});
  EXPECT_THAT(refusal(other, "/rerank", R"("query":"a","documents":["b"])"),
              HasSubstr("scores no pairs of texts: it sorts texts by 2 labels"));
  EXPECT_THAT(refusal(other, "/classify", R"("input":[])"), HasSubstr("got 0"));
}

TEST(PoolingTest, WhateverAModelMakes) {
  TestServer embeds({}, {.pooled = PooledInfo{.width = 2, .wants_length_one = true}});
  const auto first = [](const Json& body) {
    return body.find("data")->items()[0].find("data")->items()[0].as_double();
  };
  const Json unit = ask(embeds, "/pooling", R"("input":"abc")");
  EXPECT_LE(first(unit), 1);
  EXPECT_GT(first(ask(embeds, "/pooling", R"("input":"abc","normalize":false)")), 1);
  EXPECT_EQ(unit.find("data")->items()[0].find("object")->as_string(), "pooling");
  TestServer sorts({}, {.pooled = classifier()});
  EXPECT_EQ(first(ask(sorts, "/pooling", R"("input":"abc","task":"classify")")),
            ask(sorts, "/classify", R"("input":"abc")")
                .find("data")->items()[0].find("probs")->items()[0].as_double());
  EXPECT_THAT(ask(sorts, "/pooling", R"("input":"abc","encoding_format":"base64")")
                  .find("data")->items()[0].find("data")->as_string(), HasSubstr("="));
}

TEST(PoolingTest, TasksThatAModelDoesNotDoAreRefused) {
  TestServer server({}, {.pooled = classifier()});
  EXPECT_THAT(refusal(server, "/pooling", R"("input":"a","task":"embed")"),
              HasSubstr("makes no embeddings"));
  EXPECT_THAT(refusal(server, "/pooling", R"("input":"a","task":"token_embed")"),
              HasSubstr("none of each token"));
  EXPECT_THAT(refusal(server, "/pooling", R"("input":"a","task":"other")"), HasSubstr("expected"));
  TestServer talks;
  EXPECT_THAT(refusal(talks, "/pooling", R"("input":"a")"),
              HasSubstr("makes no vectors of texts: it generates text"));
}

}  // namespace
}  // namespace quire
