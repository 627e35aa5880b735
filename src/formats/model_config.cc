#include "formats/model_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "formats/config/config_ranges.h"

namespace quire {
namespace {

constexpr std::string_view kArchitectures[] = {"llama", "mistral", "qwen2", "qwen3"};

struct IntField {
  std::string_view name;
  int ModelConfig::*member;
  int min, max;
};

constexpr IntField kIntFields[] = {
    {"layers", &ModelConfig::layers, 1, kLayersMax},
    {"d_model", &ModelConfig::d_model, 1, kModelWidthMax},
    {"ffn", &ModelConfig::ffn, 1, kFfnMax},
    {"heads", &ModelConfig::heads, 1, kHeadsMax},
    {"kv_heads", &ModelConfig::kv_heads, 1, kHeadsMax},
    {"head_dim", &ModelConfig::head_dim, 2, kHeadDimMax},
    {"vocab", &ModelConfig::vocab, 1, kVocabMax},
    {"context_max", &ModelConfig::context_max, 1, kContextMax},
    {"sliding_window", &ModelConfig::sliding_window, 0, kContextMax},
};

template <typename... Args>
Status corrupt(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kCorrupt, format, std::forward<Args>(args)...);
}

Status check_rope(const RopeConfig& rope, int head_dim) {
  if (!(rope.theta >= kThetaMin && rope.theta <= kThetaMax)) {
    return corrupt("rope theta: {} is not in the range {} to {}", rope.theta, kThetaMin, kThetaMax);
  }
  if (!(rope.factor >= kRopeFactorMin && rope.factor <= kRopeFactorMax)) {
    return corrupt("rope scaling factor: {} is not in the range {} to {}", rope.factor,
                   kRopeFactorMin, kRopeFactorMax);
  }
  const bool is_llama3 = rope.scaling == RopeScaling::kLlama3;
  if (is_llama3 && !(rope.low_freq_factor > 0 && rope.high_freq_factor > rope.low_freq_factor &&
                     std::isfinite(rope.high_freq_factor) && rope.original_context >= 1 &&
                     rope.original_context <= kContextMax)) {
    return corrupt("rope scaling llama3: low {}, high {}, original context {}",
                   rope.low_freq_factor, rope.high_freq_factor, rope.original_context);
  }
  const std::size_t factors = rope.frequency_factors.size();
  if (factors != 0 && factors != static_cast<std::size_t>(head_dim / 2)) {
    return corrupt("rope frequency factors: {} values for {} frequencies", factors, head_dim / 2);
  }
  for (const float factor : rope.frequency_factors) {
    if (!(factor > 0 && std::isfinite(factor))) {
      return corrupt("rope frequency factors: a value of {}", factor);
    }
  }
  return ok_status();
}

}  // namespace

std::span<const std::string_view> known_architectures() { return kArchitectures; }

Status check_architecture(std::string_view architecture) {
  const auto known = known_architectures();
  if (std::find(known.begin(), known.end(), architecture) != known.end()) return ok_status();
  return error(StatusCode::kUnsupported, "architecture '{}' is not known; known are {}",
               architecture.substr(0, 64), fmt::join(known, ", "));
}

Status check_model_config(const ModelConfig& config) {
  QUIRE_RETURN_IF_ERROR(check_architecture(config.architecture));
  for (const IntField& field : kIntFields) {
    const int value = config.*field.member;
    if (value >= field.min && value <= field.max) continue;
    return corrupt("{}: {} is not in the range {} to {}", field.name, value, field.min, field.max);
  }
  if (config.heads % config.kv_heads != 0) {
    return corrupt("{} query heads cannot share {} key-value heads", config.heads, config.kv_heads);
  }
  if (config.head_dim % 2 != 0) return corrupt("head_dim: {} is odd", config.head_dim);
  if (config.heads * config.head_dim > kHeadsWidthMax) {
    return corrupt("{} heads of {} values: at most {} are supported", config.heads, config.head_dim,
                   kHeadsWidthMax);
  }
  if (!(config.rms_eps > 0 && config.rms_eps <= kRmsEpsMax)) {
    return corrupt("rms_eps: {} is not in the range 0 to {}", config.rms_eps, kRmsEpsMax);
  }
  if (config.bos_id < -1 || config.bos_id >= config.vocab) {
    return corrupt("BOS id {} is outside the vocabulary of {}", config.bos_id, config.vocab);
  }
  for (const TokenId id : config.eos_ids) {
    if (id >= 0 && id < config.vocab) continue;
    return corrupt("EOS id {} is outside the vocabulary of {}", id, config.vocab);
  }
  return check_rope(config.rope, config.head_dim);
}

}  // namespace quire
