// WatchedFile: a small file that whoever runs the server may replace while it runs: a certificate,
// a list of keys. It is looked at now and then, and a change counts when two looks in a row saw the
// same new file: a writer between two writes is left to finish. What could not be read or was no
// good is not read again before the file changes again.
// I/O thread. Used by certificate and key_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace quire {

class WatchedFile {
 public:
  WatchedFile(std::string path, std::size_t size_max)
      : path_(std::move(path)), size_max_(size_max) {}

  const std::string& path() const { return path_; }

  // The whole file as it is now; an error names it.
  Result<std::string> read();

  // Another file than read() found, and the same as at the last look.
  bool has_changed();
  bool is_moving() const { return is_moving_; }  // it changed between the last two looks

 private:
  struct Stamp {  // all zero: there is no such file
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed_ns = 0, renamed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };

  Stamp stamp() const;

  std::string path_;
  std::size_t size_max_;  // bytes
  Stamp read_;
  Stamp seen_;  // at the last look
  bool is_moving_ = false;
};

}  // namespace quire
