#include "model/layers/rope_config.h"

#include <algorithm>
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
  if (rope.high_freq_factor >= rope.low_freq_factor) return;  // equal: nothing between them
  scaling.fail(error(StatusCode::kCorrupt,
                     "rope scaling llama3: low {}, high {}, original context {}",
                     rope.low_freq_factor, rope.high_freq_factor, rope.original_context));
}

// 0.1 m ln(factor) + 1: how much attention is sharpened for a context stretched so far.
double yarn_magnitude(double factor, double m = 1) {
  return factor <= 1 ? 1 : 0.1 * m * std::log(factor) + 1;
}

void read_yarn_scaling(const ConfigFields& scaling, RopeConfig& rope) {
  rope.scaling = RopeScaling::kYarn;
  const int trained = static_cast<int>(rope.original_context);
  rope.original_context = static_cast<float>(
      scaling.integer("original_max_position_embeddings", 1, kContextMax,
                      trained > 0 ? std::optional(trained) : std::nullopt));
  rope.beta_fast = static_cast<float>(scaling.number("beta_fast", 1e-3, 1e6, 32));
  rope.beta_slow = static_cast<float>(scaling.number("beta_slow", 1e-3, 1e6, 1));
  rope.has_whole_ramp = scaling.boolean("truncate", true);
  const double m = scaling.number("mscale", 0, 1e3, 0.0);
  const double m_all = scaling.number("mscale_all_dim", 0, 1e3, 0.0);
  const double magnitude = m > 0 && m_all > 0 ? yarn_magnitude(rope.factor, m) /
                                                    yarn_magnitude(rope.factor, m_all)
                                              : yarn_magnitude(rope.factor);
  rope.magnitude =
      static_cast<float>(scaling.number("attention_factor", 1e-3, 1e3, magnitude));
  if (m_all > 0) rope.score_magnitude = static_cast<float>(yarn_magnitude(rope.factor, m_all));
  if (rope.beta_fast > rope.beta_slow) return;
  scaling.fail(error(StatusCode::kCorrupt, "rope scaling yarn: beta_fast {}, beta_slow {}",
                     rope.beta_fast, rope.beta_slow));
}

std::vector<float> read_factors(const ConfigFields& scaling, const char* name, std::size_t count) {
  std::vector<float> factors;
  for (const double factor : scaling.numbers(name, kRopeFactorMin, kRopeFactorMax)) {
    factors.push_back(static_cast<float>(factor));
  }
  if (factors.size() != count) {
    scaling.fail(error(StatusCode::kCorrupt, "{}: {} factors for {} frequencies",
                       scaling.name_of(name), factors.size(), count));
  }
  return factors;
}

// Attention is sharpened in short texts, too.
void read_long_rope(const ConfigFields& scaling, int head_dim, RopeConfig& rope) {
  rope.scaling = RopeScaling::kLongRope;
  const int context = static_cast<int>(rope.original_context);  // of the model, stretched
  const int of_scaling = scaling.integer("original_max_position_embeddings", 1, kContextMax,
                                         std::max(context, 1));
  rope.original_context =
      static_cast<float>(rope.stated_context > 0 ? rope.stated_context : of_scaling);
  const auto count = static_cast<std::size_t>(rope.dims_of(head_dim) / 2);
  rope.short_factors = read_factors(scaling, "short_factor", count);
  rope.long_factors = read_factors(scaling, "long_factor", count);
  const double stretched = context / double{rope.original_context};
  const double factor = scaling.number("factor", kRopeFactorMin, kRopeFactorMax, stretched);
  rope.factor = static_cast<float>(factor);
  const double magnitude =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope.original_context));
  rope.magnitude =
      static_cast<float>(scaling.number("attention_factor", 1e-3, 1e3, magnitude));
}

void read_partial(const ConfigFields& fields, int head_dim, double fallback, RopeConfig& rope) {
  const double partial = fields.number({"partial_rotary_factor", ""}, 0, 1, fallback);
  if (partial == 1) return;
  rope.dims = static_cast<int>(head_dim * partial);
  if (rope.dims >= 2 && rope.dims % 2 == 0) return;
  fields.fail(error(StatusCode::kUnsupported, "{}: {} of {} values are {}, not an even number",
                    fields.name_of({"partial_rotary_factor", ""}), partial, head_dim, rope.dims));
}

