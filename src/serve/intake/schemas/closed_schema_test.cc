// What Ollama's reading adds to a schema, and what it leaves alone.
#include "serve/intake/schemas/closed_schema.h"

#include <gtest/gtest.h>

#include <string>

#include "text/grammar/source.h"
#include "text/grammar/schema_check.h"

namespace quire {
namespace {

std::string closed(const std::string& schema) {
  const auto parsed = parse_json(schema);
  EXPECT_TRUE(parsed.is_ok()) << schema;
  const Json made = *closed_schema(*parsed);
  EXPECT_TRUE(source_of_schema(made).is_ok()) << dump(made);
  return dump(made);
}

TEST(ClosedSchema, AnObjectHasWhatIsListed) {
  EXPECT_EQ(closed(R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"]})"),
            R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],)"
            R"("additionalProperties":false})");
}

TEST(ClosedSchema, WhatListsPropertiesIsAnObject) {
  EXPECT_EQ(closed(R"({"properties":{"a":{"type":"integer"}},"required":["a"]})"),
            R"({"properties":{"a":{"type":"integer"}},"required":["a"],"type":"object",)"
            R"("additionalProperties":false})");
  EXPECT_EQ(closed(R"({"type":"object","properties":{}})"),
            R"({"type":"object","properties":{},"additionalProperties":false})");
  EXPECT_EQ(closed(R"({"properties":{"a":true},"additionalProperties":false})"),
            R"({"properties":{"a":true},"additionalProperties":false,"type":"object"})");
  EXPECT_EQ(closed(R"({"type":"object","properties":{},"patternProperties":{"^x":{}}})"),
            R"({"type":"object","properties":{},"patternProperties":{"^x":{}},)"
            R"("additionalProperties":false})");
  EXPECT_EQ(closed(R"({"properties":{"a":{}},"oneOf":[{"required":["a"]}]})"),
            R"({"properties":{"a":{}},"oneOf":[{"required":["a"]}],"type":"object",)"
            R"("additionalProperties":false})");
  const auto beside = closed_schema(
      *parse_json(R"({"type":"object","properties":{"a":{"not":{"properties":{"b":{}}}}}})"));
  EXPECT_EQ(dump(*beside), R"({"type":"object","properties":{"a":{"not":{"properties":{"b":{}}}}},)"
                           R"("additionalProperties":false})") << "below 'not' nothing is closed";
  EXPECT_EQ(closed("true"), "true");
  EXPECT_EQ(closed(R"({"type":"string"})"), R"({"type":"string"})");
}

