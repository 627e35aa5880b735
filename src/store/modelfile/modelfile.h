// Modelfile: how Ollama's users describe a model: FROM some weights, then TEMPLATE, SYSTEM,
// PARAMETER, MESSAGE, LICENSE and the like, each once or more, in any order. Values are bare to the
// end of their line, or between " or """ over several lines. Files come from anybody: size and
// counts are bounded, and what is wrong is told with its line, as Ollama tells it.
// Pure; any thread. Used by apps (quire create) and serve.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/modelfile/model_dress.h"

namespace quire::store {

inline constexpr std::size_t kModelfileMax = std::size_t{4} << 20;  // bytes

struct Modelfile {
  static constexpr std::size_t kAdaptersMax = 8;

  std::vector<std::string> from;      // at least one
  std::vector<std::string> adapters;  // ADAPTER: all of them, in their order; DRAFT: files
  std::vector<std::string> drafts;
  ModelDress dress;
  std::vector<std::string> warnings;  // of what Ollama itself has given up
};

// "(line 3): ...", "no FROM line", "unexpected EOF", "unknown parameter 'x'".
Result<Modelfile> parse_modelfile(std::string_view text);

// As REQUIRES has them: "0.14.0", "v1.2.3-rc1".
bool is_version(std::string_view text);

}  // namespace quire::store
