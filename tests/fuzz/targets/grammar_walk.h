// What every grammar has to keep, whichever language it came in: it compiles or is refused; a text
// that follows its masks is never refused on the way, and a token that is taken back leaves the
// place as it was.
#pragma once

#include <string>
#include <string_view>

#include "text/grammar/source.h"

namespace quire::fuzz {

// `choices` (the input) picks among the tokens that the masks allow.
std::string walk_grammar(const GrammarSource& source, std::string_view choices);

}  // namespace quire::fuzz
