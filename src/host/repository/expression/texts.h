// What expressions do with texts. Characters are those of UTF-8; bytes that are none count one
// each. Upper and lower case are those of ASCII.
// Each: kInvalidArgument where a result would be too large. Pure; any thread. Used by functions.
#pragma once

#include <vector>

#include "base/status.h"
#include "host/repository/expression/value.h"

namespace quire {

Status too_much_text();

Result<ExpressionValue> add_texts(const ExpressionValue& a, const ExpressionValue& b);

Result<ExpressionValue> to_integers(std::vector<ExpressionValue>& arguments);  // towards zero
Result<ExpressionValue> to_numbers(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> to_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> upper_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> lower_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> trim_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> replace_in_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> cut_texts(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> text_lengths(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> texts_contain(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> texts_start(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> texts_end(std::vector<ExpressionValue>& arguments);
Result<ExpressionValue> join_texts(std::vector<ExpressionValue>& arguments);

}  // namespace quire
