// Pairs as tokenizers of both kinds write them, what is refused, and how a pair is cut.
#include "text/layout/pair_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<TokenId> kFirst = {7, 8}, kSecond = {9};

PairTemplate::Pair join(std::string_view processor) {
  const auto made =
      PairTemplate::from_json(R"({"post_processor":)" + std::string(processor) + "}");
  EXPECT_TRUE(made.is_ok()) << made.status().message();
  return made->join(kFirst, kSecond);
}

constexpr const char* kBert = R"({"type":"TemplateProcessing","pair":[
  {"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
  {"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},
  {"SpecialToken":{"id":"[SEP]","type_id":1}}],
  "special_tokens":{"[CLS]":{"ids":[1]},"[SEP]":{"ids":[2]}}})";

TEST(PairTemplateTest, TwoSegmentsWhereTheTokenizerNamesThem) {
  const PairTemplate::Pair pair = join(kBert);
  EXPECT_THAT(pair.ids, ElementsAre(1, 7, 8, 2, 9, 2));
  EXPECT_EQ(pair.second, 4u);
  const PairTemplate::Pair fixed =
      join(R"({"type":"BertProcessing","cls":["[CLS]",1],"sep":["[SEP]",2]})");
  EXPECT_EQ(fixed.ids, pair.ids);
  EXPECT_EQ(fixed.second, pair.second);
}

TEST(PairTemplateTest, OneSegmentOtherwise) {
  const PairTemplate::Pair roberta =
      join(R"({"type":"RobertaProcessing","cls":["<s>",1],"sep":["</s>",2]})");
  EXPECT_THAT(roberta.ids, ElementsAre(1, 7, 8, 2, 2, 9, 2));
  EXPECT_EQ(roberta.second, 0u);
  EXPECT_THAT(join("null").ids, ElementsAre(7, 8, 9));
  EXPECT_THAT(join(R"({"type":"ByteLevel"})").ids, ElementsAre(7, 8, 9));
  EXPECT_EQ(join(std::string(R"({"type":"Sequence","processors":[{"type":"ByteLevel"},)") + kBert +
                 "]}").second, 4u);
}

TEST(PairTemplateTest, WhatIsDamagedIsRefused) {
  const auto refusal = [](const char* processor) {
    const auto made =
        PairTemplate::from_json(R"({"post_processor":)" + std::string(processor) + "}");
    return made.is_ok() ? std::string("read") : made.status().message();
  };
  EXPECT_THAT(refusal(R"({"type":"Other"})"), HasSubstr("'Other' is not known"));
  EXPECT_THAT(refusal("7"), HasSubstr("is not known"));
  EXPECT_THAT(refusal(R"({"type":"TemplateProcessing"})"), HasSubstr("no short list"));
  EXPECT_THAT(refusal(R"({"type":"TemplateProcessing","pair":[{"Sequence":{"id":"A"}}]})"),
              HasSubstr("not each text once"));
  EXPECT_THAT(refusal(R"({"type":"TemplateProcessing","pair":[{"SpecialToken":{"id":"x"}}]})"),
              HasSubstr("'x' has no ids"));
  EXPECT_THAT(refusal(R"({"type":"BertProcessing","cls":["c",-1],"sep":["s",2]})"),
              HasSubstr("'cls' is no token"));
}

TEST(PairTemplateTest, TheLongerTextIsCutFirst) {
  const auto fit = [](std::size_t first, std::size_t second, std::size_t tokens_max) {
    const PairLengths lengths = fit_pair(first, second, tokens_max);
    return std::vector<std::size_t>{lengths.first, lengths.second};
  };
  EXPECT_THAT(fit(3, 4, 7), ElementsAre(3, 4));
  EXPECT_THAT(fit(3, 40, 10), ElementsAre(3, 7));
  EXPECT_THAT(fit(40, 3, 10), ElementsAre(7, 3));
  EXPECT_THAT(fit(40, 30, 11), ElementsAre(6, 5));
  EXPECT_THAT(fit(30, 40, 11), ElementsAre(5, 6));
  EXPECT_THAT(fit(5, 5, 0), ElementsAre(0, 0));
}

}  // namespace
}  // namespace quire
