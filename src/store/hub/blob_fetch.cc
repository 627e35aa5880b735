#include "store/hub/blob_fetch.h"

#include <sys/statvfs.h>

#include "store/human.h"

namespace quire::store {
namespace {

constexpr std::uint64_t kRoomToSpare = std::uint64_t{64} << 20;

// What was fetched is there for the next attempt, and a person should know.
Status with_what_is_kept(const Status& status, const RemoteFile& remote, const PartialFile& file) {
  if (file.bytes_complete() == 0) {
    return error(status.code(), "cannot fetch {}: {}", remote.file.name, status.message());
  }
  return error(status.code(),
               "cannot fetch {}: {}. {} of {} are kept: the same command goes on there",
               remote.file.name, status.message(), human_bytes(file.bytes_complete()),
               human_bytes(file.size()));
}

Status fetch_and_verify(const RemoteFile& remote, const net::Limits& limits, PartialFile& file,
                        const std::function<void(std::uint64_t)>& advance) {
  const Status fetched = fetch_ranges(remote.bytes, limits, file, advance);
  if (fetched.code() == StatusCode::kCorrupt) {
    file.discard();
    return error(StatusCode::kCorrupt, "cannot fetch {}: {}", remote.file.name, fetched.message());
  }
  if (!fetched.is_ok()) return with_what_is_kept(fetched, remote, file);
  QUIRE_ASSIGN_OR_RETURN(const Checksum sum, file.checksum(remote.file.checksum.kind));
  if (sum == remote.file.checksum) return ok_status();
  file.discard();
  return error(StatusCode::kCorrupt,
               "{} came with the wrong checksum and was thrown away: {} in place of {}; fetch it "
               "again, and if it happens again, tell the owner of the repository",
               remote.file.name, sum.text(), remote.file.checksum.text());
}

}  // namespace

Status check_room(const std::string& folder, std::uint64_t bytes) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return ok_status();  // writing will tell
  const std::uint64_t room = std::uint64_t{info.f_bavail} * info.f_frsize;
  if (room >= bytes + kRoomToSpare) return ok_status();
  return error(StatusCode::kResourceExhausted,
               "the disk of {} has {} left, and {} are needed; free some, or let QUIRE_HOME name a "
               "folder on another disk",
               folder, human_bytes(room), human_bytes(bytes + kRoomToSpare));
}

Result<FileLock> lock_blob(const LocalStore& store, const StoredFile& file,
                           FetchObserver& observer) {
  const std::string path = store.lock_path(file.checksum);
  QUIRE_ASSIGN_OR_RETURN(auto lock, FileLock::try_acquire(path, FileLock::Mode::kExclusive));
  if (lock) return std::move(*lock);
  observer.announce(fmt::format("another process is fetching {}; waiting for it", file.name));
  return FileLock::acquire(path, FileLock::Mode::kExclusive);
}

Status fetch_blob(const LocalStore& store, const RemoteFile& remote, const net::Limits& limits,
                  FetchObserver& observer, const std::function<void(std::uint64_t)>& advance) {
  const StoredFile& wanted = remote.file;
  if (store.has_blob(wanted.checksum, wanted.size)) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(const FileLock lock, lock_blob(store, wanted, observer));
  if (store.has_blob(wanted.checksum, wanted.size)) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(
      const auto file, PartialFile::open(store.partial_folder(wanted.checksum), wanted.size));
  QUIRE_RETURN_IF_ERROR(check_room(store.folder(), wanted.size - file->bytes_complete()));
  QUIRE_RETURN_IF_ERROR(fetch_and_verify(remote, limits, *file, advance));
  QUIRE_RETURN_IF_ERROR(store.place_blob(file->data_path(), wanted.checksum));
  file->discard();
  return ok_status();
}

}  // namespace quire::store
