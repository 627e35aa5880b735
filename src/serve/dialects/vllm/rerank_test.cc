// /rerank and /score: a ranker's pairs and an embedder's cosines, order, forms and refusals, over a
// server with a scripted model.
#include "serve/dialects/vllm/rerank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "serve/answer/vectors.h"
#include "serve/dialects/vllm/score.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PooledInfo ranker() {
  PooledInfo info{.width = 2, .labels = 1, .reads_pairs = true, .has_segments = true};
  info.words.activation = "Identity";  // scripted scores are large: a chance would always be 1
  return info;
}

class RerankTest : public ::testing::Test {
 protected:
  explicit RerankTest(const PooledInfo& info = ranker()) : server_({}, {.pooled = info}) {}

  Json ask(std::string_view path, const std::string& fields) {
    const TestResponse answer = server_.client().post(path, R"({"model":"m",)" + fields + "}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse_json(answer.body).value();
  }

  std::string refusal(std::string_view path, const std::string& fields) {
    const TestResponse answer = server_.client().post(path, R"({"model":"m",)" + fields + "}");
    return fmt::format("{} {}", answer.status, answer.body);
  }

  std::vector<double> scores(const std::string& fields) {
    std::vector<double> made;
    const Json body = ask("/score", fields);
    for (const Json& item : body.find("data")->items()) {
      made.push_back(item.find("score")->as_double());
    }
    return made;
  }

  TestServer server_;
};

class EmbedderRerankTest : public RerankTest {
 protected:
  EmbedderRerankTest() : RerankTest(PooledInfo{.width = 2}) {}
};

TEST_F(RerankTest, TheBestComesFirst) {
  const std::string fields = R"("query":"q","documents":["abc",{"text":"de"},"f","g"])";
  const Json body = ask("/v1/rerank", fields);
  const std::vector<Json>& results = body.find("results")->items();
  ASSERT_EQ(results.size(), 4u);
  const auto score = [](const Json& result) { return result.find("relevance_score")->as_double(); };
  EXPECT_TRUE(std::is_sorted(results.begin(), results.end(), [&](const Json& a, const Json& b) {
    return score(a) > score(b);
  }));
  const std::vector<double> alone =
      scores(R"("text_1":"q","text_2":["abc","de","f","g"])");
  for (const Json& result : results) {
    const auto index = static_cast<std::size_t>(result.find("index")->as_int());
    EXPECT_EQ(score(result), alone[index]);
    EXPECT_EQ(result.find("document")->find("text")->as_string(),
              (std::vector<std::string>{"abc", "de", "f", "g"})[index]);
  }
  EXPECT_EQ(body.find("usage")->find("total_tokens")->as_int(), 4 + 3 * 4 + 7);
  EXPECT_EQ(body.find("meta")->find("tokens")->find("input_tokens")->as_int(), 23);
  const Json few = ask("/rerank", fields + R"(,"top_n":2,"return_documents":false)");
  ASSERT_EQ(few.find("results")->items().size(), 2u);
  EXPECT_EQ(*few.find("results")->items()[0].find("index"), *results[0].find("index"));
  EXPECT_EQ(few.find("results")->items()[0].find("document"), nullptr);
  EXPECT_EQ(ask("/v2/rerank", fields + R"(,"top_n":0)").find("results")->items().size(), 4u);
}

TEST_F(RerankTest, PairsOfOneOrOfEach) {
  const std::vector<double> each = scores(R"("text_1":["a","b"],"text_2":["c","d"])");
  ASSERT_EQ(each.size(), 2u);
  EXPECT_THAT(scores(R"("queries":"b","documents":["d"])"), ElementsAre(each[1]));
  EXPECT_THAT(scores(R"("data_1":"a","data_2":"c")"), ElementsAre(each[0]));
  EXPECT_THAT(scores(R"("queries":["a"],"items":["c","c"])"), ElementsAre(each[0], each[0]));
  EXPECT_THAT(refusal("/v1/score", R"("text_1":["a","b"],"text_2":["c"])"),
              HasSubstr("400 {\"error\":{\"message\":\"Input lengths must be either 1:1, 1:N or "
                        "N:N, got 2 'text_1' and 1 'text_2'"));
}

// Which text is the second one changes the score: they are marked and parted.
TEST_F(RerankTest, WhereAPairIsPartedMatters) {
  EXPECT_NE(scores(R"("text_1":"ab","text_2":"c")"), scores(R"("text_1":"a","text_2":"bc")"));
}

TEST_F(RerankTest, MistakesAreNamed) {
  EXPECT_THAT(refusal("/rerank", R"("documents":["a"])"), HasSubstr("You must provide 'query'"));
  EXPECT_THAT(refusal("/rerank", R"("query":["q"],"documents":["a"])"),
              HasSubstr("expected a string"));
  EXPECT_THAT(refusal("/rerank", R"("query":"q","documents":[])"), HasSubstr("got 0"));
  EXPECT_THAT(refusal("/rerank", R"("query":"q","documents":["a",{"image":"x"}])"),
              HasSubstr("documents[1]"));
  EXPECT_THAT(refusal("/rerank", R"("query":"q","documents":["a"],"top_n":-1)"),
              HasSubstr("top_n"));
  EXPECT_THAT(refusal("/rerank", R"("query":"q","documents":["a"],"nobody":1)"),
              HasSubstr("nobody"));
  EXPECT_THAT(refusal("/rerank", R"("query":"q","documents":["a",")" + std::string(1100, 'x') +
                                     "\"]"),
              HasSubstr("documents[1]"));
  EXPECT_THAT(refusal("/score", R"("text_1":"a")"), HasSubstr("You must provide 'text_2'"));
  EXPECT_THAT(refusal("/v1/embeddings", R"("input":"a")"),
              HasSubstr("makes no embeddings: it scores how well two texts fit each other"));
}

TEST_F(EmbedderRerankTest, AnEmbedderComparesItsVectors) {
  const Json body = ask("/v1/embeddings", R"("input":["abc","de","f"])");
  const auto vector = [&](std::size_t i) {
    std::vector<float> values;
    for (const Json& value : body.find("data")->items()[i].find("embedding")->items()) {
      values.push_back(static_cast<float>(value.as_double()));
    }
    return values;
  };
  const std::vector<double> made = scores(R"("text_1":"abc","text_2":["de","f","abc"])");
  EXPECT_FLOAT_EQ(static_cast<float>(made[0]), cosine(vector(0), vector(1)));
  EXPECT_FLOAT_EQ(static_cast<float>(made[1]), cosine(vector(0), vector(2)));
  EXPECT_FLOAT_EQ(static_cast<float>(made[2]), 1);
  EXPECT_EQ(ask("/rerank", R"("query":"abc","documents":["de","abc"],"top_n":1)")
                .find("results")->items()[0].find("index")->as_int(), 1);
}

}  // namespace
}  // namespace quire
