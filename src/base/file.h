// Files: a read-only memory map, a bounded whole read, an atomic replace. Only regular files are
// opened (never devices or pipes), so that a path from outside cannot block or feed us without end.
// Errors name the path and the reason. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace quire {

// The bytes of a file, mapped read-only for the life of this object. Movable. A page that cannot be
// read any more (somebody has cut the file, the disk has failed) would end the process with SIGBUS;
// here it and all after it read as zeros, and health() says so: who computes with the bytes asks it
// before the outcome is used. Reading and health(): any thread.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    swap(other);
    return *this;
  }
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // A number that changes when the file is written anew: of its size and time of change.
  std::uint64_t stamp() const { return stamp_; }
  // Gives the memory of its pages back; who reads them again gets them from the file.
  void drop_resident() const;
  const std::string& path() const { return path_; }
  // kCorrupt as soon as bytes were read that the file does not have any more.
  Status health() const;

 private:
  struct Guard;  // what the handler of SIGBUS knows of a mapping

  void swap(MappedFile& other) noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t stamp_ = 0;
  std::string path_;
  Guard* guard_ = nullptr;
};

// The whole file as a string; an error if it is larger than size_max bytes.
Result<std::string> read_file(const std::string& path, std::size_t size_max);

// Writes a temporary neighbour, syncs it and renames it over `path`.
Status replace_file(const std::string& path, std::string_view contents);

}  // namespace quire
