#include "lab/logits_hash.h"

#include <fmt/format.h>

#include <iterator>

#include "base/hash.h"
#include "lab/random_model.h"

namespace quire {
namespace {

constexpr int kLengths[kHashSequences] = {37, 5, 150};  // of the prompts
constexpr int kDecodeSteps = 8;

struct Chunk {
  int sequence, count;
};
// Step by step: chunks of prompts, among them a decode (sequence 1, whose prompt ends in the
// first).
const std::vector<std::vector<Chunk>> kSteps = {
    {{0, 16}, {1, 5}},
    {{0, 20}, {2, 33}},
    {{0, 1}, {1, 1}, {2, 67}},
    {{2, 50}},
};

constexpr HashCase kTinyModels[] = {
    {"tiny", DType::kF32},        {"tiny", DType::kBF16},       {"tiny", DType::kQ8_0},
    {"tiny", DType::kQ4_1},       {"tiny", DType::kQ4_K},       {"tiny-odd", DType::kF32},
    {"tiny-qwen2", DType::kQ8_0}, {"tiny-qwen3", DType::kBF16}, {"tiny-mistral", DType::kQ4_0},
    {"tiny", DType::kQ2_K},       {"tiny", DType::kQ3_K},       {"tiny", DType::kIQ4_XS},
    {"tiny", DType::kMXFP4},      {"tiny", DType::kIQ3_S},
    {"tiny", DType::kI8},         {"tiny-odd", DType::kI8},
};

// Beside every type of weights in "tiny".
constexpr HashCase kOtherCases[] = {
    {"tiny-tied", DType::kQ8_0},
    {"tiny-mistral", DType::kQ4_0},
    {"tiny-qwen2", DType::kQ8_0},
    {"tiny-qwen3", DType::kBF16},
    {"tiny-odd", DType::kF32},
    {"tiny-odd", DType::kF16},
    {"tiny-odd", DType::kBF16},
    {"tiny-odd", DType::kI8},
    {"tiny", DType::kF32, WeightScheme::kAsStored, DType::kF32},
    {"tiny", DType::kQ8_0, WeightScheme::kAsStored, DType::kBF16},
    {"tiny", DType::kQ4_K, WeightScheme::kAsStored, DType::kI8},
    {"tiny-odd", DType::kF32, WeightScheme::kAsStored, DType::kI8},
    {"tiny-mistral", DType::kF32, WeightScheme::kAsStored, DType::kF32},
    {"tiny-mistral", DType::kQ4_0, WeightScheme::kAsStored, DType::kI8},
    {"tiny-qwen2", DType::kF32, WeightScheme::kAsStored, DType::kF32},
    {"tiny-qwen3", DType::kF32, WeightScheme::kAsStored, DType::kF32},
    {"tiny-qwen3", DType::kBF16, WeightScheme::kAsStored, DType::kBF16},
    {"tiny", DType::kQ4_1, WeightScheme::kFloat32, DType::kF32},
    {"tiny", DType::kQ6_K, WeightScheme::kFloat32, DType::kF16},
    {"tiny", DType::kBF16, WeightScheme::kW8A8, DType::kF16},
    {"tiny-odd", DType::kF16, WeightScheme::kW8A8, DType::kI8},
    {"tiny", DType::kF32, WeightScheme::kAsStored, DType::kF8},
    {"tiny-odd", DType::kF32, WeightScheme::kAsStored, DType::kF8},
    {"tiny", DType::kF32, WeightScheme::kAsStored, DType::kQ4_1},
    {"tiny-odd", DType::kF32, WeightScheme::kAsStored, DType::kQ4_1},
    {"tiny-mistral", DType::kQ4_0, WeightScheme::kAsStored, {DType::kI8, DType::kQ4_1}},
    {"tiny", DType::kQ8_0, WeightScheme::kAsStored, {DType::kF16, DType::kF8}},
};

constexpr std::string_view scheme_name(WeightScheme scheme) {
  switch (scheme) {
    case WeightScheme::kAsStored: return "as-stored";
    case WeightScheme::kFloat32: return "float32";
    case WeightScheme::kAsAsked: return "as-asked";
    case WeightScheme::kW8A8: return "w8a8";
  }
  return "?";
}

}  // namespace

Result<std::uint64_t> logits_hash(BenchModel& model) {
  std::vector<std::uint64_t> hashes;
  std::vector<TokenId> tokens[kHashSequences];
  for (int s = 0; s < kHashSequences; ++s) {
    for (int i = 0; i < kLengths[s] + kDecodeSteps + 1; ++i) {
      tokens[s].push_back(static_cast<TokenId>(mix64(s * 1000 + i + 1) % model.vocab()));
    }
  }
  int fed[kHashSequences] = {};
  const auto run = [&](const std::vector<Chunk>& chunks) -> Status {
    std::vector<Feed> feeds;
    for (const auto& [s, count] : chunks) {
      feeds.push_back({s, static_cast<std::uint32_t>(fed[s]),
                       std::span<const TokenId>(tokens[s]).subspan(fed[s], count),
                       fed[s] + count >= kLengths[s]});
      fed[s] += count;
    }
    QUIRE_ASSIGN_OR_RETURN(const auto rows, model.step(feeds, true));
    hashes.insert(hashes.end(), rows.begin(), rows.end());
    return ok_status();
  };
  for (const auto& chunks : kSteps) QUIRE_RETURN_IF_ERROR(run(chunks));
  for (int i = 1; i < kDecodeSteps; ++i) QUIRE_RETURN_IF_ERROR(run({{0, 1}, {1, 1}, {2, 1}}));
  return hash_bytes(hashes.data(), hashes.size() * sizeof hashes[0]);
}

std::string HashCase::name() const {
  return fmt::format("{} {} {} {}", shape, dtype_name(weights), scheme_name(scheme),
                     kv_types_name(kv));
}

Result<std::uint64_t> case_hash(const HashCase& hash_case, int threads, const std::string& isa) {
  QUIRE_ASSIGN_OR_RETURN(const RandomModel random,
                         make_random_model(hash_case.shape, {.dtype = hash_case.weights}));
  BenchModelOptions options;
  options.threads = threads;
  options.isa = isa;
  options.kv_dtype = hash_case.kv;
  options.weights = hash_case.scheme;
  options.sequences = kHashSequences;
  options.context = kHashContext;
  options.step_tokens = kHashStepTokens;
  QUIRE_ASSIGN_OR_RETURN(const auto model, BenchModel::open(random.design, random.find, options));
  return logits_hash(*model);
}

std::vector<HashCase> frozen_cases() {
  std::vector<HashCase> cases;
  for (const DTypeInfo& info : kDTypes) cases.push_back({"tiny", info.dtype});
  cases.insert(cases.end(), std::begin(kOtherCases), std::end(kOtherCases));
  return cases;
}

Result<std::vector<TinyHash>> tiny_logits_hashes(int threads, const std::string& isa) {
  std::vector<TinyHash> hashes;
  for (const HashCase& tiny : kTinyModels) {
    QUIRE_ASSIGN_OR_RETURN(const std::uint64_t hash, case_hash(tiny, threads, isa));
    hashes.push_back({fmt::format("{} {}", tiny.shape, dtype_name(tiny.weights)), hash});
  }
  return hashes;
}

std::uint64_t combined_hash(const std::vector<TinyHash>& hashes) {
  std::uint64_t combined = 0;
  for (const TinyHash& tiny : hashes) combined = mix64(combined ^ tiny.hash);
  return combined;
}

}  // namespace quire
