#include "serve/http/watched_file.h"

#include <sys/stat.h>

#include "base/file.h"

namespace quire {
namespace {

std::int64_t to_ns(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return time.tv_sec * kSecond + time.tv_nsec;
}

}  // namespace

Result<std::string> WatchedFile::read() {
  read_ = seen_ = stamp();  // before the bytes: what changes meanwhile is a change
  return read_file(path_, size_max_);
}

bool WatchedFile::has_changed() {
  const Stamp now = stamp();
  is_moving_ = now != seen_;
  seen_ = now;
  return !is_moving_ && now != read_;
}

WatchedFile::Stamp WatchedFile::stamp() const {
  struct stat file = {};
  if (::stat(path_.c_str(), &file) != 0) return {};
  return {.device = file.st_dev,
          .inode = file.st_ino,
          .size = static_cast<std::uint64_t>(file.st_size),
          .changed_ns = to_ns(file.st_mtim),
          .renamed_ns = to_ns(file.st_ctim)};
}

}  // namespace quire
