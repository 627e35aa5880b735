#include "backend/memory/packed_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/hash.h"

namespace quire {
namespace {

constexpr char kMagic[8] = {'Q', 'U', 'I', 'R', 'E', 'P', 'A', 'K'};
constexpr std::uint32_t kLayoutVersion = 1;  // raised whenever packing changes what it makes
constexpr std::uint64_t kAlignment = 4096;
constexpr std::uint64_t kChunk = std::uint64_t{4} << 20;  // hashed, written by one thread at a time
constexpr std::uint64_t kIndexMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kFreeMin = std::uint64_t{256} << 20;  // left free on the disk
constexpr std::size_t kSamples = 16, kSampleBytes = 512;

struct FileHeader {
  char magic[8];
  std::uint32_t layout_version;
  std::uint32_t entries;
  std::uint64_t stamp;
  std::uint64_t index_offset, index_bytes, index_checksum;
};

struct EntryHeader {
  std::uint64_t offset, checksum, bytes, source_sample;
  std::uint32_t rows, columns, tile_rows;
  std::uint16_t name_bytes;
  std::uint8_t source_dtype, dtype;
};
static_assert(sizeof(EntryHeader) == 48);

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint64_t chunk_hash(const std::byte* data, std::uint64_t bytes, std::uint64_t chunk) {
  const std::uint64_t begin = chunk * kChunk;
  return hash_bytes(data + begin, std::min(kChunk, bytes - begin), chunk);
}

std::uint64_t hash_of(const std::vector<std::uint64_t>& chunks) {
  return hash_bytes(chunks.data(), chunks.size() * sizeof chunks[0]);
}

Status system_error(const char* what, const std::string& path) {
  return error(StatusCode::kResourceExhausted, "cannot {} '{}': {}", what, path,
               std::strerror(errno));
}

Status write_all(int fd, const void* data, std::uint64_t bytes, std::uint64_t offset) {
  const auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t put = ::pwrite(fd, from, bytes, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return system_error("write", "packed weights");
    from += put;
    offset += static_cast<std::uint64_t>(put);
    bytes -= static_cast<std::uint64_t>(put);
  }
  return ok_status();
}

// Temporary files of writers that no longer live: a living one holds a lock on its own.
void remove_abandoned(const std::string& path) {
  const std::filesystem::path name(path);
  std::error_code problem;
  for (const auto& file : std::filesystem::directory_iterator(name.parent_path(), problem)) {
    if (!file.path().filename().string().starts_with(name.filename().string() + ".tmp-")) continue;
    const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) ::unlink(file.path().c_str());
    ::close(fd);
  }
}

}  // namespace

std::uint64_t sample_of(std::span<const std::byte> source) {
  std::uint64_t hash = source.size();
  const std::size_t size = std::min(kSampleBytes, source.size());
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::size_t at = (source.size() - size) / (kSamples - 1) * i;
    hash = hash_bytes(source.data() + at, size, hash);
  }
  return hash;
}

PackedCache::PackedCache(std::string path, std::uint64_t stamp)
    : path_(std::move(path)), stamp_(stamp) {
  std::error_code problem;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), problem);
  remove_abandoned(path_);
  if (!std::filesystem::exists(path_, problem)) return;
  if (const Status status = read_index(); !status.is_ok()) {
    spdlog::warn("packed weights '{}' are not used: {}", path_, status.message());
    stored_.clear();
    file_ = nullptr;
  }
}

PackedCache::~PackedCache() {
  is_ending_ = true;
  if (writer_.joinable()) writer_.join();
}

Status PackedCache::read_index() {
  QUIRE_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::open(path_));
  file_ = std::make_shared<const MappedFile>(std::move(opened));
  const std::span<const std::byte> bytes = file_->bytes();
  const auto corrupt = [](const char* what) { return error(StatusCode::kCorrupt, "{}", what); };
  FileHeader header;
  if (bytes.size() < kAlignment) return corrupt("the file is too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return corrupt("no such file");
  if (header.layout_version != kLayoutVersion) return corrupt("another version made it");
  if (header.stamp != stamp_) return corrupt("the model's files have changed");
  if (header.index_bytes > kIndexMax || header.index_offset > bytes.size() ||
      header.index_bytes > bytes.size() - header.index_offset) {
    return corrupt("the index lies outside of the file");
  }
  const std::byte* index = bytes.data() + header.index_offset;
  if (hash_bytes(index, header.index_bytes) != header.index_checksum) {
    return corrupt("the index is damaged");
  }
  std::uint64_t left = header.index_bytes;
  for (std::uint32_t i = 0; i < header.entries; ++i) {
    EntryHeader e;
    if (left < sizeof e) return corrupt("the index is too short");
    std::memcpy(&e, index, sizeof e);
    if (left - sizeof e < e.name_bytes || e.offset % kAlignment != 0 ||
        e.offset > header.index_offset || e.bytes > header.index_offset - e.offset) {
      return corrupt("a matrix lies outside of the file");
    }
    std::string name(reinterpret_cast<const char*>(index + sizeof e), e.name_bytes);
    stored_.push_back({{std::move(name), static_cast<DType>(e.source_dtype),
                        static_cast<DType>(e.dtype), e.rows, e.columns, e.tile_rows, e.bytes,
                        e.source_sample},
                       e.offset, e.checksum, nullptr});
    index += sizeof e + e.name_bytes;
    left -= sizeof e + e.name_bytes;
  }
  return ok_status();
}

