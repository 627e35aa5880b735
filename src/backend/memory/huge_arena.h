// HugeArena: memory for packed weights and KV, mapped in large chunks that ask for huge pages
// (MADV_HUGEPAGE: a quarter more read bandwidth on Zen 4, measured). Allocation bumps a pointer;
// a chunk is unmapped when the last allocation in it is released. One thread allocates; releasing
// is safe from any thread.
#pragma once

#include <cstddef>
#include <memory>

namespace quire {

class HugeArena {
 public:
  // Without huge pages the chunks refuse them, even where the system gives them unasked.
  explicit HugeArena(bool has_huge_pages) : has_huge_pages_(has_huge_pages) {}

  // Zeroed, 64-byte aligned; null if the system has no such memory.
  std::shared_ptr<std::byte> allocate(std::size_t bytes);

 private:
  bool has_huge_pages_;
  std::shared_ptr<std::byte> chunk_;
  std::size_t chunk_size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace quire
