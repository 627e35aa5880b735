// What lies in a model's folder: its numbered versions, and in each what is to be served. A stamp
// changes when a file is written, comes or goes, so that a look tells whether something changed
// without reading it.
// Bounds: kVersionsMax versions of a model, kFilesMax files of a version, folders kFoldersMax deep.
// Reads names and attributes only, but for model.json. Any thread. Used by folder_repository.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "host/model_catalog.h"
#include "host/repository/model_config.h"

namespace quire {

inline constexpr std::size_t kVersionsMax = 256;
inline constexpr std::size_t kFilesMax = 10'000;

struct VersionFolder {
  std::uint64_t version = 0;
  std::string path;
  std::uint64_t stamp = 0;
};

// Folders whose names are positive integers without leading zeros, ascending; others are no
// versions. One that is there and cannot be looked at is one, which nobody can load now.
// kUnavailable: all of it cannot be read now.
Result<std::vector<VersionFolder>> find_versions(const std::string& model_folder);

// Of every file in it; 0: there is none.
std::uint64_t stamp_of(const std::string& folder);

// What a version serves: a path, or a name of the store.
struct VersionSource {
  std::string source;
  ModelOverrides overrides;
  std::vector<std::string> warnings;
};

// The config's parameter "model"; or the file that it names; or model.json, as vLLM's backend has
// it; or the folder, where it has a config.json; or its only model file. Paths in the config and in
// model.json begin at the version's folder.
Result<VersionSource> find_source(const VersionFolder& version, const ModelConfig& config);

// A config that came with a request may name files of the version's folder, models of the store
// and whatever `own`, the config of the model's folder, names by the same parameter; and no other
// file of this machine: kInvalidArgument names the parameter.
Status check_asked_files(const VersionFolder& version, const ModelConfig& config,
                         const ModelConfig& own);

}  // namespace quire