// Scaling that was worked out per frequency by whoever wrote the file; none: empty.
std::vector<float> factors_of_tensor(const ConfigFields& fields, const char* name, int count) {
  std::vector<float> factors;
  const TensorView* tensor = fields.tensor({"", name});
  if (tensor == nullptr) return factors;
  const auto size = static_cast<std::size_t>(count);
  if (tensor->dtype != DType::kF32 || tensor->shape != std::vector<std::size_t>{size}) {
    fields.fail(error(StatusCode::kCorrupt, "{} {}: not {} values of F32", name,
                      fields.place_of(*tensor), count));
    return factors;
  }
  factors.resize(size);
  std::memcpy(factors.data(), tensor->data, size * sizeof(float));
  for (const float factor : factors) {
    if (factor > 0 && std::isfinite(factor)) continue;
    fields.fail(error(StatusCode::kCorrupt, "rope frequency factors {}: a value of {}",
                      fields.place_of(*tensor), factor));
    break;
  }
  return factors;
}

void read_long_rope_of_gguf(const ConfigFields& fields, int head_dim, RopeConfig& rope) {
  rope.scaling = RopeScaling::kLongRope;
  rope.factor = 1;
  const int count = rope.dims_of(head_dim) / 2;
  rope.short_factors = factors_of_tensor(fields, "rope_factors_short.weight", count);
  rope.long_factors = factors_of_tensor(fields, "rope_factors_long.weight", count);
  rope.original_context = static_cast<float>(
      fields.integer("rope.scaling.original_context_length", 1, kContextMax));
  rope.magnitude = static_cast<float>(fields.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0));
  if (!rope.short_factors.empty()) return;
  fields.fail(error(StatusCode::kCorrupt, "rope_factors_short.weight: missing beside the long"));
}

void read_gguf(const ConfigFields& fields, int head_dim, double theta, RopeConfig& rope) {
  rope.dims = fields.integer("rope.dimension_count", 2, kHeadDimMax, head_dim);
  if (rope.dims == head_dim) rope.dims = 0;
  if (rope.dims % 2 != 0 || rope.dims > head_dim) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} values of a head of {}",
                      fields.name_of("rope.dimension_count"), rope.dims, head_dim));
  }
  rope.theta = static_cast<float>(fields.number("rope.freq_base", kThetaMin, kThetaMax, theta));
  // Older files give the linear factor alone, under either name.
  const double old = fields.number("rope.scale_linear", kRopeFactorMin, kRopeFactorMax, 1.0);
  rope.factor = static_cast<float>(
      fields.number("rope.scaling.factor", kRopeFactorMin, kRopeFactorMax, old));
  const std::string type =
      fields.string("rope.scaling.type", rope.factor != 1 ? "linear" : "none");
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    fields.refuse_unless("rope.scaling.attn_factor", 1);
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    rope.original_context = static_cast<float>(
        fields.integer("rope.scaling.original_context_length", 1, kContextMax));
    // What it is, as config.json says it, or by how much it is more than the usual.
    const double magnitude =
        yarn_magnitude(rope.factor) * fields.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0);
    rope.magnitude = static_cast<float>(
        fields.number("rope.scaling.yarn_attn_factor", 1e-3, 1e3, magnitude));
    fields.refuse_unless("rope.scaling.yarn_ext_factor", 1);
    // With a multiplier of its own for the scores, the cosines are as they are.
    const Key multiplier = {"", "rope.scaling.yarn_log_multiplier"};
    if (const double m = fields.number(multiplier, 0, 1e3, 0.0); m > 0) {
      rope.score_magnitude = static_cast<float>(1 + m * std::log(rope.factor));
      rope.magnitude /= static_cast<float>(yarn_magnitude(rope.factor));
    }
    rope.beta_fast =
        static_cast<float>(fields.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32));
    rope.beta_slow = static_cast<float>(fields.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1));
  } else if (fields.tensor({"", "rope_factors_long.weight"}) != nullptr) {
    read_long_rope_of_gguf(fields, head_dim, rope);
  } else if (type == "none") {
    fields.refuse_unless("rope.scaling.attn_factor", 1);
    rope.factor = 1;
  } else {
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: scaling '{}' is not supported; known are none, linear, yarn, longrope",
                      fields.name_of("rope.scaling.type"), type.substr(0, 64)));
  }
}


}  // namespace

