#include "store/local_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "store/model_name.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kManifestBytesMax = std::size_t{4} << 20;
constexpr std::int64_t kStaleSeconds = 7 * 24 * 3600;
constexpr const char* kFolders[] = {"blobs", "manifests", "models", "partial", "locks"};

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// After a rename: so that the new name outlives a power failure.
Status sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (is_synced) return ok_status();
  return error(StatusCode::kInternal, "cannot sync '{}': {}", path, std::strerror(reason));
}

// The entries of a folder, sorted; none if it cannot be read.
std::vector<fs::path> entries(const std::string& folder) {
  std::error_code failure;
  std::vector<fs::path> paths;
  for (auto at = fs::directory_iterator(folder, failure);
       !failure && at != fs::directory_iterator(); at.increment(failure)) {
    paths.push_back(at->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::int64_t seconds_since_change(const fs::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return 0;
  return SteadyClock::unix_seconds() - info.st_mtime;
}

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t sum = 0;
  for (const fs::path& path : entries(folder)) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) sum += std::uint64_t{512} * info.st_blocks;
  }
  return sum;
}

// No file of a model has such a name: it is hidden.
std::string adapter_folder(std::size_t index) { return fmt::format(".adapter-{}", index + 1); }

// All files of a model under the names of their links.
std::vector<StoredFile> linked_files(const Manifest& manifest) {
  std::vector<StoredFile> files = manifest.files;
  for (std::size_t i = 0; i < manifest.adapters.size(); ++i) {
    for (StoredFile file : manifest.adapters[i].files) {
      file.name = adapter_folder(i) + "/" + file.name;
      files.push_back(std::move(file));
    }
  }
  return files;
}

std::string link_target(const StoredFile& file) {
  const bool is_inside = file.name.find('/') != std::string::npos;  // of a folder of the model
  return (is_inside ? "../../../blobs/" : "../../blobs/") + file.checksum.text();
}

// Links of what the model was before.
void remove_others(const std::string& folder, const std::string& prefix,
                   const std::set<std::string>& names) {
  std::error_code failure;
  for (const fs::path& path : entries(folder)) {
    const std::string name = path.filename();
    if (fs::is_symlink(path, failure)) {
      if (!name.starts_with('.') && !names.contains(prefix + name)) fs::remove(path, failure);
    } else if (prefix.empty() && fs::is_directory(path, failure)) {
      remove_others(path, name + "/", names);
      const auto inside = names.lower_bound(name + "/");
      const bool is_used = inside != names.end() && inside->starts_with(name + "/");
      if (!is_used) fs::remove(path, failure);  // if it is empty
    }
  }
}

// With the folder, if nothing else is in it; and the same of those in it, where `is_deep`.
void drop_links(const fs::path& folder, bool is_deep) {
  std::error_code failure;
  for (const fs::path& path : entries(folder)) {
    if (fs::is_symlink(path, failure)) {
      fs::remove(path, failure);
    } else if (is_deep && fs::is_directory(path, failure)) {
      drop_links(path, false);
    }
  }
  ::rmdir(folder.c_str());
}

Result<Manifest> read_manifest(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kManifestBytesMax));
  auto manifest = parse_manifest(text);
  if (manifest.is_ok()) return manifest;
  return error(manifest.status().code(), "the manifest '{}' cannot be used: {}", path,
               manifest.status().message());
}

}  // namespace

Result<std::string> store_folder() {
  if (const char* home = variable("QUIRE_HOME")) return std::string(home);
  if (const char* home = variable("HOME")) return std::string(home) + "/.local/share/quire";
  return error(StatusCode::kNotFound,
               "neither QUIRE_HOME nor HOME is set, so there is no local store of models; name a "
               "model file or set QUIRE_HOME");
}

Result<LocalStore> LocalStore::open() {
  QUIRE_ASSIGN_OR_RETURN(std::string folder, store_folder());
  return LocalStore(std::move(folder));
}

std::string LocalStore::manifest_path(const std::string& name) const {
  return folder_ + "/manifests/" + escaped_name(name) + ".json";
}

std::string LocalStore::model_folder(const std::string& name) const {
  return folder_ + "/models/" + escaped_name(name);
}

std::string LocalStore::blob_path(const Checksum& checksum) const {
  return folder_ + "/blobs/" + checksum.text();
}

std::string LocalStore::lock_path(const Checksum& checksum) const {
  return folder_ + "/locks/" + checksum.text();
}

