#include "host/repository/expression/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "host/repository/expression/shapes.h"
#include "host/repository/expression/texts.h"

namespace quire {
namespace {

using Kind = ExpressionKind;
using Value = ExpressionValue;
using Arguments = std::vector<Value>;

// --- element by element ---

bool has_numbers(const Arguments& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const Value& it) { return it.kind == Kind::kNumber; });
}

// Where two values meet: their common shape, and the places of each.
struct Meeting {
  std::vector<std::int64_t> shape;
  std::vector<std::size_t> a, b;
};

Result<Meeting> meet(const Value& a, const Value& b) {
  Meeting met;
  QUIRE_ASSIGN_OR_RETURN(met.shape, broadcast(a.shape, b.shape));
  met.a = broadcast_places(a.shape, met.shape);
  met.b = broadcast_places(b.shape, met.shape);
  return met;
}

using IntegerOf = bool (*)(std::int64_t, std::int64_t, std::int64_t&);  // false: it overflows
using NumberOf = double (*)(double, double);

Result<Value> arithmetic(Arguments& arguments, IntegerOf integer, NumberOf number) {
  QUIRE_ASSIGN_OR_RETURN(const Meeting met, meet(arguments[0], arguments[1]));
  Value made{.shape = met.shape};
  if (has_numbers(arguments)) {
    const Value a = as_numbers(std::move(arguments[0])), b = as_numbers(std::move(arguments[1]));
    made.kind = Kind::kNumber;
    made.numbers.reserve(met.a.size());
    for (std::size_t i = 0; i < met.a.size(); ++i) {
      made.numbers.push_back(number(a.numbers[met.a[i]], b.numbers[met.b[i]]));
    }
    return made;
  }
  made.integers.resize(met.a.size());
  for (std::size_t i = 0; i < met.a.size(); ++i) {
    const std::int64_t x = arguments[0].integers[met.a[i]], y = arguments[1].integers[met.b[i]];
    if (!integer(x, y, made.integers[i])) {
      return bad_value(fmt::format("{} and {} make no integer of 64 bits", x, y));
    }
  }
  return made;
}

Result<Value> add(Arguments& arguments) {
  if (arguments[0].kind == Kind::kText) return add_texts(arguments[0], arguments[1]);
  return arithmetic(
      arguments, [](auto a, auto b, auto& c) { return !__builtin_add_overflow(a, b, &c); },
      [](double a, double b) { return a + b; });
}

Result<Value> subtract(Arguments& arguments) {
  return arithmetic(
      arguments, [](auto a, auto b, auto& c) { return !__builtin_sub_overflow(a, b, &c); },
      [](double a, double b) { return a - b; });
}

Result<Value> multiply(Arguments& arguments) {
  return arithmetic(
      arguments, [](auto a, auto b, auto& c) { return !__builtin_mul_overflow(a, b, &c); },
      [](double a, double b) { return a * b; });
}

Result<Value> divide(Arguments& arguments) {
  for (Value& argument : arguments) argument = as_numbers(std::move(argument));
  return arithmetic(arguments, nullptr, [](double a, double b) { return a / b; });
}

// Towards minus infinity, as the remainder has the sign of the divisor.
Result<Value> divide_whole(Arguments& arguments) {
  return arithmetic(
      arguments,
      [](std::int64_t a, std::int64_t b, std::int64_t& c) {
        if (b == 0 || (a == INT64_MIN && b == -1)) return false;
        c = a / b - static_cast<std::int64_t>(a % b != 0 && (a < 0) != (b < 0));
        return true;
      },
      [](double a, double b) { return std::floor(a / b); });
}

Result<Value> remainder_of(Arguments& arguments) {
  return arithmetic(
      arguments,
      [](std::int64_t a, std::int64_t b, std::int64_t& c) {
        if (b == 0) return false;
        c = b == -1 ? 0 : a % b;
        if (c != 0 && (c < 0) != (b < 0)) c += b;
        return true;
      },
      [](double a, double b) { return a - std::floor(a / b) * b; });
}

Result<Value> smaller(Arguments& arguments) {
  return arithmetic(
      arguments, [](auto a, auto b, auto& c) { return c = std::min(a, b), true; },
      [](double a, double b) { return std::isnan(a) ? a : std::min(b, a); });
}

Result<Value> larger(Arguments& arguments) {
  return arithmetic(
      arguments, [](auto a, auto b, auto& c) { return c = std::max(a, b), true; },
      [](double a, double b) { return std::isnan(a) ? a : std::max(b, a); });
}

// -1, 0, 1; 2: they have no order.
template <typename T>
int order_of(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : a == b ? 0 : 2;
}

