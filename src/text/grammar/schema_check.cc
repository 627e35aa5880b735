#include "text/grammar/schema_check.h"

#include <utility>

#include "text/grammar/pattern.h"
#include "text/grammar/schema_walk.h"
#include "text/grammar/schema_write.h"

namespace quire {
namespace {

// Names with \u in them could say a listed name in other letters, so that nothing is written so;
// text outside ASCII stands for itself.
constexpr const char* kEscapes = R"(nrbtf\")";

}  // namespace

Result<GrammarSource> source_of_schema(const Json& schema, const JsonSpacing& spacing) {
  SchemaWalk walk(schema);
  QUIRE_RETURN_IF_ERROR(walk.run());
  Json options = Json::object();
  options.set("json_allowed_escapes", kEscapes);
  if (!spacing.is_allowed) {
    options.set("whitespace_flexible", false);
  } else if (spacing.pattern.empty()) {
    options.set("whitespace_pattern", kJsonSpacing);
  } else {
    auto pattern = rewrite_pattern(spacing.pattern);
    if (!pattern.is_ok()) {
      return error(StatusCode::kUnsupported, "the white space pattern: {}",
                   pattern.status().message());
    }
    options.set("whitespace_pattern", std::move(*pattern));
  }
  Json written = schema.is_bool() ? Json::object() : write_schema(schema, walk);
  written.set("x-guidance", std::move(options));
  std::string text = dump(written);
  if (text.size() > kSchemaBytesMax) {
    return error(StatusCode::kResourceExhausted, "the schema has {} bytes, above its budget of {}",
                 text.size(), kSchemaBytesMax);
  }
  return GrammarSource{.kind = GrammarKind::kJsonSchema, .text = std::move(text)};
}

Status check_schema_budgets(const Json& schema) {
  const Status status = SchemaWalk(schema, true).run();
  return status.code() == StatusCode::kResourceExhausted ? status : ok_status();
}

}  // namespace quire
