// Checksum: what names a blob: the SHA-256 of its bytes, or for small files of a hub, which tells
// nothing better about them, git's SHA-1 of the blob. Digest computes either, piece by piece.
// Its text is "sha256-<64 hex digits>" or "git-<40 hex digits>", safe as a file name.
// Plain values; any thread. Used by every unit of the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::store {

struct Checksum {
  enum class Kind : std::uint8_t { kSha256, kGit };

  Kind kind = Kind::kSha256;
  std::string hex;  // lower case

  static Result<Checksum> sha256(std::string_view hex);
  static Result<Checksum> git(std::string_view hex);
  static Result<Checksum> parse(std::string_view text);

  std::string text() const { return (kind == Kind::kSha256 ? "sha256-" : "git-") + hex; }
  bool operator==(const Checksum&) const = default;
};

class Digest {
 public:
  explicit Digest(Checksum::Kind kind = Checksum::Kind::kSha256, std::uint64_t size = 0);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  Checksum finish();  // once

 private:
  struct State;
  Checksum::Kind kind_;
  std::unique_ptr<State> state_;
};

// Of `size` bytes from `offset` of an open file; kCorrupt if it ends before.
Result<Checksum> checksum_of_range(int fd, std::uint64_t offset, std::uint64_t size,
                                   Checksum::Kind kind = Checksum::Kind::kSha256);

// Of a whole file.
Result<Checksum> checksum_of_file(const std::string& path,
                                  Checksum::Kind kind = Checksum::Kind::kSha256);

}  // namespace quire::store