std::string LocalStore::partial_folder(const Checksum& checksum) const {
  return folder_ + "/partial/" + checksum.text();
}

LocalStore::Listing LocalStore::list() const {
  Listing listing;
  for (const fs::path& path : entries(folder_ + "/manifests")) {
    if (path.extension() != ".json") continue;
    auto manifest = read_manifest(path);
    if (!manifest.is_ok()) {
      listing.problems.push_back(manifest.status());
    } else {
      listing.models.push_back(std::move(manifest).value());
    }
  }
  return listing;
}

Result<Manifest> LocalStore::find(const std::string& name) const {
  const std::string path = manifest_path(name);
  auto manifest = read_manifest(path);
  if (manifest.status().code() == StatusCode::kNotFound) {
    return error(StatusCode::kNotFound, "the store {} has no model '{}'", folder_, name);
  }
  if (manifest.is_ok() && manifest->name != name) {
    return error(StatusCode::kCorrupt, "the manifest '{}' is of another model, '{}'", path,
                 manifest->name);
  }
  return manifest;
}

Status LocalStore::link_file(const std::string& folder, const StoredFile& file) const {
  static std::atomic<unsigned> links{0};  // so that two threads do not make the same one
  const std::string path = folder + "/" + file.name;
  const std::string target = link_target(file);
  std::error_code failure;
  if (fs::read_symlink(path, failure) == target) return ok_status();
  fs::create_directories(fs::path(path).parent_path(), failure);
  const std::string temporary = fmt::format("{}/.link.{}.{}", folder, ::getpid(), ++links);
  ::unlink(temporary.c_str());  // of a process that had this number before us
  if (::symlink(target.c_str(), temporary.c_str()) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return error(StatusCode::kUnavailable, "cannot link '{}': {}", path, std::strerror(reason));
  }
  return ok_status();
}

Result<std::string> LocalStore::path_of(const Manifest& manifest) const {
  const std::string folder = model_folder(manifest.name);
  std::error_code failure;
  fs::create_directories(folder, failure);
  std::set<std::string> names;
  std::string first_part;
  for (const StoredFile& file : linked_files(manifest)) {
    if (!has_blob(file.checksum, file.size)) {
      return error(StatusCode::kCorrupt,
                   "the store has lost {} of the model '{}'; fetch it again with: quire pull {}",
                   file.name, manifest.name, manifest.name);
    }
    QUIRE_RETURN_IF_ERROR(link_file(folder, file));
    names.insert(file.name);
    if (file.name.starts_with('.')) continue;  // of an adapter
    const bool is_candidate = file.name.ends_with(".gguf") || manifest.files.size() == 1;
    if (is_candidate && (first_part.empty() || file.name < first_part)) first_part = file.name;
  }
  remove_others(folder, "", names);
  return first_part.empty() ? folder : folder + "/" + first_part;
}

std::vector<std::string> LocalStore::adapter_paths(const Manifest& manifest) const {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < manifest.adapters.size(); ++i) {
    const std::vector<StoredFile>& files = manifest.adapters[i].files;
    std::string path = model_folder(manifest.name) + "/" + adapter_folder(i);
    paths.push_back(files.size() == 1 ? path + "/" + files[0].name : path);
  }
  return paths;
}

Status LocalStore::add(const Manifest& manifest) const {
  QUIRE_RETURN_IF_ERROR(replace_file(manifest_path(manifest.name), dump_manifest(manifest)));
  QUIRE_RETURN_IF_ERROR(sync_folder(folder_ + "/manifests"));
  return path_of(manifest).status();
}

Status LocalStore::copy(const std::string& from, const std::string& to) const {
  QUIRE_ASSIGN_OR_RETURN(const ModelName name, ModelName::parse(to));
  if (name.is_remote()) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is a name of the hub; a copy has a name of yours, without 'hf:'", to);
  }
  QUIRE_ASSIGN_OR_RETURN(const FileLock held, hold());
  QUIRE_ASSIGN_OR_RETURN(Manifest manifest, find(from));
  if (find(to).status().code() != StatusCode::kNotFound) {
    return error(StatusCode::kInvalidArgument,
                 "there is a model '{}' already; remove it first with: quire rm {}", to, to);
  }
  manifest.name = to;
  return add(manifest);
}

