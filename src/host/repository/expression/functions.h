// The functions and operators of expressions: a table with what each takes and makes, by which a
// call is checked before there is a value, and which computes it. Operators are functions with
// names that are no words.
// Whatever a value holds, a function returns a value or kInvalidArgument: integers do not overflow
// silently, indexes are clamped to what is there, sizes are checked before anything is allocated.
// Pure; any thread. Used by expression.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "host/repository/expression/value.h"

namespace quire {

struct ExpressionFunction {
  std::string_view name;
  // What it takes, a letter an argument: t text, i integer, n number or integer, b bool, a any, s
  // any that goes with the other s. Those behind '|' may be missing, one before '+' may be
  // repeated.
  std::string_view takes;
  // What it makes: a kind's letter (n is a number), or '=': as the first n, a or s, which is a
  // number if one of them is.
  char makes;
  Result<ExpressionValue> (*run)(std::vector<ExpressionValue>& arguments);
};

// Null: there is none.
const ExpressionFunction* find_expression_function(std::string_view name);

// The kind of its value. kInvalidArgument: not what it takes.
Result<ExpressionKind> check_expression_call(const ExpressionFunction& function,
                                             std::span<const ExpressionKind> arguments);

}  // namespace quire
