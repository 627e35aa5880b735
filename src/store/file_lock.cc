#include "store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace quire::store {

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path, Mode mode) {
  FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.fd_ < 0) {
    return error(StatusCode::kUnavailable, "cannot open the lock '{}': {}", path,
                 std::strerror(errno));
  }
  const int kind = mode == Mode::kShared ? LOCK_SH : LOCK_EX;
  if (::flock(lock.fd_, kind | LOCK_NB) == 0) return std::optional<FileLock>(std::move(lock));
  if (errno == EWOULDBLOCK) return std::optional<FileLock>();
  return error(StatusCode::kUnavailable, "cannot lock '{}': {}", path, std::strerror(errno));
}

Result<FileLock> FileLock::acquire(const std::string& path, Mode mode) {
  FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const int kind = mode == Mode::kShared ? LOCK_SH : LOCK_EX;
  int status = lock.fd_ < 0 ? -1 : ::flock(lock.fd_, kind);
  while (status != 0 && lock.fd_ >= 0 && errno == EINTR) status = ::flock(lock.fd_, kind);
  if (status == 0) return lock;
  return error(StatusCode::kUnavailable, "cannot lock '{}': {}", path, std::strerror(errno));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace quire::store
