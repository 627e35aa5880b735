// GrammarSource: what an answer has to look like, as text in one of the three languages that
// compile: JSON Schema, Lark, a regular expression. Whatever else a client may write (a JSON
// object, a choice, GBNF, tools) is put into one of them before it comes here, so that what is
// cached, compiled and counted is known by these two fields alone.
// A plain value; any thread. Made by serve/intake and serve/answer, compiled by text/grammar.
#pragma once

#include <cstdint>
#include <string>

namespace quire {

enum class GrammarKind : std::uint8_t { kJsonSchema, kLark, kRegex };

struct GrammarSource {
  GrammarKind kind = GrammarKind::kJsonSchema;
  std::string text;

  bool operator==(const GrammarSource&) const = default;
};

}  // namespace quire
