#include "serve/intake/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "serve/intake/schemas/closed_schema.h"
#include "serve/intake/tools/structural_tag.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/lark.h"
#include "text/grammar/pattern.h"

namespace quire {
namespace {

constexpr std::size_t kBackendNameMax = 256;

using Asked = std::optional<AskedGrammar>;

ApiError expected(const std::string& field, std::string_view what, const Json& got) {
  return invalid_value(field, fmt::format("Invalid '{}': expected {}, got {}.", field, what,
                                          shown(got)));
}

Parsed<AskedGrammar> from_source(Result<GrammarSource> source, const std::string& field) {
  if (!source.is_ok()) return refuse_grammar(field, source.status());
  return AskedGrammar{std::move(*source), field};
}

Parsed<AskedGrammar> read_regex(const Json& value, const std::string& field) {
  if (!value.is_string()) return expected(field, "a regular expression", value);
  Result<std::string> pattern = rewrite_pattern(value.as_string());
  if (!pattern.is_ok()) return refuse_grammar(field, pattern.status());
  if (pattern->empty()) {
    return invalid_value(field, fmt::format("Invalid '{}': an empty regular expression allows "
                                            "nothing but an empty answer.", field));
  }
  AskedGrammar asked;  // of which GCC 12 does not say that it may be uninitialized
  asked.source = {GrammarKind::kRegex, std::move(*pattern)};
  asked.field = field;
  return asked;
}

Parsed<AskedGrammar> read_choice(const Json& value, const std::string& field) {
  std::vector<std::string> choices;
  bool is_good = value.is_array() && !value.items().empty();
  for (std::size_t i = 0; is_good && i < value.items().size(); ++i) {
    is_good = value.items()[i].is_string() && !value.items()[i].as_string().empty();
    if (is_good) choices.push_back(value.items()[i].as_string());
  }
  if (!is_good) return expected(field, "a list of strings that are not empty", value);
  return from_source(source_of_choice(choices), field);
}

// One of the members of structured_outputs, or of the fields that were there before it.
Parsed<Asked> read_vllm_member(std::string_view name, const Json& value, const std::string& field,
                               const JsonSpacing& spacing) {
  const auto some = [](Parsed<AskedGrammar> asked) -> Parsed<Asked> {
    if (!asked.is_ok()) return asked.error();
    return Asked(std::move(*asked));
  };
  if (name == "json") return some(read_schema(value, field, spacing));
  if (name == "regex") return some(read_regex(value, field));
  if (name == "choice") return some(read_choice(value, field));
  if (name == "grammar") return some(read_grammar_text(value, field));
  if (name == "structural_tag") {
    Parsed<GrammarSource> source = source_of_structural_tag(value, field);
    if (!source.is_ok()) return source.error();
    AskedGrammar asked;
    asked.source = std::move(*source);
    asked.field = field;
    return Asked(std::move(asked));
  }
  if (!value.is_bool()) return expected(field, "true or false", value);  // json_object
  if (!value.as_bool()) return Asked();
  Result<GrammarSource> source =
      source_of_schema(Json::object({{"type", "object"}}), spacing);
  return some(from_source(std::move(source), field));
}

// The first that was asked for, beside which there may be no other.
class OneOf {
 public:
  explicit OneOf(Fields& fields) : fields_(&fields) {}

  void add(Parsed<Asked> asked) {
    if (!asked.is_ok()) return fields_->fail(asked.error());
    if (!asked->has_value()) return;
    if (one_) {
      return fields_->fail(invalid_value(
          (*asked)->field, fmt::format("'{}' and '{}' both say what the answer has to look like; "
                                       "only one of them may.", one_->field, (*asked)->field)));
    }
    one_ = std::move(*asked);
  }
  void add(Parsed<AskedGrammar> asked) {
    add(asked.is_ok() ? Parsed<Asked>(Asked(std::move(*asked))) : Parsed<Asked>(asked.error()));
  }

  Asked take() { return std::move(one_); }

