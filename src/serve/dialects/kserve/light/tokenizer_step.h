// What a tokenizer of the repository makes of a request's tensors: ids of texts, or texts of ids.
// Bounds: kTokenizedTextMax bytes of a text, kTokenizedIdsMax ids of a request.
// Pure; worker threads. Used by light_call.
#pragma once

#include <cstddef>
#include <vector>

#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {

inline constexpr std::size_t kTokenizedTextMax = std::size_t{4} << 20;
inline constexpr std::size_t kTokenizedIdsMax = std::size_t{1} << 22;

// REQUIRES: a tokenizer, and `inputs` were checked against its face. All outputs that it has.
Parsed<std::vector<NamedTensor>> run_tokenizer(const LightModel& model,
                                               const std::vector<NamedTensor>& inputs);

}  // namespace quire
