// manifest_json: a model of the store as `quire list --json` and `quire show --json` tell it: its
// name, origin, size, path and files. Pure but for the path, whose links it may make.
// Main thread. Called by list and show.
#pragma once

#include "base/json.h"
#include "store/local_store.h"

namespace quire {

inline Json manifest_json(const store::LocalStore& store, const store::Manifest& manifest) {
  Json files = Json::array();
  for (const store::StoredFile& file : manifest.files) {
    files.push(Json::object(
        {{"name", file.name}, {"size", file.size}, {"checksum", file.checksum.text()}}));
  }
  const auto path = store.path_of(manifest);
  return Json::object({{"name", manifest.name},
                       {"source", manifest.source},
                       {"revision", manifest.revision},
                       {"fetched_at", manifest.fetched_at},
                       {"size", manifest.bytes()},
                       {"path", path.is_ok() ? Json(*path) : Json()},
                       {"files", std::move(files)}});
}

}  // namespace quire
