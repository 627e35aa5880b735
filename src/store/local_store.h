// LocalStore: where models live on this machine, and which one is the default. The folder is
// ${QUIRE_HOME:-$HOME/.local/share/quire}; tools/fetch_model.sh fills it. Reads only; any thread.
// Used by apps when no MODEL was named.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

inline constexpr const char* kDefaultModelName = "SmolLM2-135M-Instruct";

// ${QUIRE_HOME:-$HOME/.local/share/quire}; an error when neither variable is set.
Result<std::string> store_folder();

// The path of the default model's file, or a sentence that says how to get it.
Result<std::string> default_model_path();

}  // namespace quire
