// Structural tags: what of both shapes becomes a grammar, which texts it lets through, and what is
// refused by its place.
#include "serve/intake/tools/structural_tag.h"

#include <gtest/gtest.h>

#include "text/grammar/grammar.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

using Verdict = GrammarState::Verdict;

class StructuralTagTest : public ::testing::Test {
 protected:
  void use(const std::string& tag) {
    auto source = source_of_structural_tag(*parse_json(tag), "tag");
    ASSERT_TRUE(source.is_ok()) << source.error().message;
    const auto grammar = factory_->compile(*source);
    ASSERT_TRUE(grammar.is_ok()) << grammar.status().message() << "\n" << source->text;
    grammar_ = *grammar;
  }
  bool accepts(const std::string& text) {
    return grammar_->begin().value()->accept_text(text).value() == Verdict::kWhole;
  }
  static std::string refused(const std::string& tag) {
    const auto source = source_of_structural_tag(*parse_json(tag), "tag");
    return source.is_ok() ? "" : source.error().param;
  }

  static constexpr TokenId kEnd = 257;
  std::shared_ptr<const GrammarFactory> factory_ =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{kEnd}).value();
  std::shared_ptr<const Grammar> grammar_;
};

TEST_F(StructuralTagTest, TheOlderShapeHoldsWhatATriggerOpens) {
  use(R"({"type":"structural_tag","triggers":["<function="],"structures":[
      {"begin":"<function=f>","schema":{"type":"object","properties":{"a":{"type":"integer"}},
       "required":["a"],"additionalProperties":false},"end":"</function>"},
      {"begin":"<function=g>","schema":{"enum":[1,2]},"end":"</function>"}]})");
  EXPECT_TRUE(accepts("no call at all, 1 < 2"));
  EXPECT_TRUE(accepts(R"(So: <function=f>{"a":1}</function> and <function=g>2</function>.)"));
  EXPECT_FALSE(accepts(R"(<function=f>{"a":"x"}</function>)"));
  EXPECT_FALSE(accepts(R"(<function=h>{"a":1}</function>)"));
  EXPECT_FALSE(accepts(R"(<function=f>{"a":1}</func>)"));
}

TEST_F(StructuralTagTest, SequencesTagsAndTextOfTheNewerShape) {
  use(R"({"type":"structural_tag","format":{"type":"sequence","elements":[
      {"type":"tag","begin":"<think>","content":{"type":"any_text"},"end":"</think>"},
      {"type":"or","elements":[{"type":"const_string","value":"yes"},
                               {"type":"regex","pattern":"n/?o+"}]},
      {"type":"triggered_tags","triggers":["<call>"],"tags":[
        {"begin":"<call>","content":{"type":"json_schema","json_schema":{"type":"integer"}},
         "end":["</call>","<end>"]}]}]}})");
  EXPECT_TRUE(accepts("<think>1 < 2 yes</think>yes"));
  EXPECT_TRUE(accepts("<think></think>n/oo then <call>7</call> and <call>8<end>"));
  EXPECT_FALSE(accepts("<think>no end"));
  EXPECT_FALSE(accepts("<think></think>maybe"));
  EXPECT_FALSE(accepts("<think></think>yes<call>x</call>"));
}

TEST_F(StructuralTagTest, AtLeastOneBeginsAndOneStops) {
  const std::string tags =
      R"("tags":[{"begin":"<a>","content":{"type":"const_string","value":"x"},"end":"</a>"}])";
  const std::string triggered = R"({"type":"structural_tag","format":{"type":"triggered_tags",)"
                                R"("triggers":["<a"],)" + tags;
  use(triggered + R"(,"at_least_one":true}})");
  EXPECT_TRUE(accepts("<a>x</a> and <a>x</a>!"));
  EXPECT_FALSE(accepts("and <a>x</a>"));
  use(triggered + R"(,"stop_after_first":true}})");
  EXPECT_TRUE(accepts("text") && accepts("text <a>x</a>"));
  EXPECT_FALSE(accepts("<a>x</a> more"));
  use(R"({"type":"structural_tag","format":{"type":"tags_with_separator","separator":", ",)" +
      tags + R"(,"at_least_one":true}})");
  EXPECT_TRUE(accepts("<a>x</a>") && accepts("<a>x</a>, <a>x</a>"));
  EXPECT_FALSE(accepts("") || accepts("<a>x</a><a>x</a>"));
  use(dump(Json(R"({"format":{"type":"grammar","grammar":"root ::= \"ab\""}})")));
  EXPECT_TRUE(accepts("ab")) << "the text of one";
}

TEST_F(StructuralTagTest, WhatCannotBeKeptIsRefusedByItsPlace) {
  const auto of = [](const std::string& format) {
    return refused(R"({"type":"structural_tag","format":)" + format + "}");
  };
  EXPECT_EQ(refused("[]"), "tag");
  EXPECT_EQ(refused(R"("{")"), "tag");
  EXPECT_EQ(of(R"({"type":"qwen_xml_parameter","json_schema":{}})"), "tag.format.type");
  EXPECT_EQ(of(R"({"type":"sequence","elements":[{"type":"any_text"},
                   {"type":"const_string","value":"a"}]})"), "tag.format.elements[0]");
  EXPECT_EQ(of(R"({"type":"any_text","excludes":["a"]})"), "tag.format.excludes");
  EXPECT_EQ(of(R"({"type":"json_schema","json_schema":{"not":{}}})"), "tag.format.json_schema");
  EXPECT_EQ(of(R"({"type":"json_schema","json_schema":{},"style":"qwen_xml"})"),
            "tag.format.style");
  EXPECT_EQ(of(R"({"type":"tag","begin":"<a>","content":{"type":"star"},"end":""})"),
            "tag.format.content.type");
  EXPECT_EQ(of(R"({"type":"tag","begin":"<a>","content":{"type":"any_text"}})"), "tag.format.end");
  EXPECT_EQ(refused(R"({"triggers":["<a>"],"structures":[{"begin":"<b>","schema":{},"end":""}]})"),
            "tag");
  std::string deep = R"({"type":"any_text"})";
  for (int i = 0; i < 20; ++i) deep = R"({"type":"sequence","elements":[)" + deep + "]}";
  EXPECT_NE(of(deep), "");
}

}  // namespace
}  // namespace quire
