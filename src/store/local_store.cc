#include "store/local_store.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace quire {
namespace {

constexpr const char* kDefaultModelFile = "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

Result<std::string> store_folder() {
  if (const char* home = variable("QUIRE_HOME")) return std::string(home);
  if (const char* home = variable("HOME")) return std::string(home) + "/.local/share/quire";
  return error(StatusCode::kNotFound,
               "neither QUIRE_HOME nor HOME is set, so there is no local store of models; name a "
               "model file or set QUIRE_HOME");
}

Result<std::string> default_model_path() {
  QUIRE_ASSIGN_OR_RETURN(const std::string folder, store_folder());
  std::string path = folder + "/" + kDefaultModelFile;
  std::error_code failure;
  if (std::filesystem::is_regular_file(path, failure)) return path;
  return error(StatusCode::kNotFound,
               "the default model is not here yet: no file {}. Fetch it once with "
               "tools/fetch_model.sh (./run does that by itself), or name a model: "
               "quire serve FILE.gguf",
               path);
}

}  // namespace quire