std::shared_ptr<const std::byte> PackedCache::find(const PackedKey& key, ThreadPool& pool) {
  const auto entry = std::find_if(stored_.begin(), stored_.end(),
                                  [&](const Entry& e) { return e.key == key; });
  if (entry == stored_.end()) return nullptr;
  const std::byte* data = file_->bytes().data() + entry->offset;
  std::vector<std::uint64_t> chunks((key.bytes + kChunk - 1) / kChunk);
  pool.for_each(static_cast<int>(chunks.size()), [&](int i, int) {
    chunks[static_cast<std::size_t>(i)] = chunk_hash(data, key.bytes, static_cast<unsigned>(i));
  });
  if (hash_of(chunks) != entry->checksum) {
    spdlog::warn("packed weights '{}': '{}' is damaged and is packed anew", path_, key.name);
    return nullptr;
  }
  std::shared_ptr<const std::byte> tiles(file_, data);
  wanted_.push_back({key, 0, 0, tiles});
  return tiles;
}

void PackedCache::add(const PackedKey& key, std::shared_ptr<const std::byte> tiles) {
  QUIRE_CHECK(tiles != nullptr && key.name.size() <= UINT16_MAX, "a matrix of a name of {} bytes",
              key.name.size());
  ++added_;
  wanted_.push_back({key, 0, 0, std::move(tiles)});
}

void PackedCache::write() {
  QUIRE_CHECK(!writer_.joinable(), "the packed weights are written twice");
  if (added_ == 0) {
    wanted_.clear();
    return;
  }
  writer_ = std::thread([this] {
    outcome_ = write_file();
    wanted_.clear();
    if (!is_ending_ && !outcome_.is_ok()) {
      spdlog::warn("no packed weights for the next start: {}", outcome_.message());
    } else if (outcome_.is_ok()) {
      spdlog::info("packed weights written to '{}'", path_);
    }
  });
}

Status PackedCache::wait() {
  if (writer_.joinable()) writer_.join();
  return outcome_;
}

Status PackedCache::write_file() {
  std::uint64_t bytes = kAlignment;
  for (const Entry& entry : wanted_) bytes += aligned(entry.key.bytes);
  struct statvfs disk{};
  if (::statvfs(std::filesystem::path(path_).parent_path().c_str(), &disk) != 0) {
    return system_error("look at the disk of", path_);
  }
  const std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (room < bytes || room - bytes < kFreeMin) {
    return error(StatusCode::kResourceExhausted,
                 "'{}' needs {} MiB and the disk has {} MiB left", path_, bytes >> 20, room >> 20);
  }
  // A file that another start writes at this moment has a name of its own.
  const std::string temporary = fmt::format("{}.tmp-{}-{:x}", path_, ::getpid(),
                                            reinterpret_cast<std::uintptr_t>(this));
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("write", temporary);
  Status status = ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? write_entries(fd)
                                                      : system_error("lock", temporary);
  if (status.is_ok() && ::fsync(fd) != 0) status = system_error("sync", temporary);
  if (status.is_ok() && ::rename(temporary.c_str(), path_.c_str()) != 0) {
    status = system_error("rename", temporary);
  }
  if (!status.is_ok()) ::unlink(temporary.c_str());
  ::close(fd);
  return status;
}

Status PackedCache::write_entries(int fd) {
  std::string index;
  std::uint64_t offset = kAlignment;
  for (const Entry& entry : wanted_) {
    const PackedKey& key = entry.key;
    std::vector<std::uint64_t> chunks((key.bytes + kChunk - 1) / kChunk);
    for (std::uint64_t i = 0; i < chunks.size(); ++i) {
      if (is_ending_) return error(StatusCode::kUnavailable, "the process ends");
      chunks[i] = chunk_hash(entry.tiles.get(), key.bytes, i);
      QUIRE_RETURN_IF_ERROR(write_all(fd, entry.tiles.get() + i * kChunk,
                                      std::min(kChunk, key.bytes - i * kChunk),
                                      offset + i * kChunk));
    }
    const EntryHeader header = {offset, hash_of(chunks), key.bytes, key.source_sample, key.rows,
                                key.columns, key.tile_rows,
                                static_cast<std::uint16_t>(key.name.size()),
                                static_cast<std::uint8_t>(key.source_dtype),
                                static_cast<std::uint8_t>(key.dtype)};
    index.append(reinterpret_cast<const char*>(&header), sizeof header).append(key.name);
    offset += aligned(key.bytes);
  }
  FileHeader header = {{}, kLayoutVersion, static_cast<std::uint32_t>(wanted_.size()), stamp_,
                       offset, index.size(), hash_bytes(index.data(), index.size())};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  QUIRE_RETURN_IF_ERROR(write_all(fd, index.data(), index.size(), offset));
  return write_all(fd, &header, sizeof header, 0);
}

}  // namespace quire
