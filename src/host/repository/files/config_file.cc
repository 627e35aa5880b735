#include "host/repository/files/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/file.h"
#include "host/repository/config_text.h"
#include "host/repository/files/model_bounds.h"
#include "host/repository/files/model_folders.h"
#include "host/repository/version_folder.h"

namespace quire {
namespace {

constexpr std::size_t kLabelsBytesMax = std::size_t{8} << 20;

}  // namespace

Result<ConfigFile> read_config_file(const std::string& folder, const std::string& name) {
  ConfigFile file;
  const std::string path = folder + "/config.pbtxt";
  if (is_file(path)) {  // what is there and cannot be read is no config of defaults
    QUIRE_ASSIGN_OR_RETURN(file.text, read_file(path, kConfigBytesMax));
  }
  Result<ModelConfig> config = parse_model_config(file.text, name);
  if (!config.is_ok()) {
    return error(config.status().code(), "config.pbtxt: {}", config.status().message());
  }
  file.config = std::move(*config);
  return file;
}

Result<ModelConfig> read_step_config(const std::string& folder, const std::string& name,
                                     std::uint64_t version) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<VersionFolder> there, find_versions(folder));
  const bool has_version = std::any_of(there.begin(), there.end(), [&](const VersionFolder& it) {
    return version == 0 || it.version == version;
  });
  if (!has_version) {
    return error(StatusCode::kNotFound, "the repository has no {} of that model",
                 version == 0 ? std::string("version") : fmt::format("version {}", version));
  }
  QUIRE_ASSIGN_OR_RETURN(ConfigFile file, read_config_file(folder, name));
  return std::move(file.config);
}

void forget_shown_batch(const ModelConfig& own, ModelConfig& asked) {
  if (own.settles_batch() || !has_engine(asked) || asked.batch_max != kShownBatchMax) return;
  if (asked.overrides.rows_max != asked.batch_max) return;  // max_num_seqs says it
  asked.overrides.rows_max = 0;
  asked.warnings.push_back(fmt::format(
      "'max_batch_size' {0} is what is shown of a config that has none: it bounds a request, not "
      "how many are computed for at once, which 'parameters[max_num_seqs]' does", kShownBatchMax));
}

Status read_labels(const std::string& folder, ModelConfig& config) {
  for (ModelTensor& output : config.outputs) {
    if (output.label_filename.empty()) continue;
    if (output.label_filename.find("..") != std::string::npos) {
      return error(StatusCode::kInvalidArgument, "'output.label_filename' '{}' leaves the folder",
                   output.label_filename);
    }
    auto text = read_file(folder + "/" + output.label_filename, kLabelsBytesMax);
    if (!text.is_ok()) {
      return error(StatusCode::kInvalidArgument, "'output.label_filename': {}",
                   text.status().message());
    }
    config.warnings.push_back(fmt::format(
        "'output.label_filename' of '{}' does nothing here: answers have no classes", output.name));
    std::string line;
    for (const char c : *text + "\n") {
      if (c != '\n') {
        line += c == '\r' ? "" : std::string(1, c);
      } else if (!line.empty()) {
        output.labels.push_back(std::exchange(line, {}));
      }
    }
  }
  return ok_status();
}

}  // namespace quire
