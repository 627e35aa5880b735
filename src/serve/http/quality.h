// What a client says it would rather have: the lists of Accept and Accept-Encoding (RFC 9110,
// section 12.4.2). Only names are compared; a wildcard is no preference for anything.
// Pure. Used by page.
#pragma once

#include <string_view>

namespace quire::http {

// The weight of `name` in "a, b;q=0.5": from 0 to 1000; not listed or malformed: 0.
int quality_of(std::string_view list, std::string_view name);

}  // namespace quire::http
