// Schemas as TGI's users write them, and what they are read as.
#include "serve/intake/wishes/listed_properties.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

std::string read_as(const char* schema) {
  return dump(with_listed_properties(*parse_json(schema)));
}

TEST(ListedProperties, MakeAnObjectThatHasNoOthers) {
  EXPECT_EQ(read_as(R"({"properties":{"a":{"type":"integer"}},"required":["a"]})"),
            R"({"properties":{"a":{"type":"integer"}},"required":["a"],"type":"object",)"
            R"("additionalProperties":false})");
  EXPECT_EQ(read_as(R"({"type":"object","properties":{}})"),
            R"({"type":"object","properties":{},"additionalProperties":false})");
  EXPECT_EQ(read_as(R"({"type":"array","items":{"properties":{"a":{"properties":{}}}}})"),
            R"({"type":"array","items":{"properties":{"a":{"properties":{},"type":"object",)"
            R"("additionalProperties":false}},"type":"object","additionalProperties":false}})");
}

TEST(ListedProperties, WhatASchemaSaysItselfStays) {
  for (const char* schema :
       {R"({"type":["object","null"],"properties":{},"additionalProperties":true})",
        R"({"type":"object","properties":{},"patternProperties":{"^x":{}}})",
        R"({"type":"string"})", "true", R"({"type":"object"})",
        R"({"enum":[{"properties":{"a":1}}]})", R"({"const":{"properties":{}}})"}) {
    EXPECT_EQ(read_as(schema), schema);
  }
}

TEST(ListedProperties, PartsThatHoldTogetherStayOpen) {
  for (const char* schema :
       {R"({"allOf":[{"type":"object","properties":{"a":{}}}]})",
        R"({"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]}]})",
        R"({"type":"array","items":{"type":"object","properties":{"a":{"not":{}}}}})"}) {
    EXPECT_EQ(read_as(schema), schema);
  }
  EXPECT_EQ(read_as(R"({"properties":{"a":{}},"oneOf":[{"required":["a"]}]})"),
            R"({"properties":{"a":{}},"oneOf":[{"required":["a"]}],"type":"object"})");
}

}  // namespace
}  // namespace quire