TEST(ClosedSchema, AtEveryDepth) {
  EXPECT_EQ(closed(R"({"type":"array","items":{"properties":{"a":{"properties":{"b":true}}}}})"),
            R"({"type":"array","items":{"properties":{"a":{"properties":{"b":true},)"
            R"("type":"object","additionalProperties":false}},"type":"object",)"
            R"("additionalProperties":false}})");
  EXPECT_EQ(closed(R"({"anyOf":[{"properties":{"a":true}},{"type":"null"}]})"),
            R"({"anyOf":[{"properties":{"a":true},"type":"object","additionalProperties":false},)"
            R"({"type":"null"}]})");
  EXPECT_EQ(closed(R"({"$ref":"#/$defs/P","$defs":{"P":{"properties":{"a":true}}}})"),
            R"({"$ref":"#/$defs/P","$defs":{"P":{"properties":{"a":true},"type":"object",)"
            R"("additionalProperties":false}}})");
}

TEST(ClosedSchema, WhatSaysThatItMayHaveMoreMay) {
  for (const std::string schema : {
           R"({"type":"object","properties":{"a":true},"additionalProperties":true})",
           R"({"type":["object","null"],"properties":{},"additionalProperties":{"type":"string"}})",
           R"({"type":"object"})", R"({"type":"object","additionalProperties":false})",
           R"({"const":{"properties":{"a":true}}})", R"({"enum":[{"properties":{"a":true}}]})"}) {
    EXPECT_EQ(closed(schema), schema);
  }
}

// Each part alone would leave no room for the others'.
TEST(ClosedSchema, PartsOfOneObjectAreClosedTogether) {
  EXPECT_EQ(closed(R"({"allOf":[{"$ref":"#/$defs/P"},{"properties":{"b":{"type":"null"}}}],)"
                   R"("$defs":{"P":{"properties":{"a":{"type":"null"}}}}})"),
            R"({"allOf":[{"$ref":"#/$defs/P"},{"properties":{"b":{"type":"null"}}}],)"
            R"("$defs":{"P":{"properties":{"a":{"type":"null"}}}},)"
            R"("properties":{"a":true,"b":true},"type":"object","additionalProperties":false})");
  EXPECT_EQ(closed(R"({"properties":{"a":true},"anyOf":[{"properties":{"b":true}},{}]})"),
            R"({"properties":{"a":true,"b":true},"anyOf":[{"properties":{"b":true}},{}],)"
            R"("type":"object","additionalProperties":false})");
  const std::string one = R"({"allOf":[{"$ref":"#/$defs/P"}],"$defs":{"P":{"properties":)"
                          R"({"a":true})";
  EXPECT_EQ(closed(one + "}}}"), one + R"(,"type":"object","additionalProperties":false}}})");
  EXPECT_EQ(closed(R"({"properties":{"a":true},"allOf":[{"additionalProperties":true}]})"),
            R"({"properties":{"a":true},"allOf":[{"additionalProperties":true}],"type":"object"})")
      << "one of them allows more";
}

// Properties that are called as keywords are.
TEST(ClosedSchema, AMapOfPropertiesIsNoSchema) {
  EXPECT_EQ(closed(R"({"properties":{"properties":{"type":"null"},"if":{"$ref":"#/$defs/P"}},)"
                   R"("$defs":{"P":{"properties":{"a":true}}}})"),
            R"({"properties":{"properties":{"type":"null"},"if":{"$ref":"#/$defs/P"}},)"
            R"("$defs":{"P":{"properties":{"a":true},"type":"object",)"
            R"("additionalProperties":false}},"type":"object","additionalProperties":false})");
  const std::string wrong = R"({"properties":5,"allOf":[{"properties":{"a":true}}]})";
  EXPECT_EQ(dump(*closed_schema(*parse_json(wrong))), wrong) << "others refuse it";
}

TEST(ClosedSchema, ObjectsOfManyPartsHaveABound) {
  const auto names = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += fmt::format(R"({}"{}":{{}})", i == 0 ? "" : ",", i);
    return list;
  };
  const auto wide = closed_schema(
      *parse_json(R"({"allOf":[{"properties":{)" + names(100'000) + "}},{}]}"));
  ASSERT_TRUE(wide.is_ok());
  EXPECT_EQ(wide->find("properties")->members().size(), 100'000u);
  const auto with_users = [&](int count) {
    std::string schema = R"({"$defs":{"A":{"properties":{)" + names(2000) + R"(}}},"properties":{)";
    for (int i = 0; i < count; ++i) {
      schema += fmt::format(R"({}"p{}":{{"$ref":"#/$defs/A","properties":{{"z":true}}}})",
                            i == 0 ? "" : ",", i);
    }
    return closed_schema(*parse_json(schema + "}}"));
  };
  EXPECT_TRUE(with_users(100).is_ok());
  EXPECT_EQ(with_users(8000).status().code(), StatusCode::kResourceExhausted);
}

TEST(ClosedSchema, WhatRefersToItselfEnds) {
  EXPECT_EQ(closed(R"({"properties":{"next":{"$ref":"#"}}})"),
            R"({"properties":{"next":{"$ref":"#"}},"type":"object","additionalProperties":false})");
  std::string chain = R"({"properties":{"a":true},"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 1000; ++i) {
    chain += fmt::format(R"({}"{}":{{"$ref":"#/$defs/{}"}})", i == 0 ? "" : ",", i, i + 1);
  }
  EXPECT_EQ(dump(*closed_schema(*parse_json(chain + "}}"))), chain + R"(},"type":"object"})")
      << "too many: as it is";
}

}  // namespace
}  // namespace quire
