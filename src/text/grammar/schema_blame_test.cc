#include "text/grammar/schema_blame.h"

#include <gtest/gtest.h>

#include <string>

#include "text/grammar/grammar.h"
#include "text/grammar/schema_check.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

std::string blamed(const std::string& schema) {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{257}).value();
  const auto source = source_of_schema(parse_json(schema).value());
  if (!source.is_ok()) return "refused: " + source.status().message();
  const auto compile = [](const GrammarSource& part) { return factory->compile(part).status(); };
  const Status failure = compile(*source);
  return failure.is_ok() ? "" : blame_schema(*source, failure, compile).message();
}

TEST(SchemaBlame, FindsTheInnermostSchemaAndItsKeyword) {
  const struct {
    const char* schema;
    const char* place;
  } kCases[] = {
      {R"({"properties":{"a":{"items":{"oneOf":[{"type":"string"},{"minLength":2}]}}}})",
       "/properties/a/items/oneOf: its alternatives may hold at the same time"},
      {R"({"properties":{"a":{"$ref":"#/$defs/u"}},"$defs":{"u":{"oneOf":[{},{}]}}})",
       "/$defs/u/oneOf: its alternatives"},
      {R"({"$id":"https://a.b/c","properties":{"a/ä":{"oneOf":[{},true]}}})",
       "/properties/a~1ä/oneOf: its alternatives"},
      {R"({"properties":{"x":{"properties":{"p":{},"q":{}},"minProperties":1,"maxProperties":2,)"
       R"("additionalProperties":false,"type":"object"}}})",
       "/properties/x/minProperties: minProperties and maxProperties want"},
      {R"({"type":"object","patternProperties":{"^a":{},"a$":{}}})",
       "/patternProperties: two of its patterns"},
      {R"({"type":"string","enum":[7]})", "the schema: "},
      {R"({"type":"null"})", ""},
  };
  for (const auto& [schema, place] : kCases) {
    EXPECT_EQ(blamed(schema).substr(0, std::string(place).size()), place) << schema;
  }
}

}  // namespace
}  // namespace quire
