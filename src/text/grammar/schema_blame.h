// Blame: where in a schema it lies that it could not be compiled. The compiler says what is wrong
// and not where; so the schemas inside are compiled by themselves, from the outside in, as long as
// one of them fails for the same reason. The number of attempts is bounded, the fewer the larger
// the schema; without a finding the place is the whole of it.
// Pure but for `compile`; one thread. Used by host/grammars.
#pragma once

#include <cstddef>
#include <functional>

#include "base/status.h"
#include "text/grammar/source.h"

namespace quire {

inline constexpr std::size_t kBlameAttemptsMax = 100;
inline constexpr std::size_t kBlameBytesMax = 256 * 1024;  // that all attempts compile together

// `failure`: what compile(source) said, which is returned with its place and keyword, as of a
// refused one: "/properties/a/oneOf: ...". REQUIRES: the source is of source_of_schema.
Status blame_schema(const GrammarSource& source, const Status& failure,
                    const std::function<Status(const GrammarSource&)>& compile);

}  // namespace quire
