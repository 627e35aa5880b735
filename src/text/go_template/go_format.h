// Go's fmt for the values that templates have: numbers as %v writes them, and printf's verbs %v %s
// %q %d %t %f %e %g %x %X %o %b %c %% with flags, width and precision. What does not fit its verb
// is written as Go writes it: "%!d(string=x)".
// Pure; any thread. Used by functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "text/go_template/functions.h"

namespace quire::go {

std::string go_number(const Json& number);

Result<std::string> go_format(std::string_view format, std::span<const Value> arguments,
                              std::size_t size_max);

}  // namespace quire::go
