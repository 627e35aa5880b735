// The environment of an Ollama server, where a variable means the same here and no flag says
// otherwise: OLLAMA_HOST, OLLAMA_KEEP_ALIVE, OLLAMA_ORIGINS, OLLAMA_CONTEXT_LENGTH,
// OLLAMA_MAX_QUEUE. (OLLAMA_MODELS is read by the store.) Others that are set are named in the log.
// Main thread. Used by serve.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/serve_arguments.h"

namespace quire {

struct OllamaVariable {
  std::string said;         // a sentence for the log
  bool is_mistake = false;  // its value is none
};

// `value` tells what a variable is set to. What was taken, or is set and does nothing here.
std::vector<OllamaVariable> take_ollama_environment(
    const std::function<std::optional<std::string>(const std::string& name)>& value,
    ServeArguments& arguments);

}  // namespace quire
