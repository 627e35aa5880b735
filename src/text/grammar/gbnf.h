// GBNF: llama.cpp's grammars, put into Lark. Rules, alternatives, groups, literals, character
// classes, '.', repetition, comments. The lexer behind Lark takes the longest lexeme, which GBNF
// does not know; so a grammar without recursion becomes one lexeme as a whole, and in one with
// recursion every character is a lexeme of its own: both allow exactly the texts that were meant.
// Left recursion is no fault. References to tokens (<[42]>) are refused: a grammar is about text.
// Pure; any thread. Used by serve/intake.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"
#include "text/grammar/source.h"

namespace quire {

inline constexpr std::size_t kGbnfSizeMax = 256 * 1024;  // bytes
inline constexpr std::size_t kGbnfRulesMax = 2'000;
inline constexpr std::size_t kGbnfDepthMax = 100;  // groups in groups

// Errors say line and column: "line 2, column 7: ...".
Result<GrammarSource> source_of_gbnf(std::string_view gbnf);

}  // namespace quire
