#include "store/checksum.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace quire::store {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kGitDigits = 40;

Result<Checksum> checked(Checksum::Kind kind, std::string_view hex, std::size_t digits) {
  const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hex.size() != digits || !is_hex) {
    return error(StatusCode::kCorrupt, "a checksum must have {} hexadecimal digits", digits);
  }
  return Checksum{kind, std::string(hex)};
}

}  // namespace

Result<Checksum> Checksum::sha256(std::string_view hex) {
  return checked(Kind::kSha256, hex, kSha256Digits);
}

Result<Checksum> Checksum::git(std::string_view hex) {
  return checked(Kind::kGit, hex, kGitDigits);
}

Result<Checksum> Checksum::parse(std::string_view text) {
  constexpr std::string_view kSha256Prefix = "sha256-";
  constexpr std::string_view kGitPrefix = "git-";
  if (text.starts_with(kSha256Prefix)) return sha256(text.substr(kSha256Prefix.size()));
  if (text.starts_with(kGitPrefix)) return git(text.substr(kGitPrefix.size()));
  return error(StatusCode::kCorrupt, "a checksum must begin with sha256- or git-");
}

struct Digest::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

// Git hashes a header with the size, then the bytes.
Digest::Digest(Checksum::Kind kind, std::uint64_t size)
    : kind_(kind), state_(std::make_unique<State>()) {
  const EVP_MD* algorithm = kind == Checksum::Kind::kSha256 ? EVP_sha256() : EVP_sha1();
  QUIRE_CHECK(EVP_DigestInit_ex(state_->context, algorithm, nullptr) == 1, "no digest {}",
              kind == Checksum::Kind::kSha256 ? "SHA-256" : "SHA-1");
  if (kind == Checksum::Kind::kGit) {
    const std::string header = "blob " + std::to_string(size);
    update(std::string_view(header.c_str(), header.size() + 1));  // with its NUL
  }
}

Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

Checksum Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &size);
  Checksum sum{kind_, {}};
  for (unsigned i = 0; i < size; ++i) sum.hex += fmt::format("{:02x}", digest[i]);
  return sum;
}

Result<Checksum> checksum_of_range(int fd, std::uint64_t offset, std::uint64_t size,
                                   Checksum::Kind kind) {
  Digest digest(kind, size);
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size, kBufferBytes));
  while (size > 0) {
    const ssize_t got = ::pread(fd, buffer.data(), std::min<std::uint64_t>(size, buffer.size()),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return error(StatusCode::kCorrupt, "cannot read at byte {}: {}", offset,
                   got < 0 ? std::strerror(errno) : "the file ends there");
    }
    digest.update({buffer.data(), static_cast<std::size_t>(got)});
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  return digest.finish();
}

Result<Checksum> checksum_of_file(const std::string& path, Checksum::Kind kind) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    const int reason = errno;
    if (fd >= 0) ::close(fd);
    return error(StatusCode::kNotFound, "cannot read '{}': {}", path, std::strerror(reason));
  }
  auto sum = checksum_of_range(fd, 0, static_cast<std::uint64_t>(info.st_size), kind);
  ::close(fd);
  return sum;
}

}  // namespace quire::store
