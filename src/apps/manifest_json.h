// manifest_json: a model of the store as `quire list --json` and `quire show --json` tell it: its
// name, origin, size, path and files. Pure but for the path, whose links it may make.
// Main thread. Called by list and show.
#pragma once

#include "base/json.h"
#include "store/local_store.h"

namespace quire {

inline Json stored_files_json(const std::vector<store::StoredFile>& stored) {
  Json files = Json::array();
  for (const store::StoredFile& file : stored) {
    files.push(Json::object(
        {{"name", file.name}, {"size", file.size}, {"checksum", file.checksum.text()}}));
  }
  return files;
}

inline Json manifest_json(const store::LocalStore& store, const store::Manifest& manifest) {
  const auto path = store.path_of(manifest);
  Json all = Json::object({{"name", manifest.name},
                           {"source", manifest.source},
                           {"revision", manifest.revision},
                           {"fetched_at", manifest.fetched_at},
                           {"size", manifest.bytes()},
                           {"path", path.is_ok() ? Json(*path) : Json()},
                           {"files", stored_files_json(manifest.files)}});
  if (manifest.adapters.empty()) return all;
  Json adapters = Json::array();
  const std::vector<std::string> paths = store.adapter_paths(manifest);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    adapters.push(Json::object({{"path", paths[i]},
                                {"files", stored_files_json(manifest.adapters[i].files)}}));
  }
  all.set("adapters", std::move(adapters));
  return all;
}

}  // namespace quire