void read_rope_parameters(const ConfigFields& parameters, int head_dim, RopeConfig& rope) {
  rope.theta =
      static_cast<float>(parameters.number("rope_theta", kThetaMin, kThetaMax, rope.theta));
  read_partial(parameters, head_dim, double{1} * rope.dims_of(head_dim) / head_dim, rope);
  const std::string old_type = parameters.string("type", "default");
  const std::string type = parameters.string("rope_type", old_type);
  // Of pictures three coordinates turn parts of a head; of a text all three are its position.
  for (const char* name : {"mrope_section", "mrope_interleaved"}) parameters.mark(name);
  if (type == "default" || type == "mrope") return;
  if (type == "proportional") {
    rope.scaling = RopeScaling::kProportional;
    rope.proportion = static_cast<float>(rope.dims_of(head_dim)) / static_cast<float>(head_dim);
    rope.dims = 0;
    rope.factor =
        static_cast<float>(parameters.number("factor", kRopeFactorMin, kRopeFactorMax, 1.0));
    return;
  }
  // "su" in the first files; some said yarn and meant this.
  if (type == "longrope" || type == "su" || (type == "yarn" && parameters.has("short_factor"))) {
    return read_long_rope(parameters, head_dim, rope);
  }
  if (type != "linear" && type != "llama3" && type != "yarn" && type != "dynamic") {
    return parameters.fail(
        error(StatusCode::kUnsupported,
              "{}: type '{}' is not supported; known are default, linear, dynamic, yarn, llama3, "
              "longrope, proportional",
              parameters.place(), type.substr(0, 64)));
  }
  rope.factor = static_cast<float>(parameters.number("factor", kRopeFactorMin, kRopeFactorMax));
  if (type == "linear") rope.scaling = RopeScaling::kLinear;
  if (type == "dynamic") rope.scaling = RopeScaling::kDynamic;
  if (type == "llama3") read_llama3_scaling(parameters, rope);
  if (type == "yarn") read_yarn_scaling(parameters, rope);
}

RopeConfig read_rope(const ConfigFields& fields, int head_dim, const RopeDefaults& defaults) {
  RopeConfig rope;
  if (fields.is_gguf()) {
    read_gguf(fields, head_dim, defaults.theta, rope);
    rope.frequency_factors =
        factors_of_tensor(fields, "rope_freqs.weight", rope.dims_of(head_dim) / 2);
    return rope;
  }
  rope.theta =
      static_cast<float>(fields.number("rope_theta", kThetaMin, kThetaMax, defaults.theta));
  read_partial(fields, head_dim, defaults.partial, rope);
  // Older files leave it out where nothing was stretched when they were written.
  rope.original_context =
      static_cast<float>(fields.integer({"max_position_embeddings", ""}, 1, kContextMax, 1));
  rope.stated_context = fields.integer({"original_max_position_embeddings", ""}, 0, kContextMax,
                                       defaults.stated_context);
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    if (const auto scaling = fields.object(name)) read_rope_parameters(*scaling, head_dim, rope);
  }
  return rope;
}

ScoreGrowth read_score_growth(const ConfigFields& fields, int context) {
  constexpr double kBetaMax = 1e3;
  ScoreGrowth growth;
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    const auto rope = fields.object({name, ""});
    if (!rope) continue;
    rope->mark({"max_position_embeddings", ""});  // as that of the model
    growth.beta =
        static_cast<float>(rope->number("llama_4_scaling_beta", 0, kBetaMax, growth.beta));
    growth.every = rope->integer("original_max_position_embeddings", 1, kContextMax, context);
  }
  return growth;
}

void read_two_ropes(const ConfigFields& fields, int head_dim, double theta, RopeConfig& rope,
                    RopeConfig& window_rope) {
  rope.theta = static_cast<float>(theta);
  const auto parameters = fields.object({"rope_parameters", ""});
  if (!parameters) {
    rope = read_rope(fields, head_dim, {.theta = theta});
    const Key local = {"rope_local_base_freq", "rope.freq_base_swa"};
    window_rope.theta = static_cast<float>(fields.number(local, kThetaMin, kThetaMax, 10000.0));
    return;
  }
  for (const char* name : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    fields.mark({name, ""});  // the older spelling beside the newer one
  }
  if (const auto full = parameters->object("full_attention")) {
    read_rope_parameters(*full, head_dim, rope);
  }
  if (const auto sliding = parameters->object("sliding_attention")) {
    read_rope_parameters(*sliding, head_dim, window_rope);
  }
}

std::string rope_text(const RopeConfig& rope) {
  std::string text = fmt::format("theta {}, {} pairs", rope.theta,
                                 rope.pairing == RopePairs::kAdjacent ? "adjacent" : "half-split");
  if (rope.scaling == RopeScaling::kLinear) text += fmt::format(", linear scaling {}", rope.factor);
  if (rope.scaling == RopeScaling::kLlama3) {
    text += fmt::format(", llama3 scaling {} from {}", rope.factor, rope.original_context);
  }
  if (rope.scaling == RopeScaling::kYarn) {
    text += fmt::format(", yarn scaling {} from {}", rope.factor, rope.original_context);
  }
  if (rope.scaling == RopeScaling::kProportional) {
    text += fmt::format(", {} of the frequencies turn", rope.proportion);
  }
  if (rope.scaling == RopeScaling::kDynamic) {
    text += fmt::format(", dynamic scaling {}: none inside the context", rope.factor);
  }
  if (rope.scaling == RopeScaling::kLongRope) {
    text += fmt::format(", longrope: long factors for a context beyond {}", rope.original_context);
  }
  if (rope.dims > 0) text += fmt::format(", {} values of a head", rope.dims);
  return rope.frequency_factors.empty() ? text : text + ", factors per frequency";
}

}  // namespace quire
