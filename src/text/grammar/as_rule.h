// A grammar as a part of another one: the body of a rule of Lark, whatever the language that it is
// written in. A regular expression keeps its meaning between slashes.
// Pure; any thread. Used by serve/intake.
#pragma once

#include <string>

#include "text/grammar/source.h"

namespace quire {

std::string as_lark_rule(const GrammarSource& source);

}  // namespace quire
