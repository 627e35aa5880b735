// The language of expressions: what each function makes, what is refused before there is a value
// and after, each with its place; and that no text and no value ends the process.
#include "host/repository/expression/expression.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/repository/expression/shapes.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using Kind = ExpressionKind;

// t: texts [2,1]; i: integers [2,3]; x: numbers [2,2,2]; b: bools [2,1].
const Expression::Inputs kNames = {
    {"t", Kind::kText}, {"i", Kind::kInteger}, {"x", Kind::kNumber}, {"b", Kind::kBool}};

class GivenInputs : public ExpressionInputs {
 public:
  explicit GivenInputs(std::vector<ExpressionValue> values) : values_(std::move(values)) {}
  Result<ExpressionValue> whole(std::size_t input) const override { return values_[input]; }
  Result<ExpressionValue> last(std::size_t input, std::int64_t dim) const override {
    std::vector<ExpressionValue> arguments = {values_[input], {.integers = {dim}}};
    return last_along(arguments);
  }

 private:
  std::vector<ExpressionValue> values_;
};

GivenInputs values() {
  return GivenInputs(
      {{.kind = Kind::kText, .shape = {2, 1}, .texts = {" Ab ", "grün"}},
          {.kind = Kind::kInteger, .shape = {2, 3}, .integers = {1, 5, 3, -4, 0, 7}},
          {.kind = Kind::kNumber, .shape = {2, 2, 2}, .numbers = {1, 2, 4, 3, 0.5, -1, 8, 8}},
          {.kind = Kind::kBool, .shape = {2, 1}, .integers = {1, 0}}});
}

std::string shown(const ExpressionValue& value) {
  const std::string shape = expression_shape(value.shape);
  if (value.kind == Kind::kText) return fmt::format("{} {}", shape, value.texts);
  if (value.kind == Kind::kNumber) return fmt::format("{} {}", shape, value.numbers);
  const char* kind = value.kind == Kind::kBool ? " bools" : "";
  return fmt::format("{}{} {}", shape, kind, value.integers);
}

// What it makes; or what is wrong.
std::string made(std::string_view text) {
  const Result<Expression> expression = Expression::parse(text, kNames);
  if (!expression.is_ok()) return std::string(expression.status().message());
  const Result<ExpressionValue> value = expression->evaluate(values());
  if (!value.is_ok()) return std::string(value.status().message());
  EXPECT_EQ(value->kind, expression->kind()) << text;
  EXPECT_EQ(value->count(), *expression_count(value->shape)) << text;
  return shown(*value);
}

TEST(ExpressionTest, OperatorsBindByStrengthAndFromTheLeft) {
  EXPECT_EQ(made("1 + 2 * 3"), "[] [7]");
  EXPECT_EQ(made("(1 + 2) * 3"), "[] [9]");
  EXPECT_EQ(made("10 - 4 - 3"), "[] [3]");
  EXPECT_EQ(made("-2 * -3"), "[] [6]");
  EXPECT_EQ(made("1 + 1 == 2 and not 1 > 2 or false"), "[] bools [1]");
  EXPECT_EQ(made("7 / 2"), "[] [3.5]");
  EXPECT_EQ(made("7 // 2 + -7 // 2"), "[] [-1]");
  EXPECT_EQ(made("-7 % 3"), "[] [2]");
  EXPECT_EQ(made("1.5e1 % 4"), "[] [3]");
  EXPECT_EQ(made("i + 1"), "[2,3] [2, 6, 4, -3, 1, 8]");
  EXPECT_EQ(made("i * 0.5"), "[2,3] [0.5, 2.5, 1.5, -2, 0, 3.5]");
  EXPECT_EQ(made("max(i, 2) - min(i, 2)"), "[2,3] [1, 3, 1, 6, 2, 5]");
}

