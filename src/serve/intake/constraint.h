// Constraints as clients of every protocol write them: OpenAI's response_format, vLLM's
// structured_outputs and the older guided_*, TGI's and llama.cpp's grammar, json_schema, Ollama's
// format, Anthropic's output_config. Whatever it was becomes an AskedGrammar: a source that
// compiles, and the field that it came from, for errors. A schema is enforced as it is written,
// whatever `strict` says: the rules that OpenAI has for strict schemas are no condition.
// Pure; worker threads. Used by dialects.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "serve/intake/api_error.h"
#include "serve/intake/fields.h"
#include "text/grammar/schema_check.h"
#include "text/grammar/source.h"

namespace quire {

struct AskedGrammar {
  GrammarSource source;
  std::string field;  // "response_format"
  bool is_wish = false;  // where it does not compile the answer is free
};

// Of the error that says so.
inline constexpr const char* kSchemaMissing = "schema_missing";

// Why a source cannot be used, as the client is told.
ApiError refuse_grammar(const std::string& field, const Status& reason);

// Any JSON object.
AskedGrammar any_object(std::string field);

// A JSON Schema; where `value` is a string, the text of one.
Parsed<AskedGrammar> read_schema(const Json& value, const std::string& field,
                                 const JsonSpacing& spacing = {});

// GBNF if it has its "::=", else Lark.
Parsed<AskedGrammar> read_grammar_text(const Json& value, const std::string& field);

// {"type": "json_schema", ...} and its like: OpenAI's response_format (the schema one level down in
// json_schema), its Responses' text.format and Anthropic's output_config.format (beside the type),
// and the types that TGI, llama.cpp and vLLM add. A schema in TGI's place, `value`, is read as TGI
// does: intake/schemas/closed_schema. Nothing: text.
Parsed<std::optional<AskedGrammar>> read_format(const Json& value, const std::string& field);

// Ollama's: "json" or a schema; "" is nothing.
Parsed<std::optional<AskedGrammar>> read_ollama_format(const Json& value,
                                                       const std::string& field);

// All top-level fields of the OpenAI-shaped generation endpoints that say what an answer looks
// like. More than one is an error that names two. Mistakes go to fields.error().
std::optional<AskedGrammar> read_constraint(Fields& fields);

}  // namespace quire