Result<Value> compare(Arguments& arguments, bool (*is_so)(int)) {
  if (has_numbers(arguments)) {
    for (Value& argument : arguments) argument = as_numbers(std::move(argument));
  }
  const Value &a = arguments[0], &b = arguments[1];
  QUIRE_ASSIGN_OR_RETURN(const Meeting met, meet(a, b));
  Value made{.kind = Kind::kBool, .shape = met.shape};
  for (std::size_t i = 0; i < met.a.size(); ++i) {
    const std::size_t x = met.a[i], y = met.b[i];
    const int order = a.kind == Kind::kText     ? order_of(a.texts[x], b.texts[y])
                      : a.kind == Kind::kNumber ? order_of(a.numbers[x], b.numbers[y])
                                                : order_of(a.integers[x], b.integers[y]);
    made.integers.push_back(is_so(order) ? 1 : 0);
  }
  return made;
}

Result<Value> logic(Arguments& arguments, bool (*of)(bool, bool)) {
  QUIRE_ASSIGN_OR_RETURN(const Meeting met, meet(arguments[0], arguments[1]));
  Value made{.kind = Kind::kBool, .shape = met.shape};
  for (std::size_t i = 0; i < met.a.size(); ++i) {
    const bool x = arguments[0].integers[met.a[i]] != 0, y = arguments[1].integers[met.b[i]] != 0;
    made.integers.push_back(of(x, y) ? 1 : 0);
  }
  return made;
}

Result<Value> negate(Arguments& arguments) {
  Value& value = arguments[0];
  for (std::int64_t& integer : value.integers) {
    if (integer == INT64_MIN) return bad_value("its negative is no integer of 64 bits");
    integer = -integer;
  }
  for (double& number : value.numbers) number = -number;
  return std::move(value);
}

Result<Value> is_not(Arguments& arguments) {
  for (std::int64_t& flag : arguments[0].integers) flag = flag == 0 ? 1 : 0;
  return std::move(arguments[0]);
}

Result<Value> each_number(Arguments& arguments, double (*of)(double)) {
  Value value = as_numbers(std::move(arguments[0]));
  for (double& number : value.numbers) number = of(number);
  return value;
}

Result<Value> absolute(Arguments& arguments) {
  if (arguments[0].kind == Kind::kNumber) return each_number(arguments, std::fabs);
  for (std::int64_t& integer : arguments[0].integers) {
    if (integer == INT64_MIN) return bad_value("its absolute value is no integer of 64 bits");
    integer = std::abs(integer);
  }
  return std::move(arguments[0]);
}

Result<Value> choose(Arguments& arguments) {
  Arguments both = {std::move(arguments[1]), std::move(arguments[2])};
  if (has_numbers(both)) {
    for (Value& value : both) value = as_numbers(std::move(value));
  }
  Value made{.kind = both[0].kind};
  QUIRE_ASSIGN_OR_RETURN(const auto values, broadcast(both[0].shape, both[1].shape));
  QUIRE_ASSIGN_OR_RETURN(made.shape, broadcast(arguments[0].shape, values));
  const auto flags = broadcast_places(arguments[0].shape, made.shape);
  const auto a = broadcast_places(both[0].shape, made.shape);
  const auto b = broadcast_places(both[1].shape, made.shape);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const bool is_first = arguments[0].integers[flags[i]] != 0;
    const Value& from = both[is_first ? 0 : 1];
    const std::size_t place = is_first ? a[i] : b[i];
    if (made.kind == Kind::kNumber) {
      made.numbers.push_back(from.numbers[place]);
    } else if (made.kind == Kind::kText) {
      bytes += from.texts[place].size() + kExpressionTextRoom;
      if (bytes > kExpressionBytesMax) return too_much_text();
      made.texts.push_back(from.texts[place]);
    } else {
      made.integers.push_back(from.integers[place]);
    }
  }
  return made;
}