TEST(ExpressionTest, TextsAreJoinedCutAndChanged) {
  EXPECT_EQ(made("'<' + trim(t) + \">\""), R"([2,1] ["<Ab>", "<grün>"])");
  EXPECT_EQ(made("upper(t)"), R"([2,1] [" AB ", "GRüN"])");
  EXPECT_EQ(made("lower(trim(t))"), R"([2,1] ["ab", "grün"])");
  EXPECT_EQ(made("replace('a-b-c', '-', '--')"), R"([] ["a--b--c"])");
  EXPECT_EQ(made("length(t)"), "[2,1] [4, 4]");
  EXPECT_EQ(made("substring(t, 2, 3)"), R"([2,1] ["b", "ü"])");
  EXPECT_EQ(made("substring(t, -2)"), R"([2,1] ["b ", "ün"])");
  EXPECT_EQ(made("substring(t, 3, 1)"), R"([2,1] ["", ""])");
  EXPECT_EQ(made("contains(t, 'r')"), "[2,1] bools [0, 1]");
  EXPECT_EQ(made("starts_with(t, ' ') or ends_with(t, 'n')"), "[2,1] bools [1, 1]");
  EXPECT_EQ(made("join(text(i), ', ')"), R"([2,1] ["1, 5, 3", "-4, 0, 7"])");
  EXPECT_EQ(made("text(b) + text(0.5) + text(-3)"), R"([2,1] ["true0.5-3", "false0.5-3"])");
  EXPECT_EQ(made("integer('12') + integer(2.9) + integer(-2.9) + integer(true)"), "[] [13]");
  EXPECT_EQ(made("number('1e2')"), "[] [100]");
  EXPECT_EQ(made(R"('\'\n\\' == "'\n\\")"), "[] bools [1]");
  EXPECT_EQ(made("where(length(trim(t)) > 3, t, 'short')"), R"([2,1] ["short", "grün"])");
}

TEST(ExpressionTest, DimensionsAreChosenSummedAndReshaped) {
  EXPECT_EQ(made("argmax(i)"), "[2] [1, 2]");
  EXPECT_EQ(made("argmax(i, 0)"), "[3] [0, 0, 1]");
  EXPECT_EQ(made("argmin(x, -1)"), "[2,2] [0, 1, 1, 0]") << "of equals the first";
  EXPECT_EQ(made("largest(i)"), "[2] [5, 7]");
  EXPECT_EQ(made("smallest(x, 1)"), "[2,2] [1, 2, 0.5, -1]");
  EXPECT_EQ(made("sum(i)"), "[2] [9, 3]");
  EXPECT_EQ(made("mean(i)"), "[2] [3, 1]");
  EXPECT_EQ(made("softmax(reshape(i * 0, -1))"),
            fmt::format("[6] [{0}, {0}, {0}, {0}, {0}, {0}]", 1.0 / 6));
  EXPECT_EQ(made("last(x, 1)"), "[2,1,2] [4, 3, 8, 8]");
  EXPECT_EQ(made("argmax(last(x, 1))"), "[2,1] [0, 0]") << "the next token of logits";
  EXPECT_EQ(made("slice(i, 1, 3)"), "[2,2] [5, 3, 0, 7]");
  EXPECT_EQ(made("slice(i, -1, 99, 0)"), "[1,3] [-4, 0, 7]");
  EXPECT_EQ(made("slice(i, 2, 1)"), "[2,0] []");
  EXPECT_EQ(made("concat(1, i, i * 10)"),
            "[2,6] [1, 5, 3, 10, 50, 30, -4, 0, 7, -40, 0, 70]");
  EXPECT_EQ(made("concat(0, slice(i, 0, 1, 0), reshape(x, -1, 3))").substr(0, 12), "at character");
  EXPECT_EQ(made("reshape(i, 3, -1)"), "[3,2] [1, 5, 3, -4, 0, 7]");
  EXPECT_EQ(made("size(x, 1) + size(i, -1)"), "[] [5]");
  EXPECT_EQ(made("where(b, i, i + 0.5)"), "[2,3] [1, 5, 3, -3.5, 0.5, 7.5]");
}

TEST(ExpressionTest, WhatIsWrongIsToldWithItsPlaceBeforeThereIsAValue) {
  EXPECT_EQ(made(""), "at character 1: it ends where a value was expected");
  EXPECT_EQ(made("1 +"), "at character 4: it ends where a value was expected");
  EXPECT_EQ(made("1 + y"), "at character 5: there is no input 'y'");
  EXPECT_EQ(made("run('x')"), "at character 1: there is no function 'run'");
  EXPECT_EQ(made("1 2"), "at character 3: '2' was not expected");
  EXPECT_EQ(made("(1"), "at character 3: ')' was expected");
  EXPECT_EQ(made("upper(t"), "at character 8: ',' or ')' was expected");
  EXPECT_EQ(made("'abc"), "at character 1: the text does not end");
  EXPECT_THAT(made(R"('\x')"), HasSubstr("no escape"));
  EXPECT_EQ(made("12ab"), "at character 1: '12ab' is no number");
  EXPECT_EQ(made("i + upper(i)"),
            "at character 5: argument 1 of 'upper' must be a text, not integer");
  EXPECT_EQ(made("i + t"), "at character 3: argument 2 of '+' is text, and another one integer");
  EXPECT_EQ(made("b + b"), "at character 3: '+' does not take bools");
  EXPECT_EQ(made("trim()"), "at character 1: 'trim' takes at least 1 arguments, not 0");
  EXPECT_EQ(made("trim(t, t)"), "at character 1: 'trim' takes at most 1 arguments, not 2");
  EXPECT_EQ(made("not 1"), "at character 1: argument 1 of 'not' must be a bool, not integer");
  EXPECT_THAT(made(std::string(40, '(') + "1" + std::string(40, ')')), HasSubstr("32 deep"));
  EXPECT_THAT(made(std::string(40, '-') + "1"), HasSubstr("32 deep"));
  std::string many = "1";
  for (int i = 0; i < 300; ++i) many += "+1";
  EXPECT_THAT(made(many), HasSubstr("over 256 parts"));
  EXPECT_THAT(made(std::string(5000, ' ') + "1"), HasSubstr("5001 bytes; at most 4096"));
}

TEST(ExpressionTest, ValuesThatDoNotFitAreToldWithTheFunction) {
  EXPECT_EQ(made("i + reshape(i, 3, 2)"),
            "at character 3: '+': the shapes [2,3] and [3,2] do not agree");
  EXPECT_EQ(made("i // 0"), "at character 3: '//': 1 and 0 make no integer of 64 bits");
  EXPECT_THAT(made("9223372036854775807 + 1"), HasSubstr("make no integer of 64 bits"));
  EXPECT_THAT(made("9223372036854775808"), HasSubstr("[9.22"));
  EXPECT_THAT(made("integer(t)"), HasSubstr("' Ab ' is no integer"));
  EXPECT_THAT(made("integer(1e30)"), HasSubstr("is no integer"));
  EXPECT_THAT(made("argmax(1)"), HasSubstr("there is no dimension -1 in []"));
  EXPECT_THAT(made("argmax(i, 2)"), HasSubstr("there is no dimension 2 in [2,3]"));
  EXPECT_THAT(made("argmax(slice(i, 0, 0))"), HasSubstr("nothing to choose from"));
  EXPECT_THAT(made("last(slice(i, 0, 0))"), HasSubstr("no last one"));
  EXPECT_THAT(made("reshape(i, 4)"), HasSubstr("6 elements do not become [4]"));
  EXPECT_THAT(made("reshape(i, -1, -1)"), HasSubstr("negative dimension"));
  EXPECT_THAT(made("reshape(i, 9223372036854775807, 9223372036854775807)"), HasSubstr("over"));
  EXPECT_THAT(made("replace(t, '', 'x')"), HasSubstr("must not be empty"));
  EXPECT_THAT(made("replace(t, t, 'x')"), HasSubstr("one text is needed, not 2"));
  const std::string sought = "'" + std::string(1025, 'a') + "'";
  EXPECT_THAT(made("contains(t, " + sought + ")"), HasSubstr("over 1024 bytes"));
  EXPECT_THAT(made("replace(t, " + sought + ", '')"), HasSubstr("over 1024 bytes"));
  EXPECT_THAT(made("last(t, i)"), HasSubstr("one integer is needed"));
}

TEST(ExpressionTest, WhatGrowsIsBounded) {
  std::string wide = "reshape(i, 6, 1)";
  for (int i = 0; i < 12; ++i) wide = fmt::format("concat(1, {0}, {0})", "reshape(i, 6, 1)");
  EXPECT_EQ(made(wide), "[6,2] [1, 1, 5, 5, 3, 3, -4, -4, 0, 0, 7, 7]");
  ExpressionValue large{.kind = Kind::kInteger, .shape = {1, 1 << 13}};
  large.integers.resize(1 << 13);
  const auto product = Expression::parse("x + reshape(x, -1, 1)", {{"x", Kind::kInteger}});
  EXPECT_THAT(product->evaluate(GivenInputs({large})).status().message(), HasSubstr("elements"));
  ExpressionValue text{.kind = Kind::kText, .texts = {std::string(1 << 20, 'a')}};
  const auto grown = Expression::parse("replace(x, 'a', '" + std::string(100, 'b') + "')",
                                       {{"x", Kind::kText}});
  EXPECT_THAT(grown->evaluate(GivenInputs({text})).status().message(),
              HasSubstr("texts would have over"));
}

// Whatever stands there: an answer or a sentence.
TEST(ExpressionTest, NoiseIsReadOrRefused) {
  const std::vector<std::string> words = {
      "t", "i", "x", "b", "1", "-1", "0", "2.5", "'a'", "(", ")", ",", "+", "-", "*", "/", "//",
      "%", "==", "<", "and", "or", "not", "argmax(", "slice(", "concat(", "reshape(", "where(",
      "substring(", "join(", "replace(", "softmax(", "last(", "text(", "integer(", "sum("};
  std::mt19937 random(7);
  int valid = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const std::size_t length = 1 + random() % 12;
    for (std::size_t k = 0; k < length; ++k) text += words[random() % words.size()] + " ";
    const auto expression = Expression::parse(text, kNames);
    if (!expression.is_ok()) continue;
    ++valid;
    const auto value = expression->evaluate(values());
    if (!value.is_ok()) continue;
    ASSERT_EQ(value->count(), *expression_count(value->shape)) << text;
    ASSERT_EQ(value->kind, expression->kind()) << text;
  }
  EXPECT_GT(valid, 100);
}

}  // namespace
}  // namespace quire
