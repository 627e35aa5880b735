#include "model/layers/rope_config.h"

#include <cmath>
#include <cstring>

#include "formats/config/config_ranges.h"

namespace quire {
namespace {

void read_llama3_scaling(const ConfigFields& scaling, RopeConfig& rope) {
  rope.scaling = RopeScaling::kLlama3;
  rope.low_freq_factor = static_cast<float>(scaling.number("low_freq_factor", 1e-3, 1e6));
  rope.high_freq_factor = static_cast<float>(scaling.number("high_freq_factor", 1e-3, 1e6));
  rope.original_context =
      static_cast<float>(scaling.integer("original_max_position_embeddings", 1, kContextMax));
  if (rope.high_freq_factor > rope.low_freq_factor) return;
  scaling.fail(error(StatusCode::kCorrupt,
                     "rope scaling llama3: low {}, high {}, original context {}",
                     rope.low_freq_factor, rope.high_freq_factor, rope.original_context));
}

void read_scaling(const ConfigFields& scaling, RopeConfig& rope) {
  rope.theta = static_cast<float>(scaling.number("rope_theta", kThetaMin, kThetaMax, rope.theta));
  scaling.refuse_unless("partial_rotary_factor", 1);
  const std::string old_type = scaling.string("type", "default");
  const std::string type = scaling.string("rope_type", old_type);
  if (type == "linear" || type == "llama3") {
    rope.factor = static_cast<float>(scaling.number("factor", kRopeFactorMin, kRopeFactorMax));
    rope.scaling = RopeScaling::kLinear;
    if (type == "llama3") read_llama3_scaling(scaling, rope);
  } else if (type != "default") {
    scaling.fail(error(StatusCode::kUnsupported,
                       "{}: type '{}' is not supported; known are default, linear, llama3",
                       scaling.place(), type.substr(0, 64)));
  }
}

void read_gguf(const ConfigFields& fields, int head_dim, RopeConfig& rope) {
  fields.refuse_unless("rope.dimension_count", head_dim);
  rope.theta = static_cast<float>(fields.number("rope.freq_base", kThetaMin, kThetaMax, 10000.0));
  const std::string type = fields.string("rope.scaling.type", "none");
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    rope.factor =
        static_cast<float>(fields.number("rope.scaling.factor", kRopeFactorMin, kRopeFactorMax));
  } else if (type != "none") {
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: scaling '{}' is not supported; known are none, linear",
                      fields.name_of("rope.scaling.type"), type.substr(0, 64)));
  }
  fields.refuse_unless("rope.scaling.attn_factor", 1);
  fields.refuse_unless("rope.scale_linear", 1);
}

// Llama 3 scaling, worked out per frequency by whoever wrote the file.
void read_frequency_factors(const ConfigFields& fields, int head_dim, RopeConfig& rope) {
  const TensorView* tensor = fields.tensor({"", "rope_freqs.weight"});
  if (tensor == nullptr) return;
  const auto count = static_cast<std::size_t>(head_dim / 2);
  if (tensor->dtype != DType::kF32 || tensor->shape != std::vector<std::size_t>{count}) {
    return fields.fail(error(StatusCode::kCorrupt, "rope_freqs.weight {}: not {} values of F32",
                             fields.place_of(*tensor), count));
  }
  rope.frequency_factors.resize(count);
  std::memcpy(rope.frequency_factors.data(), tensor->data, count * sizeof(float));
  for (const float factor : rope.frequency_factors) {
    if (factor > 0 && std::isfinite(factor)) continue;
    return fields.fail(error(StatusCode::kCorrupt, "rope frequency factors {}: a value of {}",
                             fields.place_of(*tensor), factor));
  }
}

}  // namespace

RopeConfig read_rope(const ConfigFields& fields, int head_dim) {
  RopeConfig rope;
  if (fields.is_gguf()) {
    read_gguf(fields, head_dim, rope);
    read_frequency_factors(fields, head_dim, rope);
    return rope;
  }
  rope.theta = static_cast<float>(fields.number("rope_theta", kThetaMin, kThetaMax, 10000.0));
  fields.refuse_unless("partial_rotary_factor", 1);
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    if (const auto scaling = fields.object(name)) read_scaling(*scaling, rope);
  }
  return rope;
}

std::string rope_text(const RopeConfig& rope) {
  std::string text = fmt::format("theta {}, {} pairs", rope.theta,
                                 rope.pairing == RopePairs::kAdjacent ? "adjacent" : "half-split");
  if (rope.scaling == RopeScaling::kLinear) text += fmt::format(", linear scaling {}", rope.factor);
  if (rope.scaling == RopeScaling::kLlama3) {
    text += fmt::format(", llama3 scaling {} from {}", rope.factor, rope.original_context);
  }
  return rope.frequency_factors.empty() ? text : text + ", factors per frequency";
}

}  // namespace quire
