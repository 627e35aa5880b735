// Structural tags, as vLLM and xgrammar have them: an answer whose parts are declared: texts, JSON
// of a schema, and tags (a beginning, a content, an end) that come one after the other or wherever
// the free text opens one. Both shapes are read, {"structures", "triggers"} and the newer
// {"format": ...}; they become one grammar in Lark.
//
// Formats: const_string, json_schema, regex, grammar, any_text, sequence, or, tag, triggered_tags,
// tags_with_separator. Free text ends where the tag around it ends, or with the answer: anywhere
// else nothing could tell where it stops, and it is refused by its place, as every other type is.
// Pure; worker threads. Used by constraint.
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"
#include "serve/intake/api_error.h"
#include "text/grammar/source.h"

namespace quire {

inline constexpr std::size_t kTagFormatsMax = 1'024;  // in all of it
inline constexpr std::size_t kTagDepthMax = 16;       // formats in formats
inline constexpr std::size_t kTagTriggersMax = 64;
inline constexpr std::size_t kTagTextMax = 4'096;     // bytes of a beginning, an end, a trigger
inline constexpr std::size_t kTagGrammarMax = std::size_t{4} << 20;  // bytes of all schemas

// `value`: the object or the text of one. Errors name the place below `field`.
Parsed<GrammarSource> source_of_structural_tag(const Json& value, const std::string& field);

}  // namespace quire
