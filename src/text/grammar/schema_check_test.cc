#include "text/grammar/schema_check.h"

#include <gtest/gtest.h>

#include <string>

namespace quire {
namespace {

// What is compiled, without the options at its end.
std::string written(const std::string& schema) {
  const auto parsed = parse_json(schema);
  EXPECT_TRUE(parsed.is_ok()) << schema << ": " << parsed.status().message();
  const auto source = source_of_schema(*parsed);
  if (!source.is_ok()) return source.status().message();
  const std::size_t end = source->text.find("\"x-guidance\"");
  std::string text = source->text.substr(0, end);
  if (text.back() == ',') text.pop_back();
  return text + "}";
}

TEST(SchemaCheck, RefusesByKeywordAndPlace) {
  const struct {
    const char* schema;
    const char* reason;
  } kCases[] = {
      {R"({"properties":{"a":{"pattern":"(?<=x)y"}}})",
       "/properties/a/pattern: look-behind is not supported (at byte 0)"},
      {R"({"properties":{"a/b~":{"not":{}}}})", "/properties/a~1b~0/not: is not supported"},
      {R"({"items":{"uniqueItems":true}})", "/items/uniqueItems: is not supported"},
      {R"({"if":{},"then":{}})", "/if: is not supported"},
      {R"({"contains":{}})", "/contains: is not supported"},
      {R"({"propertyNames":{"pattern":"a"}})", "/propertyNames: is not supported"},
      {R"({"dependentRequired":{"a":["b"]}})", "/dependentRequired: is not supported"},
      {R"({"$dynamicRef":"#a"})", "/$dynamicRef: is not supported"},
      {R"({"allOf":[{"anyOf":[{"format":"zzz"}]}]})",
       "/allOf/0/anyOf/0/format: 'zzz' is not supported; date,"},
      {R"({"type":"stsring"})", "/type: 'stsring' is no type"},
      {R"({"type":7})", "/type: expected a string or an array of strings, got an integer"},
      {R"({"enum":[]})", "/enum: an empty enum allows nothing"},
      {R"({"enum":["a\u0001"]})", "/enum/0: has a control character in it"},
      {R"({"const":9007199254740993})", "/const: is a number that a double does not hold"},
      {R"({"multipleOf":0})", "/multipleOf: has to be above 0"},
      {R"({"multipleOf":0.123456789012})", "/multipleOf: has too many digits"},
      {R"({"minLength":-1})", "/minLength: expected a count"},
      {R"({"minLength":10000000})", "/minLength: is above the budget of 1000000"},
      {R"({"minimum":"5"})", "/minimum: expected a number, got a string"},
      {R"({"required":"a"})", "/required: expected an array of strings"},
      {R"({"properties":[]})", "/properties: expected an object, got an array"},
      {R"({"items":7})", "/items: expected an object or a boolean, got an integer"},
      {R"({"$ref":"#/$defs/none"})", "/$ref: '#/$defs/none' is not in this schema"},
      {R"({"$ref":"https://example.com/x"})", "/$ref: 'https://example.com/x' is not in this"},
      {R"({"$ref":"#"})", "/$ref: leads back to itself"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})",
       "/$defs/a/$ref: leads back to itself"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"not":{}}}})", "/$defs/a/not: is not supported"},
      {R"({"patternProperties":{"^(":{}}})", "/patternProperties/^(: a group is not closed"},
      {R"({"minProperties":3})", "/minProperties: asks for two or more properties"},
      {R"({"$schema":"http://json-schema.org/draft-03/schema#"})", "/$schema: draft 3"},
      {R"({"x-guidance":{"lenient":true}})", "/x-guidance: is no keyword"},
      {R"(false)", "the schema: false allows nothing"},
      {R"("{not json")", "the schema: expected an object or a boolean, got a string"},
      {R"({"prefixItems":[{}],"items":[{}]})", "/items: is a list beside prefixItems"},
  };
  for (const auto& [schema, reason] : kCases) {
    EXPECT_EQ(written(schema).substr(0, std::string(reason).size()), reason) << schema;
  }
}

TEST(SchemaCheck, WritesWhatAValidatorAsksFor) {
  const struct {
    const char* schema;
    const char* written;
  } kCases[] = {
      {R"(true)", "{}"},
      {R"({"title":"T","description":"d","default":1,"examples":[2],"type":"object"})",
       R"({"type":"object"})"},
      {R"({"type":"string","pattern":"^\\d+$"})", R"({"type":"string","pattern":"^[0-9]+$"})"},
      {R"({"patternProperties":{"^\\w":{"type":"null","title":"x"}}})",
       R"({"patternProperties":{"^[0-9A-Za-z_]":{"type":"null"}}})"},
      // What speaks of another type speaks of nothing.
      {R"x({"type":"integer","format":"int32","pattern":"(?<=x)"})x", R"({"type":"integer"})"},
      {R"({"type":["integer","null"],"format":"int32"})", R"({"type":["integer","null"]})"},
      {R"({"uniqueItems":false,"not":false,"then":{},"dependencies":{}})", "{}"},
      {R"({"type":"array","maxItems":1,"uniqueItems":true})", R"({"type":"array","maxItems":1})"},
      {R"({"properties":{},"unevaluatedProperties":false})",
       R"({"properties":{},"additionalProperties":false})"},
      {R"({"minimum":5,"exclusiveMinimum":true})", R"({"exclusiveMinimum":5})"},
      {R"({"minimum":5,"exclusiveMinimum":false})", R"({"minimum":5})"},
      // 2^63-1 is no double; the next one is above it.
      {R"({"maximum":9223372036854775807})", R"({"maximum":9223372036854774784})"},
      {R"({"minimum":-9223372036854775808})", R"({"minimum":-9223372036854774784})"},
      {R"({"maximum":9007199254740993})", R"({"maximum":9007199254740992})"},
      {R"({"minimum":9007199254740993})", R"({"minimum":9007199254740994})"},
      {R"({"exclusiveMinimum":9007199254740992})", R"({"exclusiveMinimum":9007199254740996})"},
      {R"({"minimum":1.5,"maximum":2.0})", R"({"minimum":1.5,"maximum":2})"},
      {R"({"maxLength":4000000000,"minLength":2.0})", R"({"maxLength":1000000,"minLength":2})"},
      // A list and what follows it belong together, whatever stands between them.
      {R"({"additionalItems":false,"anyOf":[{}],"items":[{}]})",
       R"({"anyOf":[{}],"items":[{}],"additionalItems":false})"},
      {R"({"prefixItems":[{}],"items":false,"additionalItems":true})",
       R"({"prefixItems":[{}],"items":false})"},
      // Definitions that nobody uses may hold anything.
      {R"({"type":"null","$defs":{"a":{"not":{}}}})", R"({"type":"null"})"},
      {R"({"$ref":"#/$defs/b","$defs":{"a":{"not":{}},"b":{"title":"B","type":"null"}}})",
       R"({"$ref":"#/$defs/b","$defs":{"a":{"not":{}},"b":{"type":"null"}}})"},
      {R"({"$ref":"#/x/0/y~1z","x":[{"y/z":{"pattern":"\\d"}}]})",
       R"({"$ref":"#/x/0/y~1z","x":[{"y/z":{"pattern":"[0-9]"}}]})"},
      {R"({"$schema":"http://json-schema.org/draft-04/schema#","if":{},"type":"null"})",
       R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"null"})"},
      {R"({"properties":{"next":{"$ref":"#"}}})", R"({"properties":{"next":{"$ref":"#"}}})"},
      {R"({"properties":{"__proto__":{"type":"string"},"title":{"title":"t"}}})",
       R"({"properties":{"__proto__":{"type":"string"},"title":{}}})"},
      {R"({"const":{"a":[1.5,null,"x"]}})", R"({"const":{"a":[1.5,null,"x"]}})"},
  };
  for (const auto& [schema, expected] : kCases) EXPECT_EQ(written(schema), expected) << schema;
}

TEST(SchemaCheck, BudgetsAreNamed) {
  Json many = Json::array();
  for (std::size_t i = 0; i <= kSchemaValuesMax; ++i) many.push(Json(i));
  const auto values = source_of_schema(Json::object({{"enum", std::move(many)}}));
  ASSERT_FALSE(values.is_ok());
  EXPECT_EQ(values.status().message(),
            "/enum/20000: the schema lists more than 20000 values, its budget");
  Json properties = Json::array();
  for (std::size_t i = 0; i < kSchemaNodesMax; ++i) properties.push(Json::object());
  const auto nodes = source_of_schema(Json::object({{"anyOf", std::move(properties)}}));
  ASSERT_FALSE(nodes.is_ok());
  EXPECT_NE(nodes.status().message().find("more than 4000 schemas in it"), std::string::npos);
  Json half = Json::array();
  for (int i = 0; i < 40; ++i) half.push(Json::object({{"const", i}}));
  const Json any = Json::object({{"anyOf", half}});
  const auto variants = source_of_schema(Json::object({{"allOf", Json::array({any, any})}}));
  ASSERT_FALSE(variants.is_ok());
  EXPECT_EQ(variants.status().message(),
            "the schema: alternatives multiply to more than 1000, the budget");
  Json wide = Json::object();
  for (int i = 0; i < 2500; ++i) wide.set("p" + std::to_string(i), true);
  const auto squares = source_of_schema(Json::object({{"properties", std::move(wide)}}));
  ASSERT_FALSE(squares.is_ok());
  EXPECT_NE(squares.status().message().find("/properties: 2500 properties are above the budget"),
            std::string::npos);
  Json links = Json::object();
  for (int i = 0; i < 500; ++i) {
    links.set("d" + std::to_string(i),
              Json::object({{"$ref", "#/$defs/d" + std::to_string(i + 1)}, {"minLength", 1}}));
  }
  links.set("d500", Json::object());
  const auto chain = source_of_schema(
      Json::object({{"$ref", "#/$defs/d0"}, {"$defs", std::move(links)}}));
  ASSERT_FALSE(chain.is_ok());
  EXPECT_NE(chain.status().message().find("lead to each other more than 400 times"),
            std::string::npos);
  Json deep = Json::object();
  for (std::size_t i = 0; i < kSchemaDepthMax + 1; ++i) {
    Json outer = Json::object();
    outer.set("items", std::move(deep));
    deep = std::move(outer);
  }
  const auto depth = source_of_schema(deep);
  ASSERT_FALSE(depth.is_ok());
  EXPECT_NE(depth.status().message().find("nested deeper than the budget of 100"),
            std::string::npos);
}

TEST(SchemaCheck, BudgetsCountWhateverTheKeywords) {
  Json links = Json::object();
  for (int i = 0; i < 500; ++i) {
    links.set("d" + std::to_string(i),
              Json::object({{"not", Json::object()}, {"pattern", "("},
                            {"$ref", "#/$defs/d" + std::to_string(i + 1)}}));
  }
  links.set("d500", Json::object());
  const Json schema = Json::object({{"$ref", "#/$defs/d0"}, {"$defs", std::move(links)}});
  EXPECT_EQ(check_schema_budgets(schema).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(check_schema_budgets(Json::object({{"not", 7}, {"type", "no"}})).is_ok());
}

TEST(SchemaCheck, WhiteSpaceIsSaid) {
  const Json schema = Json::object({{"type", "null"}});
  EXPECT_NE(source_of_schema(schema)->text.find(R"("whitespace_pattern":"[ \\t])"),
            std::string::npos);
  EXPECT_NE(source_of_schema(schema, {.is_allowed = false})
                ->text.find(R"("whitespace_flexible":false)"), std::string::npos);
  EXPECT_NE(source_of_schema(schema, {.pattern = "[\\n]?"})
                ->text.find(R"("whitespace_pattern":"[\\n]?")"), std::string::npos);
  EXPECT_FALSE(source_of_schema(schema, {.pattern = "("}).is_ok());
}

}  // namespace
}  // namespace quire