 private:
  Fields* fields_;
  Asked one_;
};

constexpr const char* kVllmMembers[] = {"json", "regex", "choice", "grammar", "json_object",
                                        "structural_tag"};

void read_structured_outputs(Fields& fields, OneOf& one) {
  const std::string field = "structured_outputs";
  const Json* value = fields.any(field);
  if (value == nullptr) return;
  if (!value->is_object()) return fields.fail(expected(field, "an object", *value));
  Fields inner(*value);
  JsonSpacing spacing{.is_allowed = !inner.boolean("disable_any_whitespace").value_or(false)};
  if (const std::string* pattern = inner.text("whitespace_pattern", kPatternSizeMax)) {
    spacing.pattern = *pattern;
  }
  inner.boolean("disable_fallback");  // nothing falls back
  constexpr NeutralField kNeutral[] = {{"disable_additional_properties", "false"},
                                       {"_backend", "null"}, {"backend", "null"},
                                       {"_backend_was_auto", "false"}};
  inner.expect_neutral(kNeutral);
  for (const char* name : kVllmMembers) {
    const Json* member = inner.any(name);
    if (member == nullptr) continue;
    one.add(read_vllm_member(name, *member, fmt::format("{}.{}", field, name), spacing));
  }
  const std::vector<std::string> unknown = inner.unknown();
  if (inner.error() || !unknown.empty()) {
    const std::string name = inner.error() ? inner.error()->param : unknown.front();
    fields.fail(invalid_value(field + "." + name,
                              fmt::format("Invalid '{}': '{}' is not understood.", field, name)));
  }
}

void read_guided(Fields& fields, OneOf& one) {
  JsonSpacing spacing;
  if (const std::string* pattern = fields.text("guided_whitespace_pattern", kPatternSizeMax)) {
    spacing.pattern = *pattern;
  }
  fields.text("guided_decoding_backend", kBackendNameMax);  // there is one
  for (const char* name : {"json", "regex", "choice", "grammar"}) {
    const std::string field = fmt::format("guided_{}", name);
    const Json* value = fields.any(field);
    if (value != nullptr) one.add(read_vllm_member(name, *value, field, spacing));
  }
}

Parsed<Json> schema_of(const Json& value, const std::string& field) {
  if (!value.is_string()) return value;
  Result<Json> parsed = parse_json(value.as_string(), {.bytes_max = kSchemaBytesMax,
                                                       .depth_max = kSchemaDepthMax});
  if (parsed.is_ok()) return std::move(*parsed);
  return invalid_value(field, fmt::format("Invalid '{}': the text is no JSON: {}.", field,
                                          parsed.status().message()));
}

// As TGI and Ollama read it, in their own places: what it lists is all there is.
Parsed<AskedGrammar> read_closed_schema(const Json& value, const std::string& field) {
  Parsed<Json> schema = schema_of(value, field);
  if (!schema.is_ok()) return schema.error();
  const std::size_t size = dump(*schema).size();
  if (size > kSchemaBytesMax) {
    return refuse_grammar(field, error(StatusCode::kResourceExhausted, "the schema has {} bytes, "
                                       "above its budget of {}", size, kSchemaBytesMax));
  }
  const Result<Json> closed = closed_schema(*schema);
  if (!closed.is_ok()) return refuse_grammar(field, closed.status());
  return from_source(source_of_schema(*closed), field);
}

// TGI's json_schema: the schema with a name beside it, which may be left out; or, as others write
// it, the schema itself.
Parsed<AskedGrammar> read_tgi_named_schema(const Json& value, const std::string& field) {
  constexpr const char* kMarks[] = {"type", "properties", "$ref", "anyOf", "oneOf", "allOf",
                                    "enum", "const"};
  if (const Json* schema = value.find("schema")) {
    const Json* name = value.find("name");
    if (name != nullptr && !name->is_null() && !name->is_string()) {
      return expected(field + ".name", "a string", *name);
    }
    return read_closed_schema(*schema, field + ".schema");
  }
  const bool is_schema = value.is_string() ||
                         std::any_of(std::begin(kMarks), std::end(kMarks), [&](const char* mark) {
                           return value.find(mark) != nullptr;
                         });
  if (is_schema) return read_closed_schema(value, field);
  ApiError error = invalid_value(field + ".schema", fmt::format("Invalid '{}.schema': the schema "
                                                                "is missing.", field));
  error.code = kSchemaMissing;
  return error;
}

// Of a format whose type is json_schema: the schema where OpenAI's chat, its Responses, or TGI and
// llama.cpp have it.
Parsed<AskedGrammar> read_json_schema(const Json& value, const std::string& field) {
  const Json* holder = &value;
  std::string where = field;
  if (const Json* inner = value.find("json_schema"); inner != nullptr && !inner->is_null()) {
    if (!inner->is_object()) return expected(field + ".json_schema", "an object", *inner);
    holder = inner;
    where += ".json_schema";
  }
  for (const char* name : {"name", "description"}) {
    const Json* text = holder->find(name);
    if (text != nullptr && !text->is_null() && !text->is_string()) {
      return expected(where + "." + name, "a string", *text);
    }
  }
  const Json* strict = holder->find("strict");
  if (strict != nullptr && !strict->is_null() && !strict->is_bool()) {
    return expected(where + ".strict", "true or false", *strict);
  }
  if (const Json* schema = holder->find("schema"); schema != nullptr && !schema->is_null()) {
    return read_schema(*schema, where + ".schema");
  }
  if (const Json* value = holder->find("value"); value != nullptr && !value->is_null()) {
    return read_tgi_named_schema(*value, where + ".value");
  }
  return invalid_value(where, fmt::format("Invalid '{}': the schema is missing.", where));
}

}  // namespace

ApiError refuse_grammar(const std::string& field, const Status& reason) {
  if (reason.code() == StatusCode::kInternal) return from_engine(reason, field);
  return invalid_value(field, fmt::format("Invalid '{}': {}.", field, reason.message()));
}

AskedGrammar any_object(std::string field) {
  Result<GrammarSource> source = source_of_schema(Json::object({{"type", "object"}}));
  return {std::move(*source), std::move(field)};
}

Parsed<AskedGrammar> read_schema(const Json& value, const std::string& field,
                                 const JsonSpacing& spacing) {
  if (!value.is_string()) return from_source(source_of_schema(value, spacing), field);
  Parsed<Json> schema = schema_of(value, field);
  if (!schema.is_ok()) return schema.error();
  return from_source(source_of_schema(*schema, spacing), field);
}

Parsed<AskedGrammar> read_grammar_text(const Json& value, const std::string& field) {
  if (!value.is_string() || value.as_string().empty()) {
    return expected(field, "a grammar in GBNF or Lark", value);
  }
  const std::string& text = value.as_string();
  if (text.find("::=") != std::string::npos) return from_source(source_of_gbnf(text), field);
  return from_source(source_of_lark(text), field);
}

Parsed<std::optional<AskedGrammar>> read_format(const Json& value, const std::string& field) {
  const auto some = [](Parsed<AskedGrammar> asked) -> Parsed<Asked> {
    if (!asked.is_ok()) return asked.error();
    return Asked(std::move(*asked));
  };
  const Json* type = value.find("type");
  if (type == nullptr || !type->is_string()) {
    return expected(field, "an object with a type", value);
  }
  const std::string& name = type->as_string();
  if (name == "text") return Asked();
  if (name == "json_schema") return some(read_json_schema(value, field));
  if (name == "json_object" || name == "json") {
    const auto* of_llama = value.find("schema");
    if (of_llama != nullptr && !of_llama->is_null()) {
      return some(read_schema(*of_llama, field + ".schema"));
    }
    const auto* of_tgi = value.find("value");
    if (of_tgi != nullptr && !of_tgi->is_null()) {
      return some(read_closed_schema(*of_tgi, field + ".value"));
    }
    return Asked(any_object(field));
  }
  for (const char* member : {"value", "pattern", "regex", "grammar"}) {
    const Json* text = value.find(member);
    if (text == nullptr || text->is_null()) continue;
    if (name == "regex") return some(read_regex(*text, field + "." + member));
    if (name == "grammar") return some(read_grammar_text(*text, field + "." + member));
  }
  if (name == "structural_tag") return read_vllm_member(name, value, field, {});
  return invalid_value(field + ".type",
                       fmt::format("Invalid '{}.type': expected text, json, json_object, "
                                   "json_schema, regex with its value or grammar with its text, "
                                   "got {}.", field, shown(*type)));
}

Parsed<std::optional<AskedGrammar>> read_ollama_format(const Json& value,
                                                       const std::string& field) {
  if (value.is_string()) {
    if (value.as_string().empty()) return Asked();
    if (value.as_string() == "json") return Asked(any_object(field));
    return expected(field, "\"json\" or a schema", value);
  }
  auto asked = read_closed_schema(value, field);
  if (!asked.is_ok()) return asked.error();
  return Asked(std::move(*asked));
}

std::optional<AskedGrammar> read_constraint(Fields& fields) {
  OneOf one(fields);
  if (const Json* format = fields.any("response_format")) {
    one.add(read_format(*format, "response_format"));
  }
  read_structured_outputs(fields, one);
  read_guided(fields, one);
  if (const Json* grammar = fields.any("grammar")) {
    // llama.cpp's is a text, TGI's an object with a type.
    if (grammar->is_string()) {
      if (!grammar->as_string().empty()) one.add(read_grammar_text(*grammar, "grammar"));
    } else {
      one.add(read_format(*grammar, "grammar"));
    }
  }
  if (const Json* schema = fields.any("json_schema")) {
    one.add(read_schema(*schema, "json_schema"));
  }
  if (const Json* tag = fields.any("structural_tag")) {
    one.add(read_vllm_member("structural_tag", *tag, "structural_tag", {}));
  }
  return one.take();
}

}  // namespace quire
