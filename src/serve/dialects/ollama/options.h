// Ollama's `options`, which are a Modelfile's PARAMETERs too: each acts, or is named in a warning,
// or is refused by name. What stands before the rest of a file's parameters stands before a
// request's: built-in defaults, then the model's own, then what the client says.
// Pure; worker threads. Used by the Ollama dialect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "core/request.h"
#include "host/hosted_model.h"
#include "serve/intake/api_error.h"
#include "serve/intake/tools/warning.h"

namespace quire {

struct OllamaOptions {
  SamplingParams params;
  std::optional<std::int64_t> tokens_max;  // of the answer; nothing: as many as fit
  std::uint32_t context_max = 0;           // positions, prompt and answer; 0: the model's
  std::uint32_t keep_first = 4;            // tokens that stay where a prompt is cut
};

// What holds where nobody says anything.
OllamaOptions default_options(const HostedModel* model);

// Those that the model brings along; what is no value of an option is left out, with a warning.
void take_own_options(const Json& own, const HostedModel* model, OllamaOptions& options,
                      std::vector<Warning>& warnings);

// One layer over what is there. The error names the option as Ollama does.
std::optional<ApiError> take_options(const Json& asked, const HostedModel* model,
                                     OllamaOptions& options, std::vector<Warning>& warnings);

// After the last layer: what belongs together.
void settle_options(OllamaOptions& options, std::vector<Warning>& warnings);

// One of each code and field; at most 64.
void add_warning(std::vector<Warning>& warnings, Warning warning);
// {"warnings": [...]} in `body`; nothing where there is none.
void set_warnings(const std::vector<Warning>& warnings, Json& body);

}  // namespace quire
