// The language of expressions of a model repository.
#include "host/repository/expression/expression.h"
#include "host/repository/expression/shapes.h"
#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

class SmallInputs : public ExpressionInputs {
 public:
  Result<ExpressionValue> whole(std::size_t input) const override { return values_[input]; }
  Result<ExpressionValue> last(std::size_t input, std::int64_t dim) const override {
    std::vector<ExpressionValue> arguments = {values_[input], {.integers = {dim}}};
    return last_along(arguments);
  }

 private:
  const std::vector<ExpressionValue> values_ = {
      {.kind = ExpressionKind::kText, .shape = {2, 1}, .texts = {" Ab ", "\xC3\xBC\xFF"}},
      {.kind = ExpressionKind::kInteger, .shape = {2, 3}, .integers = {1, 5, 3, -4, 0, 7}},
      {.kind = ExpressionKind::kNumber, .shape = {1, 2, 2}, .numbers = {1, -0.0, 1e300, 0.5}},
      {.kind = ExpressionKind::kBool, .shape = {2, 1}, .integers = {1, 0}}};
};

}  // namespace

std::string expression(std::string_view input) {
  static const Expression::Inputs kNames = {{"t", ExpressionKind::kText},
                                            {"i", ExpressionKind::kInteger},
                                            {"x", ExpressionKind::kNumber},
                                            {"b", ExpressionKind::kBool}};
  const Result<Expression> read = Expression::parse(input, kNames);
  if (!read.is_ok()) return fault_of(read.status());
  const Result<ExpressionValue> value = read->evaluate(SmallInputs());
  if (!value.is_ok()) return fault_of(value.status());
  const Result<std::size_t> count = expression_count(value->shape);
  if (!count.is_ok() || value->count() != *count) return "its elements are not those of its shape";
  if (value->kind != read->kind()) return "its kind is another one than was said";
  return "";
}

}  // namespace quire::fuzz
