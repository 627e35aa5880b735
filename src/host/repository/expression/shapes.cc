#include "host/repository/expression/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/repository/expression/texts.h"

namespace quire {
namespace {

using Kind = ExpressionKind;
using Value = ExpressionValue;
using Arguments = std::vector<Value>;

// A value as lines along one dimension: [outer, size, inner].
struct Lines {
  std::size_t axis = 0;
  std::size_t outer = 1, size = 1, inner = 1;

  std::size_t count() const { return outer * inner; }
  // Of element 0 of a line; the next stands `inner` further.
  std::size_t begin(std::size_t line) const { return line / inner * size * inner + line % inner; }
};

Result<Lines> lines_along(const Value& value, std::int64_t axis) {
  const auto dims = std::ssize(value.shape);
  if (axis >= dims || axis < -dims) {
    return bad_value(fmt::format("there is no dimension {} in {}", axis,
                                 expression_shape(value.shape)));
  }
  Lines lines{.axis = static_cast<std::size_t>(axis < 0 ? axis + dims : axis)};
  for (std::size_t i = 0; i < value.shape.size(); ++i) {
    const auto dim = static_cast<std::size_t>(value.shape[i]);
    (i < lines.axis ? lines.outer : i == lines.axis ? lines.size : lines.inner) *= dim;
  }
  return lines;
}

// The dimension that argument `index` names; else the last.
Result<Lines> lines_of(const Arguments& arguments, std::size_t index) {
  std::int64_t axis = -1;
  if (arguments.size() > index) {
    QUIRE_ASSIGN_OR_RETURN(axis, only_integer(arguments[index]));
  }
  return lines_along(arguments[0], axis);
}

std::vector<std::int64_t> shape_without(const Value& value, const Lines& lines) {
  std::vector<std::int64_t> shape = value.shape;
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(lines.axis));
  return shape;
}

// The elements at these places.
Result<Value> pick(const Value& from, std::vector<std::int64_t> shape,
                   const std::vector<std::size_t>& places) {
  Value made{.kind = from.kind, .shape = std::move(shape)};
  std::size_t bytes = 0;
  for (const std::size_t place : places) {
    if (from.kind == Kind::kNumber) {
      made.numbers.push_back(from.numbers[place]);
    } else if (from.kind == Kind::kText) {
      bytes += from.texts[place].size() + kExpressionTextRoom;
      if (bytes > kExpressionBytesMax) return too_much_text();
      made.texts.push_back(from.texts[place]);
    } else {
      made.integers.push_back(from.integers[place]);
    }
  }
  return made;
}

// Within each line, the place of the best; `is_better`: of two elements.
template <typename T, typename Better>
std::vector<std::size_t> best_of(const std::vector<T>& values, const Lines& lines,
                                 Better is_better) {
  std::vector<std::size_t> best(lines.count(), 0);
  for (std::size_t line = 0; line < lines.count(); ++line) {
    const std::size_t begin = lines.begin(line);
    for (std::size_t i = 1; i < lines.size; ++i) {
      const T here = values[begin + i * lines.inner];
      const T top = values[begin + best[line] * lines.inner];
      if (is_better(here, top) || (top != top && here == here)) best[line] = i;
    }
  }
  return best;
}

Result<std::vector<std::size_t>> find_best(const Value& value, const Lines& lines, bool is_large) {
  if (lines.size == 0 && lines.count() > 0) return bad_value("there is nothing to choose from");
  const auto choose = [&](const auto& values) {
    return best_of(values, lines, [is_large](auto a, auto b) { return is_large ? a > b : a < b; });
  };
  return value.kind == Kind::kNumber ? choose(value.numbers) : choose(value.integers);
}

Result<Value> best_places(Arguments& arguments, bool is_large) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  QUIRE_ASSIGN_OR_RETURN(const auto best, find_best(arguments[0], lines, is_large));
  Value made{.shape = shape_without(arguments[0], lines)};
  made.integers.assign(best.begin(), best.end());
  return made;
}

Result<Value> best_values(Arguments& arguments, bool is_large) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  QUIRE_ASSIGN_OR_RETURN(auto best, find_best(arguments[0], lines, is_large));
  for (std::size_t line = 0; line < best.size(); ++line) {
    best[line] = lines.begin(line) + best[line] * lines.inner;
  }
  return pick(arguments[0], shape_without(arguments[0], lines), best);
}

// Elements from `begin` to before `end` of each line.
Result<Value> cut(const Value& from, const Lines& lines, std::size_t begin, std::size_t end) {
  std::vector<std::size_t> places;
  places.reserve(lines.outer * (end - begin) * lines.inner);
  for (std::size_t outer = 0; outer < lines.outer; ++outer) {
    for (std::size_t i = begin * lines.inner; i < end * lines.inner; ++i) {
      places.push_back(outer * lines.size * lines.inner + i);
    }
  }
  std::vector<std::int64_t> shape = from.shape;
  shape[lines.axis] = static_cast<std::int64_t>(end - begin);
  return pick(from, std::move(shape), places);
}

// Behind what is there along the dimension.
Status check_joins(const Value& first, const Value& next, std::size_t axis) {
  bool fits = first.shape.size() == next.shape.size();
  for (std::size_t i = 0; fits && i < first.shape.size(); ++i) {
    fits = i == axis || first.shape[i] == next.shape[i];
  }
  if (fits) return ok_status();
  return bad_value(fmt::format("{} and {} cannot stand behind each other along dimension {}",
                               expression_shape(first.shape), expression_shape(next.shape), axis));
}

