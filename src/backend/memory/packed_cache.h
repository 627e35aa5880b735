// PackedCache: the packed weights of one model in one file, so that the next start maps them where
// this one had to make them. Nothing in the file is trusted: a magic number, the layout's version,
// the stamp of the model's files, each matrix's shape, a sample of its source and a checksum over
// all its bytes must agree, or the matrix is packed anew and the file replaced.
//
//   header   [4096 bytes]  FileHeader, zeros
//   data     each matrix at a multiple of 4096, in the order of packing
//   index    EntryHeader and name, for each matrix; its checksum is in the header
//
// A file appears complete or not at all (temporary neighbour, fsync, rename), so concurrent starts
// and crashes leave a whole file: the last to finish wins, with equal contents. The format follows
// this machine's byte order. One driving thread; a thread of its own writes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/cpu/thread_pool.h"
#include "base/file.h"
#include "tensor/dtype.h"

namespace quire {

// What must be equal for the stored tiles of a matrix to be those that packing would make.
struct PackedKey {
  std::string name;
  DType source_dtype = DType::kF32;
  DType dtype = DType::kF32;  // of the tiles
  std::uint32_t rows = 0, columns = 0, tile_rows = 0;
  std::uint64_t bytes = 0;         // of all tiles
  std::uint64_t source_sample = 0;  // a hash of some of the source's bytes

  bool operator==(const PackedKey&) const = default;
};

class PackedCache {
 public:
  // `stamp` stands for the model's files (their names, sizes and times). A file that is absent,
  // damaged or of another model counts as empty.
  PackedCache(std::string path, std::uint64_t stamp);
  ~PackedCache();  // gives up writing
  PackedCache(const PackedCache&) = delete;
  PackedCache& operator=(const PackedCache&) = delete;

  // The tiles of a matrix, mapped read-only and verified on all threads of the pool; null if the
  // file does not have them as `key` says: then they are packed and added.
  std::shared_ptr<const std::byte> find(const PackedKey& key, ThreadPool& pool);
  // Not ok when tiles that find() gave have lost their file: they may read as zeros.
  Status health() const { return file_ == nullptr ? ok_status() : file_->health(); }
  // Their bytes must not change any more.
  void add(const PackedKey& key, std::shared_ptr<const std::byte> tiles);

  // All matrices are known: writes the file anew, in the background, if any had to be added.
  void write();
  // Waits for that. Why there is no new file, if it failed; ok, too, if there was none to write.
  Status wait();

 private:
  struct Entry {
    PackedKey key;
    std::uint64_t offset = 0;
    std::uint64_t checksum = 0;
    std::shared_ptr<const std::byte> tiles;  // null: in the mapped file
  };

  Status read_index();
  Status write_file();
  Status write_entries(int fd);

  std::string path_;
  std::uint64_t stamp_;
  std::shared_ptr<const MappedFile> file_;  // null: nothing was there
  std::vector<Entry> stored_;               // what the file has
  std::vector<Entry> wanted_;               // what the next file will have
  std::size_t added_ = 0;                   // of the wanted ones, those not found
  std::thread writer_;
  std::atomic<bool> is_ending_{false};
  Status outcome_;
};

// The hash of some 16 places of a matrix as the file has it.
std::uint64_t sample_of(std::span<const std::byte> source);

}  // namespace quire
