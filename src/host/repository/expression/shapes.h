// What expressions do along a dimension (the last where none is named; -1 is the last, too), and
// with shapes. What picks or sums leaves the dimension out; last and slice keep it.
// Each: kInvalidArgument where there is no such dimension, or a result would be too large. Pure;
// any thread. Used by functions.
#pragma once

#include <vector>

#include "base/status.h"
#include "host/repository/expression/value.h"

namespace quire {

// The first of equals; NaN is not looked at.
Result<ExpressionValue> largest_places(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> smallest_places(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> largest_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> smallest_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> sum_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> mean_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> softmax_along(std::vector<ExpressionValue>& arguments);

Result<ExpressionValue> last_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> slice_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> concat_along(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> reshape_value(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> size_along(std::vector<ExpressionValue>& arguments);

}  // namespace quire
