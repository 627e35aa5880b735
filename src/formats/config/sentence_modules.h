// What sentence-transformers writes beside a model: modules.json with the folders of a Pooling
// module, of Dense modules and of a Normalize module. They become one JSON object, under which
// readers of configurations find it as the field "modules.json":
//   {"pooling": "cls" | "mean" | "lasttoken", "is_normalised": bool, "leaves_prompts_out": true,
//    "dense_0": {"folder", "in_features", "out_features", "bias", "activation_function"}, ...}
// What is asked for and not known is refused by file and field.
// Pure functions of the directory; any thread. Used by hf_config and checkpoint.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire {

inline constexpr const char* kModulesField = "modules.json";
inline constexpr const char* kLeavesPromptsOut = "leaves_prompts_out";  // in it, if so

// Null where the directory has no modules.json.
Result<Json> read_sentence_modules(const std::string& directory);

// Of what the former returned: the folders that hold weights, in their order.
std::vector<std::string> dense_folders(const Json& modules);

}  // namespace quire