void append_part(const Value& from, std::size_t begin, std::size_t end, Value& made) {
  const auto copy = [&](const auto& source, auto& target) {
    if (source.empty()) return;
    target.insert(target.end(), source.begin() + static_cast<std::ptrdiff_t>(begin),
                  source.begin() + static_cast<std::ptrdiff_t>(end));
  };
  copy(from.integers, made.integers);
  copy(from.numbers, made.numbers);
  copy(from.texts, made.texts);
}

}  // namespace

Result<Value> largest_places(Arguments& arguments) { return best_places(arguments, true); }
Result<Value> smallest_places(Arguments& arguments) { return best_places(arguments, false); }
Result<Value> largest_along(Arguments& arguments) { return best_values(arguments, true); }
Result<Value> smallest_along(Arguments& arguments) { return best_values(arguments, false); }

Result<Value> sum_along(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  const Value& from = arguments[0];
  Value made{.kind = from.kind, .shape = shape_without(from, lines)};
  for (std::size_t line = 0; line < lines.count(); ++line) {
    std::int64_t whole = 0;
    double number = 0;
    for (std::size_t i = 0; i < lines.size; ++i) {
      const std::size_t place = lines.begin(line) + i * lines.inner;
      if (from.kind == Kind::kNumber) {
        number += from.numbers[place];
      } else if (__builtin_add_overflow(whole, from.integers[place], &whole)) {
        return bad_value("the sum is no integer of 64 bits");
      }
    }
    from.kind == Kind::kNumber ? made.numbers.push_back(number) : made.integers.push_back(whole);
  }
  return made;
}

Result<Value> mean_along(Arguments& arguments) {
  arguments[0] = as_numbers(std::move(arguments[0]));
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  QUIRE_ASSIGN_OR_RETURN(Value sum, sum_along(arguments));
  for (double& number : sum.numbers) number /= static_cast<double>(lines.size);
  return sum;
}

Result<Value> softmax_along(Arguments& arguments) {
  Value value = as_numbers(std::move(arguments[0]));
  arguments[0] = Value{.kind = value.kind, .shape = value.shape};
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  for (std::size_t line = 0; line < lines.count(); ++line) {
    const auto at = [&](std::size_t i) -> double& {
      return value.numbers[lines.begin(line) + i * lines.inner];
    };
    double top = -INFINITY, sum = 0;
    for (std::size_t i = 0; i < lines.size; ++i) top = std::max(top, at(i));
    for (std::size_t i = 0; i < lines.size; ++i) sum += at(i) = std::exp(at(i) - top);
    for (std::size_t i = 0; i < lines.size; ++i) at(i) /= sum;
  }
  return value;
}

Result<Value> last_along(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  if (lines.size == 0) return bad_value("there is no last one of none");
  return cut(arguments[0], lines, lines.size - 1, lines.size);
}

Result<Value> slice_along(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 3));
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t begin, only_integer(arguments[1]));
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t end, only_integer(arguments[2]));
  const auto size = static_cast<std::int64_t>(lines.size);
  const auto settle = [size](std::int64_t at) {
    if (at < 0) at = std::max<std::int64_t>(at, -size) + size;
    return static_cast<std::size_t>(std::min(at, size));
  };
  const std::size_t from = settle(begin), to = std::max(settle(end), from);
  return cut(arguments[0], lines, from, to);
}

Result<Value> concat_along(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t axis, only_integer(arguments[0]));
  arguments.erase(arguments.begin());
  const bool is_number = std::any_of(arguments.begin(), arguments.end(), [](const Value& it) {
    return it.kind == Kind::kNumber;
  });
  std::vector<Lines> lines;
  std::int64_t size = 0;
  for (Value& part : arguments) {
    if (is_number) part = as_numbers(std::move(part));
    QUIRE_ASSIGN_OR_RETURN(const Lines of_part, lines_along(part, axis));
    QUIRE_RETURN_IF_ERROR(check_joins(arguments.front(), part, of_part.axis));
    size += part.shape[of_part.axis];
    lines.push_back(of_part);
  }
  Value made{.kind = arguments.front().kind, .shape = arguments.front().shape};
  made.shape[lines.front().axis] = size;
  QUIRE_RETURN_IF_ERROR(expression_count(made.shape).status());
  std::size_t bytes = 0;
  for (const Value& part : arguments) {
    for (const std::string& text : part.texts) bytes += text.size() + kExpressionTextRoom;
  }
  if (bytes > kExpressionBytesMax) return too_much_text();
  for (std::size_t outer = 0; outer < lines.front().outer; ++outer) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::size_t step = lines[i].size * lines[i].inner;
      append_part(arguments[i], outer * step, (outer + 1) * step, made);
    }
  }
  return made;
}

// One dimension may be -1: what is left.
Result<Value> reshape_value(Arguments& arguments) {
  std::vector<std::int64_t> shape;
  std::ptrdiff_t open = -1;
  std::size_t known = 1;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(const std::int64_t dim, only_integer(arguments[i]));
    if (dim == -1 && open < 0) open = std::ssize(shape);
    shape.push_back(dim == -1 && open == std::ssize(shape) ? 1 : dim);
  }
  QUIRE_ASSIGN_OR_RETURN(known, expression_count(shape));
  const std::size_t count = arguments[0].count();
  if (open >= 0 && known > 0 && count % known == 0) {
    shape[static_cast<std::size_t>(open)] = static_cast<std::int64_t>(count / known);
    known = count;
  }
  if (known != count) {
    return bad_value(fmt::format("{} elements do not become {}", count, expression_shape(shape)));
  }
  arguments[0].shape = std::move(shape);
  return std::move(arguments[0]);
}

Result<Value> size_along(Arguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const Lines lines, lines_of(arguments, 1));
  return Value{.integers = {static_cast<std::int64_t>(lines.size)}};
}

}  // namespace quire
