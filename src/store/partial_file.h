// PartialFile: a file that is being fetched, in ranges and by several connections: `data` with the
// bytes where they belong, and `record`, a line for each chunk of 1 MiB that is complete, with its
// SHA-256. A chunk counts only if its bytes still have that sum when the file is opened again, so
// neither a kill nor a power failure can leave a hole that is taken for data; and a chunk that
// counts is not fetched again. The record also holds the server's ETag: a file that changes between
// ranges is noticed.
// Whoever opens it holds the lock of its blob. Any thread. Used by hub/range_fetch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/checksum.h"

namespace quire::store {

inline constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20;

// Chunks that follow each other: what one request asks for.
struct ChunkRun {
  std::size_t first = 0;
  std::size_t count = 0;
};

class PartialFile {
 public:
  // Opens or makes it in `folder`; what was recorded for another size is dropped.
  static Result<std::unique_ptr<PartialFile>> open(const std::string& folder, std::uint64_t size);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  std::uint64_t size() const { return size_; }
  std::size_t chunk_count() const { return chunks_.size(); }
  std::uint64_t chunk_bytes(std::size_t chunk) const;  // the last one may be shorter
  std::uint64_t bytes_complete() const;
  std::size_t chunks_missing() const;  // neither complete nor claimed
  bool is_complete(std::size_t chunk) const;
  std::string data_path() const { return folder_ + "/data"; }

  // The first chunks that nobody has claimed, at most `count_max`; nothing when all are claimed.
  std::optional<ChunkRun> claim(std::size_t count_max);
  void release(ChunkRun run);  // those of it that are not complete may be claimed again

  Status write(std::uint64_t offset, std::span<const std::byte> bytes);
  Status complete(std::size_t chunk, const Checksum& checksum);  // its bytes are written

  // The first tag stays; whether `tag` is it. An empty tag is none.
  Result<bool> accept_tag(const std::string& tag);
  std::string tag() const;

  Result<Checksum> checksum(Checksum::Kind kind) const;
  void discard();  // removes it from the disk

 private:
  enum class Chunk : std::uint8_t { kMissing, kClaimed, kComplete };

  PartialFile(std::string folder, std::uint64_t size);
  Status open_files();
  Status read_record();
  Status start_record();
  Status append_record(const std::string& line);
  bool is_intact(std::size_t chunk, const Checksum& checksum) const;

  const std::string folder_;
  const std::uint64_t size_;
  int data_ = -1;
  int record_ = -1;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Chunk> chunks_;
  std::uint64_t bytes_complete_ = 0;
  std::string tag_;
};

}  // namespace quire::store
