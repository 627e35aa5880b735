// The config of a model as it lies in its folder, and what it names there.
// Bounds: kConfigBytesMax of a config, 8 MiB of labels. Reads files; any thread.
// Used by folder_repository.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "host/repository/model_config.h"

namespace quire {

struct ConfigFile {
  std::string text;  // empty: there is no config.pbtxt, everything has its default
  ModelConfig config;
};

// Errors as parse_model_config, with the file's name before them.
Result<ConfigFile> read_config_file(const std::string& folder, const std::string& name);

// Of a model that an ensemble names, served or not. kNotFound: it has no such version; 0: none.
Result<ModelConfig> read_step_config(const std::string& folder, const std::string& name,
                                     std::uint64_t version);

// Of a config that came with an order: the batch that is shown where the folder's own says nothing
// of one bounds the rows of a request, as it did; it is nobody's word on how many are computed for
// at once. That this is so is told in its warnings.
void forget_shown_batch(const ModelConfig& own, ModelConfig& asked);

// The files of labels that its outputs name, a line each, into the config.
Status read_labels(const std::string& folder, ModelConfig& config);

}  // namespace quire
