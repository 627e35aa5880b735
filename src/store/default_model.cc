#include "store/default_model.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "store/packaged_model.h"

namespace quire::store {

Result<Manifest> adopt_default_model(const LocalStore& store) {
  const PackagedModel* model = find_packaged_model(kDefaultModelEntry);
  QUIRE_CHECK(model != nullptr, "no row for {}", kDefaultModelEntry);
  const Manifest manifest = manifest_of(*model);
  const StoredFile& file = manifest.files.front();
  const std::string path = store.model_folder(kDefaultModelEntry) + "/" + file.name;
  struct stat info{};
  const bool is_old_file = ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
                           static_cast<std::uint64_t>(info.st_size) == file.size;
  if (!is_old_file) {
    return error(StatusCode::kNotFound, "no file '{}' of an older version", path);
  }
  QUIRE_ASSIGN_OR_RETURN(const FileLock held, store.hold());
  QUIRE_ASSIGN_OR_RETURN(const Checksum sum, checksum_of_file(path));
  if (sum != file.checksum) {
    return error(StatusCode::kCorrupt, "'{}' is not the default model: its checksum is wrong",
                 path);
  }
  // The bytes stay where they are: the blob is another name of them; the old one becomes a link.
  if (!store.has_blob(file.checksum, file.size) &&
      ::link(path.c_str(), store.blob_path(file.checksum).c_str()) != 0) {
    return error(StatusCode::kUnavailable, "cannot take '{}' into the store", path);
  }
  QUIRE_RETURN_IF_ERROR(store.add(manifest));
  return manifest;
}

}  // namespace quire::store
