#include "backend/memory/huge_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kChunk = std::size_t{64} << 20;  // address space; pages come when touched

// Address space of `bytes` (whole huge pages) that begins on a huge page.
std::shared_ptr<std::byte> map_chunk(std::size_t bytes, bool has_huge_pages) {
  const std::size_t mapped = bytes + kHugePage;
  void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  auto* begin = reinterpret_cast<std::byte*>((address + kHugePage - 1) / kHugePage * kHugePage);
  // A wish: where it is not granted the memory is only slower.
  madvise(begin, bytes, has_huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return {begin, [base, mapped](std::byte*) { munmap(base, mapped); }};
}

}  // namespace

std::shared_ptr<std::byte> HugeArena::allocate(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t size = (bytes + 63) / 64 * 64;
  if (size > chunk_size_ - used_) {
    const std::size_t wanted = (std::max(size, kChunk) + kHugePage - 1) / kHugePage * kHugePage;
    std::shared_ptr<std::byte> chunk = map_chunk(wanted, has_huge_pages_);
    if (chunk == nullptr) return nullptr;
    if (size >= kChunk / 2) return {chunk, chunk.get()};  // large ones live alone
    chunk_ = std::move(chunk);
    chunk_size_ = wanted;
    used_ = 0;
  }
  std::byte* begin = chunk_.get() + used_;
  used_ += size;
  QUIRE_CHECK(used_ <= chunk_size_, "{} bytes of a chunk of {}", used_, chunk_size_);
  return {chunk_, begin};
}

}  // namespace quire
