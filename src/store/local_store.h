// LocalStore: the models on this machine, under ${QUIRE_HOME:-$HOME/.local/share/quire}:
//   blobs/sha256-...          the bytes of files, named by their checksum, never changed
//   manifests/NAME.json       a model: its files and their blobs (manifest.h); replaced as a whole
//   models/NAME/FILE          links to the blobs under the names that model files need; those of
//                             adapters in folders .adapter-1, .adapter-2 and so on
//   partial/                  what is being fetched (partial_file.h)
//   locks/                    store.lock and one for each blob that is being fetched
// A manifest is written after its blobs, so that a crash leaves at most bytes that nobody names;
// collect() frees those. Who fetches holds the store (shared), who collects locks it exclusively.
// Reading takes no lock and writes nothing while the links are right. Any process, any thread.
// Used by apps through model_path, and by pull.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/file_lock.h"
#include "store/manifest.h"

namespace quire::store {

// ${QUIRE_HOME:-$HOME/.local/share/quire}; an error when neither variable is set.
Result<std::string> store_folder();

class LocalStore {
 public:
  struct Listing {
    std::vector<Manifest> models;  // by name
    std::vector<Status> problems;  // manifests that cannot be read
  };

  static Result<LocalStore> open();  // in store_folder(), which need not exist
  explicit LocalStore(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }

  Listing list() const;
  Result<Manifest> find(const std::string& name) const;  // kNotFound if there is none
  // What open_model takes: a file, or the folder of a model of many. Makes links that are missing.
  Result<std::string> path_of(const Manifest& manifest) const;
  // Of its adapters, in their order: a GGUF file, or a folder. The links are made by path_of.
  std::vector<std::string> adapter_paths(const Manifest& manifest) const;

  // Blobs must be there.
  Status add(const Manifest& manifest) const;
  Status copy(const std::string& from, const std::string& to) const;
  Result<std::uint64_t> remove(const std::string& name) const;  // bytes freed

  std::string blob_path(const Checksum& checksum) const;
  bool has_blob(const Checksum& checksum, std::uint64_t size) const;
  // Makes a finished and verified file a blob: durable, read-only, under its name.
  Status place_blob(const std::string& path, const Checksum& checksum) const;

  // Makes the folders; while the lock is held nothing is collected.
  Result<FileLock> hold() const;
  std::string lock_path(const Checksum& checksum) const;
  std::string partial_folder(const Checksum& checksum) const;
  std::string model_folder(const std::string& name) const;

  // Frees those of the `dropped` files that no manifest names, and whatever was left unnamed or
  // unfinished a week ago; the bytes freed. Nothing while somebody holds the store: a later call
  // finds it.
  Result<std::uint64_t> collect(const std::vector<StoredFile>& dropped = {}) const;

 private:
  std::string manifest_path(const std::string& name) const;
  Status link_file(const std::string& folder, const StoredFile& file) const;
  std::uint64_t free_unnamed_blobs(const std::vector<StoredFile>& dropped) const;
  std::uint64_t free_stale_partials() const;
  void drop_unnamed_links() const;

  std::string folder_;
};

}  // namespace quire::store
