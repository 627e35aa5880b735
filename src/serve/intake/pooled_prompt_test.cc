// Texts as requests that are read as a whole: special tokens around them, cuts between those, pairs
// that share what room there is, and refusals that count.
#include "serve/intake/pooled_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/intake/skills.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Words a to e; [CLS] text [SEP].
constexpr const char* kWords = R"({"version":"1.0","truncation":null,"padding":null,
"added_tokens":[
 {"id":0,"content":"[UNK]","special":true,"single_word":false,"lstrip":false,"rstrip":false,
  "normalized":false},
 {"id":1,"content":"[CLS]","special":true,"single_word":false,"lstrip":false,"rstrip":false,
  "normalized":false},
 {"id":2,"content":"[SEP]","special":true,"single_word":false,"lstrip":false,"rstrip":false,
  "normalized":false}],
"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},
"post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},"decoder":null,
"model":{"type":"WordLevel","unk_token":"[UNK]",
 "vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"b":4,"c":5,"d":6,"e":7}}})";

class PooledPromptTest : public ::testing::Test {
 protected:
  PooledPromptTest() {
    auto model = std::make_shared<HostedModel>(
        make_test_model({.context_max = 6, .pooled = PooledInfo{.width = 2, .labels = 1,
                                                                .reads_pairs = true,
                                                                .has_segments = true}}));
    auto tokenizer = Tokenizer::from_json(kWords);
    QUIRE_CHECK(tokenizer.is_ok(), "{}", tokenizer.status().message());
    model->tokenizer = *tokenizer;
    auto pairs = PairTemplate::from_json(kWords);
    QUIRE_CHECK(pairs.is_ok(), "{}", pairs.status().message());
    model->pair_template = std::make_shared<const PairTemplate>(std::move(pairs).value());
    texts_.model = std::move(model);
  }

  std::vector<TokenId> encode(std::string_view text) {
    auto ids = encode_whole(texts_, text, "input[3]");
    if (ids.is_ok()) return *ids;
    message_ = ids.error().message;
    EXPECT_EQ(ids.error().param, "input[3]");
    return {};
  }

  Request pair(std::string_view first, std::string_view second) {
    auto made = make_pair(texts_, {.name = "ann"}, {.first = first, .second = second,
                                                    .first_field = "query",
                                                    .second_field = "documents[1]"});
    if (made.is_ok()) return *made;
    message_ = made.error().message;
    return {};
  }

  PooledTexts texts_;
  std::string message_;
};

TEST_F(PooledPromptTest, ATextStandsBetweenItsSpecialTokens) {
  EXPECT_THAT(encode("a b"), ElementsAre(1, 3, 4, 2));
  EXPECT_THAT(encode(""), ElementsAre(1, 2));
  texts_.adds_special = false;
  EXPECT_THAT(encode("a b"), ElementsAre(3, 4));
  EXPECT_TRUE(encode("").empty());
  EXPECT_THAT(message_, HasSubstr("no tokens"));
}

// A ranker made of a chat model: one text around both, tokenized as one.
TEST_F(PooledPromptTest, APairInTheWordsOfAChat) {
  auto model = std::make_shared<HostedModel>(make_test_model(
      {.context_max = 12, .pooled = PooledInfo{.width = 1, .labels = 1, .reads_pairs = true}}));
  model->tokenizer = texts_.model->tokenizer;
  auto words = PairTemplate::from_text("[CLS] a|>b {query} c {document} d<|e [SEP]",
                                       *model->tokenizer);
  ASSERT_TRUE(words.is_ok()) << words.status().message();
  EXPECT_EQ(words->body("x", "y"), "b x c y d");
  model->pair_template = std::make_shared<const PairTemplate>(std::move(words).value());
  const std::size_t special = model->pair_template->special_count();
  texts_.model = std::move(model);
  const std::vector<TokenId> prompt = pair("a", "e").prompt;
  ASSERT_EQ(prompt.size(), special + 5) << message_;
  EXPECT_EQ(prompt.front(), 1);
  EXPECT_EQ(prompt.back(), 2);
  EXPECT_TRUE(pair("a b c d e", "e d c b a").prompt.empty());
  EXPECT_THAT(message_, HasSubstr("maximum context length is 12"));
  texts_.cut_to = 12;
  EXPECT_EQ(pair("a b c d e", "e d c b a").prompt.size(), 12u);
  for (const char* wrong : {"{query}", "{document} {query}", "{query} {document} {query}"}) {
    EXPECT_FALSE(PairTemplate::from_text(wrong, *texts_.model->tokenizer).is_ok()) << wrong;
  }
}

TEST_F(PooledPromptTest, WhatIsTooLongIsRefusedWithItsTokens) {
  EXPECT_TRUE(encode("a b c d e").empty());
  EXPECT_THAT(message_, HasSubstr("maximum context length is 6 tokens. However, 'input[3]' has 7 "
                                  "tokens"));
}

TEST_F(PooledPromptTest, ACutLeavesTheSpecialTokens) {
  texts_.cut_to = -1;
  EXPECT_THAT(encode("a b c d e"), ElementsAre(1, 3, 4, 5, 6, 2));
  texts_.cut_to = 4;
  EXPECT_THAT(encode("a b c d e"), ElementsAre(1, 3, 4, 2));
  texts_.cuts_front = true;
  EXPECT_THAT(encode("a b c d e"), ElementsAre(1, 6, 7, 2));
  EXPECT_THAT(encode("a"), ElementsAre(1, 3, 2));
  texts_.cut_to = 7;
  EXPECT_THAT(check_cut(texts_)->message, HasSubstr("(7) is greater than max_model_len (6)"));
}

TEST_F(PooledPromptTest, APairSharesTheRoomAndMarksTheSecond) {
  const Request whole = pair("a", "b c");
  EXPECT_THAT(whole.prompt, ElementsAre(1, 3, 2, 4, 5, 2));
  EXPECT_EQ(whole.second_segment, 3u);
  EXPECT_TRUE(whole.is_pooled);
  EXPECT_EQ(whole.params.tokens_max, 0);
  EXPECT_EQ(whole.tenant, "ann");
  EXPECT_TRUE(pair("a", "b c d").prompt.empty());
  EXPECT_THAT(message_, HasSubstr("'query' with 'documents[1]' has 7 tokens"));
  texts_.cut_to = -1;
  EXPECT_THAT(pair("a", "b c d").prompt, ElementsAre(1, 3, 2, 4, 5, 2));
  EXPECT_THAT(pair("a b c d", "e").prompt, ElementsAre(1, 3, 4, 2, 7, 2));
}

TEST_F(PooledPromptTest, ARefusalSaysWhatAModelCanDo) {
  const auto said = [](const PooledInfo& pooled, Skill skill) {
    const auto refusal = refuse_without(make_test_model({.pooled = pooled}), skill);
    return refusal ? refusal->message : std::string("it can");
  };
  const PooledInfo embedder = {.width = 384}, ranker = {.width = 1, .labels = 1,
                                                        .reads_pairs = true};
  EXPECT_EQ(said(embedder, Skill::kEmbed), "it can");
  EXPECT_EQ(said(embedder, Skill::kScore), "it can");
  EXPECT_EQ(said(ranker, Skill::kScore), "it can");
  EXPECT_EQ(said(embedder, Skill::kGenerate),
            "The model `m` generates no text: it makes embeddings of 384 values.");
  EXPECT_EQ(said(ranker, Skill::kEmbed),
            "The model `m` makes no embeddings: it scores how well two texts fit each other.");
  EXPECT_EQ(refuse_without(make_test_model({}), Skill::kEmbed)->message,
            "The model `m` makes no embeddings: it generates text.");
  EXPECT_THAT(skill_names(make_test_model({}).info), ElementsAre("completion", "chat"));
}

}  // namespace
}  // namespace quire
