#include "host/repository/expression/value.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace quire {

std::string_view expression_kind_name(ExpressionKind kind) {
  switch (kind) {
    case ExpressionKind::kBool: return "bool";
    case ExpressionKind::kInteger: return "integer";
    case ExpressionKind::kNumber: return "number";
    case ExpressionKind::kText: return "text";
  }
  return "";
}

Status bad_value(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

Result<std::int64_t> only_integer(const ExpressionValue& value) {
  if (value.integers.size() == 1) return value.integers.front();
  return bad_value(fmt::format("one integer is needed, not {}", value.integers.size()));
}

std::size_t ExpressionValue::count() const {
  if (kind == ExpressionKind::kText) return texts.size();
  return kind == ExpressionKind::kNumber ? numbers.size() : integers.size();
}

Result<std::size_t> expression_count(std::span<const std::int64_t> shape) {
  if (shape.size() > kExpressionDimsMax) {
    return error(StatusCode::kInvalidArgument, "a shape has at most {} dimensions",
                 kExpressionDimsMax);
  }
  std::size_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return error(StatusCode::kInvalidArgument, "{} has a negative dimension",
                   expression_shape(shape));
    }
    if (dim > 0 && static_cast<std::uint64_t>(dim) > kExpressionElementsMax / count) {
      return error(StatusCode::kInvalidArgument, "{} has over {} elements", expression_shape(shape),
                   kExpressionElementsMax);
    }
    count *= static_cast<std::size_t>(std::max<std::int64_t>(dim, 1));
  }
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  return is_empty ? std::size_t{0} : count;
}

ExpressionValue as_numbers(ExpressionValue value) {
  if (value.kind != ExpressionKind::kInteger) return value;
  value.kind = ExpressionKind::kNumber;
  value.numbers.assign(value.integers.begin(), value.integers.end());
  value.integers.clear();
  return value;
}

Result<std::vector<std::int64_t>> broadcast(const std::vector<std::int64_t>& a,
                                            const std::vector<std::int64_t>& b) {
  std::vector<std::int64_t> shape(std::max(a.size(), b.size()), 1);
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    const std::int64_t x = back <= a.size() ? a[a.size() - back] : 1;
    const std::int64_t y = back <= b.size() ? b[b.size() - back] : 1;
    if (x != y && x != 1 && y != 1) {
      return error(StatusCode::kInvalidArgument, "the shapes {} and {} do not agree",
                   expression_shape(a), expression_shape(b));
    }
    shape[shape.size() - back] = x == 1 ? y : x;
  }
  QUIRE_RETURN_IF_ERROR(expression_count(shape).status());
  return shape;
}

std::vector<std::size_t> broadcast_places(const std::vector<std::int64_t>& from,
                                          const std::vector<std::int64_t>& shape) {
  std::vector<std::size_t> strides(shape.size(), 0);
  std::size_t stride = 1, count = 1;
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    count *= static_cast<std::size_t>(shape[shape.size() - back]);
    if (back > from.size()) continue;
    const std::int64_t dim = from[from.size() - back];
    if (dim != 1) strides[shape.size() - back] = stride;
    stride *= static_cast<std::size_t>(dim);
  }
  std::vector<std::size_t> places(count);
  std::vector<std::int64_t> at(shape.size(), 0);
  std::size_t place = 0;
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = place;
    for (std::size_t dim = shape.size(); dim-- > 0;) {
      place += strides[dim];
      if (++at[dim] < shape[dim]) break;
      place -= strides[dim] * static_cast<std::size_t>(shape[dim]);
      at[dim] = 0;
    }
  }
  return places;
}

std::string expression_shape(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

}  // namespace quire
