// Expression: one line of a small language over tensors, read and checked for kinds before there is
// any value: names of inputs, literals (1, 2.5, 'text', true), operators by rising strength
//   or · and · not · == != < <= > >= · + - · * / // % · -x · (...)
// and calls of functions (functions.h). There are no loops, no variables and nothing that could
// reach out of it; a value is computed by going through the expression once.
// Errors name the character at which they are.
// Bounds: kExpressionTextMax bytes, kExpressionNodesMax nodes, kExpressionDepthMax nested; of all
// values that one evaluation makes, kExpressionWorkMax elements.
// Immutable; any thread. Used by expression_terms; serve evaluates.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "host/repository/expression/functions.h"
#include "host/repository/expression/value.h"

namespace quire {

inline constexpr std::size_t kExpressionTextMax = 4096;
inline constexpr std::size_t kExpressionNodesMax = 256;
inline constexpr std::size_t kExpressionDepthMax = 32;
inline constexpr std::size_t kExpressionWorkMax = std::size_t{1} << 26;

// Where the values of inputs come from, when they are needed.
class ExpressionInputs {
 public:
  virtual ~ExpressionInputs() = default;
  virtual Result<ExpressionValue> whole(std::size_t input) const = 0;
  // As last(whole, dim), of which no more than that needs to become a value: of logits the last
  // position.
  virtual Result<ExpressionValue> last(std::size_t input, std::int64_t dim) const = 0;
};

class Expression {
 public:
  using Inputs = std::vector<std::pair<std::string, ExpressionKind>>;

  // kInvalidArgument: what is wrong, and where.
  static Result<Expression> parse(std::string_view text, const Inputs& inputs);

  ExpressionKind kind() const { return nodes_[root_].kind; }
  // Whether it looks at that input.
  bool uses(std::size_t input) const;

  // `inputs`: as they were named to parse(), of those kinds. kInvalidArgument: what is wrong with
  // the values, and where.
  Result<ExpressionValue> evaluate(const ExpressionInputs& inputs) const;

 private:
  friend class ExpressionReader;

  struct Node {
    ExpressionKind kind = ExpressionKind::kInteger;
    std::size_t at = 0;                            // in the text, from 0
    const ExpressionFunction* function = nullptr;  // null: an input or a literal
    std::vector<std::size_t> arguments;            // nodes
    bool is_input = false;
    std::size_t input = 0;
    ExpressionValue literal;
  };

  Result<ExpressionValue> value_of(std::size_t node, const ExpressionInputs& inputs,
                                   std::size_t& work) const;
  Result<ExpressionValue> call(const Node& node, const ExpressionInputs& inputs,
                               std::size_t& work) const;

  std::vector<Node> nodes_;
  std::size_t root_ = 0;
};

}  // namespace quire
