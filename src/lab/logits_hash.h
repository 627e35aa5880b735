// The 64-bit hash of the raw logits of a fixed, seeded workload: prompts in chunks of odd sizes and
// decodes, mixed in the same steps. Equal in release, debug and sanitizer builds and for any number
// of threads; it differs between instruction sets. Used by quire bench and by tests. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/bench/bench_model.h"

namespace quire {

// What the workload needs of BenchModelOptions.
inline constexpr int kHashSequences = 3;
inline constexpr int kHashContext = 192;
inline constexpr int kHashStepTokens = 128;

Result<std::uint64_t> logits_hash(BenchModel& model);

// A tiny random model in one setting; its name is "tiny-odd Q8_0 as-stored F16".
struct HashCase {
  std::string_view shape;
  DType weights = DType::kF32;
  WeightScheme scheme = WeightScheme::kAsStored;
  KvTypes kv;

  std::string name() const;
};
Result<std::uint64_t> case_hash(const HashCase& hash_case, int threads, const std::string& isa);

// Every type of weights and of KV, every way to pack them, every shape: the cases whose hashes are
// frozen in tests/golden/logits_hashes.txt.
std::vector<HashCase> frozen_cases();

struct TinyHash {
  std::string name;  // "tiny Q8_0"
  std::uint64_t hash = 0;
};

// The hashes of tiny random models: the arithmetics of weights and the variants of attention.
Result<std::vector<TinyHash>> tiny_logits_hashes(int threads, const std::string& isa);

// All of them as one.
std::uint64_t combined_hash(const std::vector<TinyHash>& hashes);

}  // namespace quire