constexpr ExpressionFunction kFunctions[] = {
    {"+", "ss", '=', add},
    {"-", "nn", '=', subtract},
    {"*", "nn", '=', multiply},
    {"/", "nn", 'n', divide},
    {"//", "nn", '=', divide_whole},
    {"%", "nn", '=', remainder_of},
    {"min", "nn", '=', smaller},
    {"max", "nn", '=', larger},
    {"==", "ss", 'b', [](Arguments& it) { return compare(it, [](int o) { return o == 0; }); }},
    {"!=", "ss", 'b', [](Arguments& it) { return compare(it, [](int o) { return o != 0; }); }},
    {"<", "ss", 'b', [](Arguments& it) { return compare(it, [](int o) { return o == -1; }); }},
    {">", "ss", 'b', [](Arguments& it) { return compare(it, [](int o) { return o == 1; }); }},
    {"<=", "ss", 'b', [](Arguments& it) { return compare(it, [](int o) { return o <= 0; }); }},
    {">=", "ss", 'b',
     [](Arguments& it) { return compare(it, [](int o) { return o == 0 || o == 1; }); }},
    {"and", "bb", 'b',
     [](Arguments& it) { return logic(it, [](bool a, bool b) { return a && b; }); }},
    {"or", "bb", 'b',
     [](Arguments& it) { return logic(it, [](bool a, bool b) { return a || b; }); }},
    {"not", "b", 'b', is_not},
    {"negative", "n", '=', negate},
    {"abs", "n", '=', absolute},
    {"floor", "n", 'n', [](Arguments& it) { return each_number(it, std::floor); }},
    {"round", "n", 'n', [](Arguments& it) { return each_number(it, std::nearbyint); }},
    {"exp", "n", 'n', [](Arguments& it) { return each_number(it, std::exp); }},
    {"log", "n", 'n', [](Arguments& it) { return each_number(it, std::log); }},
    {"sqrt", "n", 'n', [](Arguments& it) { return each_number(it, std::sqrt); }},
    {"where", "bss", '=', choose},
    {"integer", "a", 'i', to_integers},
    {"number", "a", 'n', to_numbers},
    {"text", "a", 't', to_texts},
    {"upper", "t", 't', upper_texts},
    {"lower", "t", 't', lower_texts},
    {"trim", "t", 't', trim_texts},
    {"replace", "ttt", 't', replace_in_texts},
    {"substring", "ti|i", 't', cut_texts},
    {"length", "t", 'i', text_lengths},
    {"contains", "tt", 'b', texts_contain},
    {"starts_with", "tt", 'b', texts_start},
    {"ends_with", "tt", 'b', texts_end},
    {"join", "tt", 't', join_texts},
    {"argmax", "n|i", 'i', largest_places},
    {"argmin", "n|i", 'i', smallest_places},
    {"largest", "n|i", '=', largest_along},
    {"smallest", "n|i", '=', smallest_along},
    {"sum", "n|i", '=', sum_along},
    {"mean", "n|i", 'n', mean_along},
    {"softmax", "n|i", 'n', softmax_along},
    {"last", "a|i", '=', last_along},
    {"slice", "aii|i", '=', slice_along},
    {"concat", "iss+", '=', concat_along},
    {"reshape", "ai+", '=', reshape_value},
    {"size", "ai", 'i', size_along},
};

bool fits(char wanted, Kind kind) {
  switch (wanted) {
    case 't': return kind == Kind::kText;
    case 'i': return kind == Kind::kInteger;
    case 'n': return kind == Kind::kInteger || kind == Kind::kNumber;
    case 'b': return kind == Kind::kBool;
    default: return true;
  }
}

std::string_view wanted_name(char wanted) {
  switch (wanted) {
    case 't': return "a text";
    case 'i': return "an integer";
    case 'n': return "a number";
    case 'b': return "a bool";
    default: return "a value";
  }
}

// What argument `index` is to be; 0: there may be none.
char taken_at(std::string_view takes, std::size_t index) {
  std::string letters;
  for (const char c : takes) {
    if (c != '|' && c != '+') letters += c;
  }
  if (index < letters.size()) return letters[index];
  return takes.ends_with('+') ? letters.back() : '\0';
}

std::size_t least_of(std::string_view takes) {
  const std::size_t bar = takes.find('|');
  const std::string_view must = takes.substr(0, bar);
  return must.size() - (must.ends_with('+') ? 1 : 0);
}

bool is_numeric(Kind kind) { return kind == Kind::kInteger || kind == Kind::kNumber; }

}  // namespace

const ExpressionFunction* find_expression_function(std::string_view name) {
  const auto found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const ExpressionFunction& it) { return it.name == name; });
  return found == std::end(kFunctions) ? nullptr : &*found;
}

Result<ExpressionKind> check_expression_call(const ExpressionFunction& function,
                                             std::span<const ExpressionKind> arguments) {
  const std::string_view takes = function.takes;
  if (arguments.size() < least_of(takes)) {
    return bad_value(fmt::format("'{}' takes at least {} arguments, not {}", function.name,
                                 least_of(takes), arguments.size()));
  }
  std::optional<Kind> common;  // of n, a and s
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const char wanted = taken_at(takes, i);
    const Kind kind = arguments[i];
    if (wanted == '\0') {
      return bad_value(fmt::format("'{}' takes at most {} arguments, not {}", function.name, i,
                                   arguments.size()));
    }
    if (!fits(wanted, kind)) {
      return bad_value(fmt::format("argument {} of '{}' must be {}, not {}", i + 1, function.name,
                                   wanted_name(wanted), expression_kind_name(kind)));
    }
    if (wanted != 'n' && wanted != 's' && wanted != 'a') continue;
    if (common && wanted == 's' && *common != kind && !(is_numeric(*common) && is_numeric(kind))) {
      return bad_value(fmt::format("argument {} of '{}' is {}, and another one {}", i + 1,
                                   function.name, expression_kind_name(kind),
                                   expression_kind_name(*common)));
    }
    if (!common || kind == Kind::kNumber) common = kind;
  }
  if (function.name == "+" && common == Kind::kBool) return bad_value("'+' does not take bools");
  switch (function.makes) {
    case 't': return Kind::kText;
    case 'i': return Kind::kInteger;
    case 'n': return Kind::kNumber;
    case 'b': return Kind::kBool;
    default: return *common;
  }
}

}  // namespace quire
