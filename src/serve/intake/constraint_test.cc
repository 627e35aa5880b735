#include "serve/intake/constraint.h"

#include <gtest/gtest.h>

#include <string>

namespace quire {
namespace {

// What the fields ask for: "kind field text", without the options of a schema; or the error.
std::string asked(const std::string& fields_json) {
  const auto body = parse_json("{" + fields_json + "}");
  EXPECT_TRUE(body.is_ok()) << fields_json;
  Fields fields(*body);
  const auto grammar = read_constraint(fields);
  if (fields.error()) return fields.error()->param + ": " + fields.error()->message;
  if (!fields.unknown().empty()) return "unknown " + fields.unknown().front();
  if (!grammar) return "";
  constexpr const char* kKinds[] = {"schema", "lark", "regex"};
  std::string text = grammar->source.text;
  const std::size_t options = text.find("\"x-guidance\"");
  if (options != std::string::npos) text = text.substr(0, options);
  if (text.ends_with(',')) text.back() = '}';
  return std::string(kKinds[static_cast<int>(grammar->source.kind)]) + " " + grammar->field + " " +
         text;
}

TEST(Constraint, EverySpellingIsRead) {
  const struct {
    const char* fields;
    const char* asked;
  } kCases[] = {
      {R"("response_format":null)", ""},
      {R"("response_format":{"type":"text"})", ""},
      {R"("response_format":{"type":"json_object"})",
       R"(schema response_format {"type":"object"})"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,)"
       R"("schema":{"type":"null"}}})",
       R"(schema response_format.json_schema.schema {"type":"null"})"},
      {R"("response_format":{"type":"json_schema","schema":{"type":"null"}})",
       R"(schema response_format.schema {"type":"null"})"},
      {R"("response_format":{"type":"json_object","schema":{"type":"null"}})",
       R"(schema response_format.schema {"type":"null"})"},
      {R"("response_format":{"type":"json_object","value":{"type":"null"}})",
       R"(schema response_format.value {"type":"null"})"},
      {R"("response_format":{"type":"regex","value":"\\d"})", "regex response_format.value [0-9]"},
      {R"("response_format":{"type":"grammar","grammar":"root ::= \"a\""})",
       "lark response_format.grammar start: R0\nR0: (/a/)\n"},
      {R"("structured_outputs":{"json":{"type":"null"}})",
       R"(schema structured_outputs.json {"type":"null"})"},
      {R"("structured_outputs":{"json":"{\"type\":\"null\"}"})",
       R"(schema structured_outputs.json {"type":"null"})"},
      {R"("structured_outputs":{"regex":"a+"})", "regex structured_outputs.regex a+"},
      {R"("structured_outputs":{"choice":["a","b"]})", "regex structured_outputs.choice (?:a|b)"},
      {R"("structured_outputs":{"grammar":"start: \"a\""})",
       "lark structured_outputs.grammar start: \"a\""},
      {R"("structured_outputs":{"json_object":true,"disable_any_whitespace":true})",
       R"(schema structured_outputs.json_object {"type":"object"})"},
      {R"("structured_outputs":{"json_object":false})", ""},
      {R"("guided_json":{"type":"null"},"guided_decoding_backend":"xgrammar")",
       R"(schema guided_json {"type":"null"})"},
      {R"("guided_regex":"a","guided_whitespace_pattern":" ?")", "regex guided_regex a"},
      {R"("guided_choice":["yes"])", "regex guided_choice (?:yes)"},
      {R"("guided_grammar":"start: \"a\"")", "lark guided_grammar start: \"a\""},
      {R"("grammar":"root ::= \"a\"")", "lark grammar start: R0\nR0: (/a/)\n"},
      {R"("grammar":"")", ""},
      {R"("grammar":{"type":"json","value":{"type":"null"}})",
       R"(schema grammar.value {"type":"null"})"},
      {R"("grammar":{"type":"regex","value":"a"})", "regex grammar.value a"},
      {R"("grammar":{"type":"json_schema","value":{"name":"n","schema":{"type":"null"}}})",
       R"(schema grammar.value.schema {"type":"null"})"},
      {R"("grammar":{"type":"json_schema","value":{"schema":{"type":"null"}}})",
       R"(schema grammar.value.schema {"type":"null"})"},
      {R"("response_format":{"type":"json_schema","value":{"type":"null"}})",
       R"(schema response_format.value {"type":"null"})"},
      {R"("response_format":{"type":"json","value":{"properties":{"a":{"type":"null"}}}})",
       R"(schema response_format.value {"properties":{"a":{"type":"null"}},"type":"object",)"
       R"("additionalProperties":false})"},
      {R"("response_format":{"type":"json_object","schema":{"type":"object","properties":{}}})",
       R"(schema response_format.schema {"type":"object","properties":{}})"},
      {R"("json_schema":{"type":"null"})", R"(schema json_schema {"type":"null"})"},
  };
  for (const auto& [fields, expected] : kCases) EXPECT_EQ(asked(fields), expected) << fields;
}