Result<std::uint64_t> LocalStore::remove(const std::string& name) const {
  const std::string path = manifest_path(name);
  const auto manifest = find(name);  // one that cannot be read is removed too
  std::error_code failure;
  if (!fs::remove(path, failure)) {
    if (!failure) {
      return error(StatusCode::kNotFound, "the store {} has no model '{}'", folder_, name);
    }
    return error(StatusCode::kUnavailable, "cannot remove '{}': {}", path, failure.message());
  }
  fs::remove_all(model_folder(name), failure);
  return collect(manifest.is_ok() ? manifest->all_files() : std::vector<StoredFile>());
}

bool LocalStore::has_blob(const Checksum& checksum, std::uint64_t size) const {
  struct stat info{};
  return ::stat(blob_path(checksum).c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == size;
}

Status LocalStore::place_blob(const std::string& path, const Checksum& checksum) const {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_placed = fd >= 0 && ::fchmod(fd, 0444) == 0 && ::fsync(fd) == 0 &&
                         ::rename(path.c_str(), blob_path(checksum).c_str()) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (!is_placed) {
    return error(StatusCode::kUnavailable, "cannot move '{}' to the blobs of the store: {}", path,
                 std::strerror(reason));
  }
  return sync_folder(folder_ + "/blobs");
}

Result<FileLock> LocalStore::hold() const {
  for (const char* name : kFolders) {
    std::error_code failure;
    fs::create_directories(folder_ + "/" + name, failure);
    if (failure) {
      return error(StatusCode::kUnavailable,
                   "cannot make the folder '{}/{}': {}; QUIRE_HOME names another place", folder_,
                   name, failure.message());
    }
  }
  return FileLock::acquire(folder_ + "/locks/store.lock", FileLock::Mode::kShared);
}

std::uint64_t LocalStore::free_unnamed_blobs(const std::vector<StoredFile>& dropped) const {
  const Listing listing = list();
  if (!listing.problems.empty()) return 0;  // what they name is not known
  std::set<std::string> named;
  for (const Manifest& manifest : listing.models) {
    for (const StoredFile& file : manifest.all_files()) named.insert(file.checksum.text());
  }
  std::uint64_t freed = 0;
  for (const fs::path& path : entries(folder_ + "/blobs")) {
    const std::string name = path.filename();
    const bool is_dropped =
        std::any_of(dropped.begin(), dropped.end(),
                    [&](const StoredFile& file) { return file.checksum.text() == name; });
    const bool is_stale = seconds_since_change(path) >= kStaleSeconds;
    if (named.contains(name) || !(is_dropped || is_stale)) continue;
    std::error_code failure;
    const std::uintmax_t size = fs::file_size(path, failure);
    if (fs::remove(path, failure)) freed += size;
  }
  return freed;
}

std::uint64_t LocalStore::free_stale_partials() const {
  std::uint64_t freed = 0;
  for (const fs::path& path : entries(folder_ + "/partial")) {
    std::int64_t age = seconds_since_change(path);
    for (const fs::path& file : entries(path)) age = std::min(age, seconds_since_change(file));
    std::error_code failure;
    const bool is_finished = fs::exists(folder_ + "/blobs/" + path.filename().string(), failure);
    if (age < kStaleSeconds && !is_finished) continue;
    freed += bytes_below(path);
    fs::remove_all(path, failure);
  }
  return freed;
}

// Of models without a manifest: of a crash between removing the one and the other.
void LocalStore::drop_unnamed_links() const {
  std::error_code failure;
  for (const fs::path& folder : entries(folder_ + "/models")) {
    const std::string name = folder.filename();
    if (fs::exists(folder_ + "/manifests/" + name + ".json", failure)) continue;
    drop_links(folder, true);
  }
}

Result<std::uint64_t> LocalStore::collect(const std::vector<StoredFile>& dropped) const {
  const std::string store_lock = folder_ + "/locks/store.lock";
  QUIRE_ASSIGN_OR_RETURN(auto lock,
                         FileLock::try_acquire(store_lock, FileLock::Mode::kExclusive));
  if (!lock) return std::uint64_t{0};
  const std::uint64_t freed = free_unnamed_blobs(dropped) + free_stale_partials();
  drop_unnamed_links();
  for (const fs::path& path : entries(folder_ + "/locks")) {  // nobody holds or awaits these
    std::error_code failure;
    if (path != store_lock) fs::remove(path, failure);
  }
  for (const fs::path& path : entries(folder_ + "/manifests")) {
    std::error_code failure;
    if (path.extension() == ".tmp" && seconds_since_change(path) > kStaleSeconds) {
      fs::remove(path, failure);
    }
  }
  return freed;
}

}  // namespace quire::store
