#include "serve/intake/fields.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

Json parse(const char* text) {
  Result<Json> json = parse_json(text);
  QUIRE_CHECK(json.is_ok(), "{}", json.status().message());
  return *json;
}

TEST(FieldsTest, ReadsValuesAndKnowsWhatWasNotAskedFor) {
  const Json body = parse(R"({"a":true,"b":3,"c":0.5,"d":"x","e":null,"f":1})");
  Fields fields(body);
  EXPECT_EQ(fields.boolean("a"), true);
  EXPECT_EQ(fields.integer("b", 0, 5), 3);
  EXPECT_EQ(fields.number("c", {0, 1}), 0.5);
  ASSERT_NE(fields.text("d", 10), nullptr);
  EXPECT_EQ(fields.boolean("e"), std::nullopt) << "null counts as absent";
  EXPECT_EQ(fields.boolean("absent"), std::nullopt);
  EXPECT_FALSE(fields.error());
  EXPECT_EQ(fields.unknown(), std::vector<std::string>{"f"});
}

TEST(FieldsTest, TheFirstMistakeIsTheOneReported) {
  const Json body = parse(R"({"a":"true","b":9})");
  Fields fields(body);
  fields.boolean("a");
  fields.integer("b", 0, 5);
  ASSERT_TRUE(fields.error());
  EXPECT_EQ(fields.error()->param, "a");
  EXPECT_EQ(fields.error()->status, 400);
}

TEST(FieldsTest, NumbersKeepTheirRangesAndKinds) {
  const char* kBad[] = {R"({"x":-0.1})", R"({"x":1.1})", R"({"x":"0.5"})", R"({"x":1e308})",
                        R"({"x":true})"};
  for (const char* text : kBad) {
    const Json body = parse(text);
    Fields fields(body);
    fields.number("x", {0, 1});
    EXPECT_TRUE(fields.error()) << text;
  }
  const Json zero = parse(R"({"x":0,"y":1.0})");
  Fields open(zero);
  open.number("x", {0, 1, true});
  EXPECT_TRUE(open.error());
  Fields integer(zero);
  integer.integer("y", 0, 5);
  EXPECT_TRUE(integer.error()) << "1.0 is no integer";
}

TEST(FieldsTest, UndeliveredFieldsAreAcceptedAtTheirNeutralValue) {
  constexpr NeutralField kTable[] = {{"a", "1.0"}, {"b", "[]"}, {"c", R"({"type":"text"})"}};
  const Json good = parse(R"({"a":1,"b":[],"c":{"type":"text"}})");
  Fields neutral(good);
  neutral.expect_neutral(kTable);
  EXPECT_FALSE(neutral.error());
  EXPECT_TRUE(neutral.unknown().empty());
  const Json bad = parse(R"({"b":["x"]})");
  Fields refused(bad);
  refused.expect_neutral(kTable);
  ASSERT_TRUE(refused.error());
  EXPECT_EQ(refused.error()->code, "unsupported_parameter");
  EXPECT_EQ(refused.error()->param, "b");
}

TEST(FieldsTest, EachAcceptedValueIsNamedOnce) {
  constexpr NeutralField kTable[] = {{"a", "null"}, {"b", "\"none\"", "\"auto\""}, {"c", "[]"}};
  const auto refusal = [&](const char* text) {
    const Json body = parse(text);
    Fields fields(body);
    fields.expect_neutral(kTable);
    return fields.error() ? fields.error()->message : std::string();
  };
  EXPECT_NE(refusal(R"({"a":1})").find("only null is accepted, got 1."), std::string::npos);
  EXPECT_NE(refusal(R"({"c":1})").find("only [] or null is accepted"), std::string::npos);
  EXPECT_NE(refusal(R"({"b":1})").find("only \"none\", \"auto\" or null is accepted"),
            std::string::npos);
  EXPECT_EQ(refusal(R"({"a":null,"b":"auto","c":[]})"), "");
}

TEST(FieldsTest, NamesTheFieldWhoseValueIsNoJson) {
  EXPECT_EQ(field_at_fault(R"({"a":1,"b":{"x":"}"},"t":1e999999,"c":2})"), "t");
  EXPECT_EQ(field_at_fault(R"({"a":"\ud800"})"), "a");
  EXPECT_EQ(field_at_fault(R"({"a":1,"a":2})"), "");
  EXPECT_EQ(field_at_fault(R"(["a":1])"), "");
  EXPECT_EQ(field_at_fault(R"({"a)"), "");
  EXPECT_EQ(field_at_fault(""), "");
}

TEST(FieldsTest, WhatIsShownIsShortAndWhole) {
  EXPECT_EQ(shown(Json(-1)), "-1");
  EXPECT_EQ(shown(Json::array({1, 2})), "an array");
  const std::string text = shown(Json(std::string(100, 'a') + "\n"));
  EXPECT_LT(text.size(), 70u);
  EXPECT_EQ(shown(Json("a\nb")), "\"a\\nb\"") << "one line";
}

}  // namespace
}  // namespace quire
