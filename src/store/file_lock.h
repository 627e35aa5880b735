// FileLock: a lock between processes (and between threads of one) on a file of its own, by flock:
// it ends with its holder, however that ends. Shared or exclusive; waiting or not.
// Movable; any thread. Used by the store for the whole store and for each blob that is fetched.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/status.h"

namespace quire::store {

class FileLock {
 public:
  enum class Mode { kShared, kExclusive };

  static Result<FileLock> acquire(const std::string& path, Mode mode);
  // Nothing if somebody else holds it.
  static Result<std::optional<FileLock>> try_acquire(const std::string& path, Mode mode);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace quire::store
