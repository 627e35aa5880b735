// Prints one line: the hash of all raw logits of a fixed workload, for seeded random models of each
// kind of weight. The line must be the same in release, debug and sanitizer builds, with any number
// of threads and any chunk size; tests/holds/9 compares it. QUIRE_FORCE_ISA names the kernels.
#include <cstdio>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/hash.h"
#include "base/philox.h"
#include "lab/eval.h"
#include "lab/random_model.h"
#include "runtime/make_executor.h"

namespace quire {
namespace {

constexpr std::uint32_t kTokens = 300;  // more than one split of attention
constexpr std::uint64_t kSeed = 9;

struct Workload {
  std::string_view shape;
  DType dtype;
  DType kv_dtype;
  int threads;
  std::uint32_t chunk_tokens;
};

constexpr Workload kWorkloads[] = {
    {"tiny", DType::kF32, DType::kF32, 1, 64},
    {"tiny", DType::kBF16, DType::kBF16, 2, 300},
    {"tiny", DType::kQ8_0, DType::kF16, 2, 1},
    {"tiny", DType::kQ4_1, DType::kF16, 1, 17},
    {"tiny", DType::kQ4_K, DType::kF16, 2, 64},
    {"tiny-odd", DType::kF16, DType::kF16, 2, 33},
    {"tiny-qwen3", DType::kQ4_0, DType::kBF16, 2, 128},
};

Result<std::uint64_t> hash_of(const Workload& work) {
  QUIRE_ASSIGN_OR_RETURN(const RandomModel model,
                         make_random_model(work.shape, {work.dtype, kSeed, 1}));
  QUIRE_ASSIGN_OR_RETURN(auto backend, make_cpu_backend({work.threads, {}}));
  LocalOptions options;
  options.capacity = {1, kTokens, 512, 512 / kBlockTokens, 0};
  options.kv_dtype = work.kv_dtype;
  QUIRE_ASSIGN_OR_RETURN(
      const auto executor, make_executor(std::move(backend), model.config, model.find, options));

  std::vector<TokenId> ids(kTokens);
  for (std::uint32_t i = 0; i < kTokens; ++i) {
    ids[i] = static_cast<TokenId>(philox(kSeed, i, 0)[0] % executor->capacity().vocab);
  }
  std::uint64_t hash = 0;
  compute_logits(*executor, ids, work.chunk_tokens,
                 [&](std::size_t, std::span<const float> logits) {
                   hash = hash_bytes(logits.data(), logits.size_bytes(), hash);
                 });
  return hash;
}

int print_hashes() {
  for (const Workload& work : kWorkloads) {
    const Result<std::uint64_t> hash = hash_of(work);
    if (!hash.is_ok()) {
      std::fprintf(stderr, "logits_hash: %s\n", hash.status().message().c_str());
      return 1;
    }
    std::printf("%016llx ", static_cast<unsigned long long>(*hash));
  }
  std::printf("\n");
  return 0;
}

}  // namespace
}  // namespace quire

int main() { return quire::print_hashes(); }
