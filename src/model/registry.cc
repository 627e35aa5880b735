#include "model/registry.h"

#include "model/arch/llama.h"

namespace quire {
namespace {

using Builder = Result<std::unique_ptr<Model>> (*)(const ModelConfig&, const TensorFinder&,
                                                   Backend&, const ModelOptions&,
                                                   const LoadProgress&);
struct Architecture {
  std::string_view name;
  Builder build;
};

constexpr Architecture kArchitectures[] = {
    {"llama", make_llama},
    {"mistral", make_llama},
    {"qwen2", make_llama},
    {"qwen3", make_llama},
};

}  // namespace

Result<std::unique_ptr<Model>> make_model(const ModelConfig& config, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress) {
  std::string known;
  for (const Architecture& row : kArchitectures) {
    if (row.name == config.architecture) {
      return row.build(config, find, backend, options, progress);
    }
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return error(StatusCode::kUnsupported, "architecture '{}' is not known; known are {}",
               config.architecture, known);
}

}  // namespace quire