TEST(Constraint, MistakesNameTheirField) {
  const struct {
    const char* fields;
    const char* error;
  } kCases[] = {
      {R"("response_format":"json")", "response_format: Invalid 'response_format': expected an "
                                      "object with a type"},
      {R"("response_format":{"type":"yaml"})", "response_format.type: "},
      {R"("response_format":{"type":"json_schema"})",
       "response_format: Invalid 'response_format': the schema is missing."},
      {R"("response_format":{"type":"json_schema","value":{"name":"n"}})",
       "response_format.value.schema: Invalid 'response_format.value.schema': the schema is "
       "missing."},
      {R"("grammar":{"type":"json_schema","value":{"name":"n","schem":{}}})",
       "grammar.value.schema: "},
      {R"("grammar":{"type":"json_schema","value":{"name":5,"schema":{}}})",
       "grammar.value.name: "},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":7,"schema":{}}})",
       "response_format.json_schema.name: "},
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":{"not":{}}}})",
       "response_format.json_schema.schema: Invalid 'response_format.json_schema.schema': /not: is "
       "not supported."},
      {R"("guided_json":"{")", "guided_json: Invalid 'guided_json': the text is no JSON: "},
      {R"x("guided_json":{"pattern":"(?<=a)"})x",
       "guided_json: Invalid 'guided_json': /pattern: look-behind is not supported (at byte 0)."},
      {R"x("guided_regex":"(")x", "guided_regex: Invalid 'guided_regex': a group is not closed"},
      {R"("guided_regex":"")", "guided_regex: Invalid 'guided_regex': an empty regular"},
      {R"("guided_choice":[])", "guided_choice: "},
      {R"("guided_choice":["a",""])", "guided_choice: "},
      {R"("guided_grammar":"root ::= a")",
       "guided_grammar: Invalid 'guided_grammar': line 1, column 10: the rule 'a' is nowhere."},
      {R"("structured_outputs":{"xml":1})",
       "structured_outputs.xml: Invalid 'structured_outputs': 'xml' is not understood."},
      {R"("structured_outputs":{"structural_tag":{}})", "structured_outputs.structural_tag: "},
      {R"("structured_outputs":{"regex":"a","choice":["b"]})",
       "structured_outputs.choice: 'structured_outputs.regex' and 'structured_outputs.choice' both "
       "say what the answer has to look like; only one of them may."},
      {R"("response_format":{"type":"json_object"},"guided_json":{})",
       "guided_json: 'response_format' and 'guided_json' both say"},
      {R"("structural_tag":{})", "structural_tag: Invalid 'structural_tag': expected `format`"},
      {R"("response_format":{"type":"structural_tag","format":{"type":"star"}})",
       "response_format.format.type: "},
  };
  for (const auto& [fields, error] : kCases) {
    EXPECT_EQ(asked(fields).substr(0, std::string(error).size()), error) << fields;
  }
}

TEST(Constraint, OllamaSaysJsonOrASchema) {
  EXPECT_FALSE(read_ollama_format(Json(""), "format")->has_value());
  EXPECT_EQ((*read_ollama_format(Json("json"), "format"))->field, "format");
  EXPECT_TRUE(read_ollama_format(Json::object({{"type", "null"}}), "format")->has_value());
  EXPECT_FALSE(read_ollama_format(Json("yaml"), "format").is_ok());
}

// Before it is rewritten into a greater one.
TEST(Constraint, ALargeSchemaIsRefusedAsItIsWritten) {
  std::vector<Json::Member> members;
  for (int i = 0; i < 60'000; ++i) members.emplace_back(fmt::format("{:09}", i), Json::object());
  const Json schema = Json::object({{"properties", Json::object(std::move(members))}});
  const std::string why = "the schema has 900016 bytes, above its budget of 524288.";
  const auto of_ollama = read_ollama_format(schema, "format");
  EXPECT_EQ(of_ollama.error().param, "format");
  EXPECT_EQ(of_ollama.error().message, "Invalid 'format': " + why);
  const auto of_tgi = read_format(Json::object({{"type", "json"}, {"value", schema}}), "grammar");
  EXPECT_EQ(of_tgi.error().message, "Invalid 'grammar.value': " + why);
}

}  // namespace
}  // namespace quire
