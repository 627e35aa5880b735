// What the numbers of a model may be, by the names of vLLM's flags: one table for the flags of the
// process, a config of the repository and a model.json. Whether that much fits into the machine
// says the memory plan.
// Plain values; any thread. Used by model_config, version_folder and apps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "engine/engine.h"

namespace quire {

struct ModelBound {
  std::string_view name;
  std::uint32_t max = 0;  // from 1
};

inline constexpr ModelBound kModelBounds[] = {{"max_model_len", 1u << 24},
                                              {"max_num_seqs", 65'536},
                                              {"max_num_batched_tokens", 65'536},
                                              {"max_queue", 1u << 20},
                                              {"data_parallel_size", kInstancesMax}};

// The rows of a request, and what is shown as max_batch_size, where a config says nothing of it.
inline constexpr std::uint32_t kShownBatchMax = 64;

// REQUIRES: it is one of these names.
constexpr std::uint32_t model_bound(std::string_view name) {
  const ModelBound* found = std::find_if(std::begin(kModelBounds), std::end(kModelBounds),
                                         [&](const ModelBound& it) { return it.name == name; });
  return found->max;
}

}  // namespace quire
