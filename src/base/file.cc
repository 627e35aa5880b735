#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/hash.h"

namespace quire {
namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Opens a regular file and tells its size in bytes, and its stamp where that is asked for.
Result<std::size_t> open_regular(const std::string& path, Descriptor& descriptor,
                                 std::uint64_t* stamp = nullptr) {
  descriptor.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor.fd < 0) {
    return error(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kInvalidArgument,
                 "cannot open '{}': {}", path, std::strerror(errno));
  }
  struct stat info{};
  if (::fstat(descriptor.fd, &info) != 0) {
    return error(StatusCode::kInvalidArgument, "cannot stat '{}': {}", path, std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return error(StatusCode::kInvalidArgument, "'{}' is not a regular file", path);
  }
  if (stamp != nullptr) {
    const std::int64_t facts[] = {info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    *stamp = hash_bytes(facts, sizeof facts);
  }
  return static_cast<std::size_t>(info.st_size);
}

}  // namespace

// In a list that only grows, so that a signal handler may walk it; a guard whose mapping is gone
// serves the next one. Addresses: begin is stored last and cleared first.
struct MappedFile::Guard {
  std::atomic<std::uintptr_t> begin{0};  // 0: free
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> is_damaged{false};
  Guard* next = nullptr;

  static std::atomic<Guard*> first;
  static std::mutex mutex;  // of who changes the list

  static Guard* add(std::uintptr_t begin, std::uintptr_t end);
  static void on_bus_error(int signal, siginfo_t* info, void* context);
};

std::atomic<MappedFile::Guard*> MappedFile::Guard::first{nullptr};
std::mutex MappedFile::Guard::mutex;

MappedFile::Guard* MappedFile::Guard::add(std::uintptr_t begin, std::uintptr_t end) {
  const std::lock_guard lock(mutex);
  if (first == nullptr) {
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  }
  Guard* guard = first;
  while (guard != nullptr && guard->begin != 0) guard = guard->next;
  if (guard == nullptr) {
    guard = new Guard;  // for the rest of the process
    guard->next = first;
    first = guard;
  }
  guard->is_damaged = false;
  guard->end = end;
  guard->begin = begin;
  return guard;
}

// Only what a signal handler may do: atomics and system calls.
void MappedFile::Guard::on_bus_error(int signal, siginfo_t* info, void*) {
  const int error_number = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Guard* guard = first; guard != nullptr; guard = guard->next) {
    const std::uintptr_t begin = guard->begin, end = guard->end;
    if (begin == 0 || at < begin || at >= end) continue;
    const std::uintptr_t page = at & ~(static_cast<std::uintptr_t>(::getpagesize()) - 1);
    guard->is_damaged = true;
    if (::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
      break;
    }
    errno = error_number;
    return;
  }
  ::signal(signal, SIG_DFL);  // not ours: it ends the process after all
  ::raise(signal);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  Descriptor descriptor;
  MappedFile file;
  QUIRE_ASSIGN_OR_RETURN(const std::size_t size, open_regular(path, descriptor, &file.stamp_));
  file.path_ = path;
  if (size == 0) return file;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.fd, 0);
  if (data == MAP_FAILED) {
    return error(StatusCode::kInvalidArgument, "cannot map '{}' ({} bytes): {}", path, size,
                 std::strerror(errno));
  }
  file.data_ = static_cast<const std::byte*>(data);
  file.size_ = size;
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  file.guard_ = Guard::add(begin, begin + size);
  return file;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  guard_->begin = 0;
  ::munmap(const_cast<std::byte*>(data_), size_);
}

Status MappedFile::health() const {
  if (guard_ == nullptr || !guard_->is_damaged) return ok_status();
  return error(StatusCode::kCorrupt, "'{}' was cut or became unreadable while it was in use",
               path_);
}

void MappedFile::drop_resident() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

void MappedFile::swap(MappedFile& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(stamp_, other.stamp_);
  std::swap(path_, other.path_);
  std::swap(guard_, other.guard_);
}

Result<std::string> read_file(const std::string& path, std::size_t size_max) {
  Descriptor descriptor;
  QUIRE_ASSIGN_OR_RETURN(const std::size_t size, open_regular(path, descriptor));
  if (size > size_max) {
    return error(StatusCode::kInvalidArgument, "'{}' has {} bytes; at most {} are read", path, size,
                 size_max);
  }
  std::string contents(size, '\0');
  std::size_t count = 0;
  while (count < size) {
    const ssize_t got = ::pread(descriptor.fd, contents.data() + count, size - count,
                                static_cast<off_t>(count));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return error(StatusCode::kCorrupt, "'{}' ended at byte {} of {}", path, count, size);
    }
    count += static_cast<std::size_t>(got);
  }
  return contents;
}

Status replace_file(const std::string& path, std::string_view contents) {
  static std::atomic<unsigned> count{0};  // two threads may replace the same file
  const std::string temporary =
      path + "." + std::to_string(::getpid()) + "." + std::to_string(++count) + ".tmp";
  Descriptor descriptor;
  descriptor.fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor.fd < 0) {
    return error(StatusCode::kInvalidArgument, "cannot write '{}': {}", temporary,
                 std::strerror(errno));
  }
  while (!contents.empty()) {
    const ssize_t put = ::write(descriptor.fd, contents.data(), contents.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int reason = errno;
      ::unlink(temporary.c_str());
      return error(StatusCode::kResourceExhausted, "cannot write '{}': {}", temporary,
                   std::strerror(reason));
    }
    contents.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(descriptor.fd) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return error(StatusCode::kResourceExhausted, "cannot replace '{}': {}", path,
                 std::strerror(reason));
  }
  return ok_status();
}

}  // namespace quire
