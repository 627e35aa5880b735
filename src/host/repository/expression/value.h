// ExpressionValue: a tensor as the language of expressions knows it: of one of four kinds, with a
// shape, row-major. Arithmetic of two goes by broadcasting: shapes agree from the last dimension
// on, where one has 1 or nothing the other decides.
// Bounds: kExpressionElementsMax elements, kExpressionBytesMax bytes of texts (each counts
// kExpressionTextRoom beside its own), kExpressionDimsMax dimensions; whoever makes a value checks
// them before.
// Plain values; pure; any thread. Used by expression and its functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire {

inline constexpr std::size_t kExpressionElementsMax = std::size_t{1} << 24;
inline constexpr std::size_t kExpressionBytesMax = std::size_t{64} << 20;
inline constexpr std::size_t kExpressionTextRoom = 32;
inline constexpr std::size_t kExpressionDimsMax = 8;
inline constexpr std::size_t kExpressionShown = 64;  // bytes of a text that an error repeats

enum class ExpressionKind : std::uint8_t { kBool, kInteger, kNumber, kText };
std::string_view expression_kind_name(ExpressionKind kind);  // "integer"

struct ExpressionValue {
  ExpressionKind kind = ExpressionKind::kInteger;
  std::vector<std::int64_t> shape;     // none: a single element
  std::vector<std::int64_t> integers;  // of kInteger and, 0 or 1, of kBool
  std::vector<double> numbers;         // of kNumber
  std::vector<std::string> texts;      // of kText

  std::size_t count() const;
};

Status bad_value(std::string message);  // kInvalidArgument

// kInvalidArgument: it has not one integer.
Result<std::int64_t> only_integer(const ExpressionValue& value);

// The product of dimensions. kInvalidArgument: too many of them, or too many elements.
Result<std::size_t> expression_count(std::span<const std::int64_t> shape);

// Integers become numbers; others stay as they are.
ExpressionValue as_numbers(ExpressionValue value);

// The shape of what two make together. kInvalidArgument: they do not agree.
Result<std::vector<std::int64_t>> broadcast(const std::vector<std::int64_t>& a,
                                            const std::vector<std::int64_t>& b);

// For each element of `shape` the element of a value that was broadcast to it.
std::vector<std::size_t> broadcast_places(const std::vector<std::int64_t>& from,
                                          const std::vector<std::int64_t>& shape);

std::string expression_shape(std::span<const std::int64_t> shape);  // "[2,-1]"

}  // namespace quire
