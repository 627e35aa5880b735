// The four languages in which a client writes what an answer has to look like.
#include "base/json.h"
#include "target.h"
#include "targets/grammar_walk.h"
#include "targets/targets.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/lark.h"
#include "text/grammar/pattern.h"
#include "text/grammar/schema_check.h"

namespace quire::fuzz {
namespace {

std::string walk(const Result<GrammarSource>& source, std::string_view input) {
  return source.is_ok() ? walk_grammar(*source, input) : fault_of(source.status());
}

}  // namespace

std::string json_schema(std::string_view input) {
  const Result<Json> schema = parse_json(input);
  if (!schema.is_ok()) return fault_of(schema.status());
  return walk(source_of_schema(*schema), input);
}

std::string regex(std::string_view input) {
  Result<std::string> pattern = rewrite_pattern(input);
  if (!pattern.is_ok()) return fault_of(pattern.status());
  return walk_grammar({GrammarKind::kRegex, std::move(pattern).value()}, input);
}

std::string lark(std::string_view input) { return walk(source_of_lark(input), input); }

std::string gbnf(std::string_view input) { return walk(source_of_gbnf(input), input); }

}  // namespace quire::fuzz
