// Models that travel in Python wheels of pinned versions and checksums: the default model and a
// small embedder, one row of a table each. A wheel is fetched, the files of the model are taken out
// of it and checked, and the wheel is dropped.
// Any thread. Called by pull.
#pragma once

#include <string_view>
#include <vector>

#include "store/hub/remote_file.h"
#include "store/local_store.h"

namespace quire::store {

struct PackagedFile {
  const char* member;  // of the archive
  const char* name;    // in the model's folder
  std::uint64_t size;  // bytes
  const char* sha256;
};

struct PackagedModel {
  const char* entry;  // in the store
  const char* title;  // for people
  const char* package;
  const char* version;
  PackagedFile wheel;               // whose member is nothing
  std::vector<PackagedFile> files;  // the largest first
};

// Null: there is no such row.
const PackagedModel* find_packaged_model(std::string_view entry);
std::vector<std::string_view> packaged_model_names();

// Before its files are here or not: what the store will say of it.
Manifest manifest_of(const PackagedModel& model);

// The blobs, fetched if one is missing; the caller holds the store and adds the manifest.
Result<Manifest> fetch_packaged_model(const LocalStore& store, const PackagedModel& model,
                                      const net::Limits& limits, FetchObserver& observer);

}  // namespace quire::store
