// Schemas: a JSON Schema as a client wrote it becomes a GrammarSource whose every finished answer
// satisfies it, or is refused with the keyword and the place: "/properties/a/pattern: look-behind
// is not supported". Nothing is loosened in silence. What only describes (title, examples, ...) is
// dropped, and what the compiler would read otherwise than a validator does (bounds that no double
// holds, character classes of patterns, exclusive bounds as booleans) is written so that both
// agree; where they cannot, on the narrower side. Only what the root reaches through keywords and
// $ref counts, so that unused definitions may hold anything.
// Pure; any thread. Used by serve/intake and serve/answer.
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "text/grammar/source.h"

namespace quire {

// Budgets, named in the errors of what breaks them.
inline constexpr std::size_t kSchemaBytesMax = 512 * 1024;  // of its text
inline constexpr std::size_t kSchemaNodesMax = 4'000;       // schemas in it
inline constexpr std::size_t kSchemaDepthMax = 100;         // schemas in schemas
inline constexpr std::size_t kSchemaChainMax = 400;         // the same, through references
inline constexpr std::size_t kSchemaValuesMax = 20'000;  // of all enums, with what is in them
// The squares of the numbers of properties of its objects, together: 2,400 in one of them.
inline constexpr std::size_t kSchemaSquaresMax = 6'000'000;
inline constexpr std::size_t kSchemaPatternsMax = 64;  // patternProperties of one object
inline constexpr std::size_t kSchemaVariantsMax = 1'000;  // alternatives times alternatives

// Between two tokens of JSON: a few blanks, or a line break or two and an indentation. A model
// that is left the choice would otherwise go on with them for ever.
inline constexpr const char* kJsonSpacing = R"([ \t]{1,64}|(?:\r?\n){1,2}[ \t]{0,64})";

// White space between the tokens of the answer's JSON.
struct JsonSpacing {
  bool is_allowed = true;
  std::string pattern;  // a regular expression of what may stand there; empty: the usual
};

// kUnsupported: a keyword that cannot be kept. kResourceExhausted: a budget. kInvalidArgument: no
// JSON Schema.
Result<GrammarSource> source_of_schema(const Json& schema, const JsonSpacing& spacing = {});

// The budgets alone, of a schema that somebody else compiles, whatever its keywords.
Status check_schema_budgets(const Json& schema);

}  // namespace quire
