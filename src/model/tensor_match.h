// match_tensors: the tensors of a checkpoint under the canonical names of a model's rules. A file
// must have each of them with its shape, and none that no rule knows: an unknown tensor is an
// unknown feature.
// Pure function; any thread. Used by model_files.
#pragma once

#include <map>
#include <string>

#include "formats/checkpoint.h"
#include "model/tensor_rules.h"

namespace quire {

using TensorMap = std::map<std::string, TensorView, std::less<>>;  // by canonical name

Result<TensorMap> match_tensors(const TensorRules& rules, const Checkpoint& checkpoint,
                                std::string_view architecture);

}  // namespace quire
