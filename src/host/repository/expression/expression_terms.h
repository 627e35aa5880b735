// The backend of expressions: a model of the repository each of whose outputs is an expression over
// its inputs, which a parameter of the output's name holds:
//   parameters { key: "NEXT" value { string_value: "argmax(last(LOGITS, 1), -1)" } }
// Inputs are texts (TYPE_STRING), integers, bools, TYPE_FP32 and TYPE_FP64; so are outputs, whose
// expressions must be of a kind that becomes the declared type. With max_batch_size dimension 0 of
// every value is the batch.
// Immutable; any thread. Used by light_model; serve evaluates it.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "host/repository/expression/expression.h"
#include "host/repository/model_config.h"

namespace quire {

struct ExpressionTerms {
  Expression::Inputs inputs;            // as the config's
  std::vector<Expression> outputs;      // as the config's
};

// kInvalidArgument names the field, and of an expression the character.
Result<ExpressionTerms> read_expression_terms(const ModelConfig& config);

}  // namespace quire
