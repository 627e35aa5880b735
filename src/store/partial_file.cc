// The record is text: "quire-partial 1 SIZE", then lines "tag JSON-STRING" and "chunk INDEX SUM" in
// the order in which things happened. A last line without its end was being written when the
// process was killed: it says nothing. Lines are appended by one write each.
#include "store/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"

namespace quire::store {
namespace {

constexpr std::size_t kRecordBytesMax = std::size_t{256} << 20;
constexpr std::size_t kTagMax = 1024;

Status file_error(const std::string& what, const std::string& path) {
  const StatusCode code =
      errno == ENOSPC || errno == EDQUOT ? StatusCode::kResourceExhausted : StatusCode::kInternal;
  return error(code, "cannot {} '{}': {}", what, path, std::strerror(errno));
}

std::string header_line(std::uint64_t size) { return fmt::format("quire-partial 1 {}\n", size); }

struct ChunkLine {
  std::size_t chunk = 0;
  Checksum checksum;
};

// "INDEX sha256-..."
std::optional<ChunkLine> parse_chunk_line(std::string_view text) {
  ChunkLine line;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), line.chunk);
  const std::size_t length = static_cast<std::size_t>(end - text.data());
  if (problem != std::errc() || length >= text.size() || text[length] != ' ') return std::nullopt;
  auto checksum = Checksum::parse(text.substr(length + 1));
  if (!checksum.is_ok()) return std::nullopt;
  line.checksum = std::move(checksum).value();
  return line;
}

}  // namespace

PartialFile::PartialFile(std::string folder, std::uint64_t size)
    : folder_(std::move(folder)),
      size_(size),
      chunks_((size + kChunkBytes - 1) / kChunkBytes, Chunk::kMissing) {}

PartialFile::~PartialFile() {
  if (data_ >= 0) ::close(data_);
  if (record_ >= 0) ::close(record_);
}

Result<std::unique_ptr<PartialFile>> PartialFile::open(const std::string& folder,
                                                       std::uint64_t size) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  std::unique_ptr<PartialFile> file(new PartialFile(folder, size));
  QUIRE_RETURN_IF_ERROR(file->open_files());
  QUIRE_RETURN_IF_ERROR(file->read_record());
  return file;
}

Status PartialFile::open_files() {
  data_ = ::open(data_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (data_ < 0) return file_error("open", data_path());
  if (::ftruncate(data_, static_cast<off_t>(size_)) != 0) return file_error("size", data_path());
  const std::string path = folder_ + "/record";
  record_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return record_ < 0 ? file_error("open", path) : ok_status();
}

// Drops whatever was recorded: the file begins anew.
Status PartialFile::start_record() {
  if (::ftruncate(record_, 0) != 0) return file_error("size", folder_ + "/record");
  return append_record(header_line(size_));
}

Status PartialFile::append_record(const std::string& line) {
  const ssize_t put = ::write(record_, line.data(), line.size());
  if (put == std::ssize(line)) return ok_status();
  return file_error("write", folder_ + "/record");
}

bool PartialFile::is_intact(std::size_t chunk, const Checksum& checksum) const {
  const auto sum = checksum_of_range(data_, chunk * kChunkBytes, chunk_bytes(chunk));
  return sum.is_ok() && *sum == checksum;
}

Status PartialFile::read_record() {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(folder_ + "/record", kRecordBytesMax));
  if (!text.starts_with(header_line(size_))) return start_record();
  std::string_view rest = text;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (line.starts_with("tag ")) {
      const auto tag = parse_json(line.substr(4));
      if (tag.is_ok() && tag->is_string()) tag_ = tag->as_string();
    } else if (line.starts_with("chunk ")) {
      const auto parsed = parse_chunk_line(line.substr(6));
      if (!parsed || parsed->chunk >= chunks_.size() || is_complete(parsed->chunk)) continue;
      if (!is_intact(parsed->chunk, parsed->checksum)) continue;
      chunks_[parsed->chunk] = Chunk::kComplete;
      bytes_complete_ += chunk_bytes(parsed->chunk);
    }
  }
  return rest.empty() ? ok_status() : append_record("\n");  // ends the line that was cut off
}

std::uint64_t PartialFile::chunk_bytes(std::size_t chunk) const {
  return std::min(kChunkBytes, size_ - chunk * kChunkBytes);
}

std::uint64_t PartialFile::bytes_complete() const {
  const std::lock_guard lock(mutex_);
  return bytes_complete_;
}

std::size_t PartialFile::chunks_missing() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count(chunks_.begin(), chunks_.end(), Chunk::kMissing));
}

bool PartialFile::is_complete(std::size_t chunk) const {
  const std::lock_guard lock(mutex_);
  return chunks_[chunk] == Chunk::kComplete;
}

std::optional<ChunkRun> PartialFile::claim(std::size_t count_max) {
  const std::lock_guard lock(mutex_);
  ChunkRun run;
  while (run.first < chunks_.size() && chunks_[run.first] != Chunk::kMissing) ++run.first;
  for (std::size_t i = run.first;
       i < chunks_.size() && run.count < count_max && chunks_[i] == Chunk::kMissing; ++i) {
    chunks_[i] = Chunk::kClaimed;
    ++run.count;
  }
  return run.count == 0 ? std::nullopt : std::optional(run);
}

void PartialFile::release(ChunkRun run) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = run.first; i < run.first + run.count; ++i) {
    if (chunks_[i] == Chunk::kClaimed) chunks_[i] = Chunk::kMissing;
  }
}

Status PartialFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(data_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return file_error("write", data_path());
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return ok_status();
}

Status PartialFile::complete(std::size_t chunk, const Checksum& checksum) {
  const std::lock_guard lock(mutex_);
  if (chunks_[chunk] == Chunk::kComplete) return ok_status();
  QUIRE_RETURN_IF_ERROR(append_record(fmt::format("chunk {} {}\n", chunk, checksum.text())));
  chunks_[chunk] = Chunk::kComplete;
  bytes_complete_ += chunk_bytes(chunk);
  return ok_status();
}

Result<bool> PartialFile::accept_tag(const std::string& tag) {
  const std::lock_guard lock(mutex_);
  if (tag.empty() || tag.size() > kTagMax) return true;
  if (!tag_.empty()) return tag == tag_;
  tag_ = tag;
  std::string line = "tag ";
  append_json_string(tag, line);
  QUIRE_RETURN_IF_ERROR(append_record(line + "\n"));
  return true;
}

std::string PartialFile::tag() const {
  const std::lock_guard lock(mutex_);
  return tag_;
}

Result<Checksum> PartialFile::checksum(Checksum::Kind kind) const {
  return checksum_of_range(data_, 0, size_, kind);
}

void PartialFile::discard() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace quire::store
