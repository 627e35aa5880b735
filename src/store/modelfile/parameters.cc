#include "store/modelfile/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace quire::store {
namespace {

constexpr double kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr auto kInteger = ParameterType::kInteger;
constexpr auto kFloat = ParameterType::kFloat;
constexpr auto kBoolean = ParameterType::kBoolean;

constexpr Parameter kParameters[] = {
    {"draft_num_predict", kInteger, -1, kInt32Max},
    {"f16_kv", kBoolean, 0, 0, true},
    {"frequency_penalty", kFloat, -2, 2},
    {"logits_all", kBoolean, 0, 0, true},
    {"low_vram", kBoolean, 0, 0, true},
    {"main_gpu", kInteger, -1, kInt32Max},
    {"min_p", kFloat, 0, 1},
    {"mirostat", kInteger, 0, 2, true},
    {"mirostat_eta", kFloat, 0, 1e9, true},
    {"mirostat_tau", kFloat, 0, 1e9, true},
    {"num_batch", kInteger, 0, kInt32Max},
    {"num_ctx", kInteger, 0, kInt32Max},
    {"num_gpu", kInteger, -1, kInt32Max},
    {"num_gqa", kInteger, 0, kInt32Max, true, true},
    {"num_keep", kInteger, -1, kInt32Max},
    {"num_predict", kInteger, -2, kInt32Max},
    {"num_thread", kInteger, 0, kInt32Max},
    {"numa", kBoolean, 0, 0, true},
    {"penalize_newline", kBoolean, 0, 0, true},
    {"presence_penalty", kFloat, -2, 2},
    {"repeat_last_n", kInteger, -1, kInt32Max},
    {"repeat_penalty", kFloat, 1e-3, 1000},
    {"rope_frequency_base", kFloat, 0, 1e12, true, true},
    {"rope_frequency_scale", kFloat, 0, 1e12, true, true},
    {"seed", kInteger, -kSeedMax, kSeedMax},
    {"stop", ParameterType::kTexts},
    {"temperature", kFloat, 0, 100},
    {"tfs_z", kFloat, -1e9, 1e9, true},
    {"top_k", kInteger, -1, kInt32Max},
    {"top_p", kFloat, 0, 1},
    {"typical_p", kFloat, 0, 1},
    {"use_mlock", kBoolean, 0, 0, true},
    {"use_mmap", kBoolean},
    {"vocab_only", kBoolean, 0, 0, true},
};

std::string texts_wanted() {
  return fmt::format("an array of at most {} strings of at most {} bytes", kStopsMax,
                     kStopSizeMax);
}

bool is_good_text(const Json& value) {
  return value.is_string() && value.as_string().size() <= kStopSizeMax;
}

template <typename T>
bool parse_all(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && at == end && !text.empty();
}

// As Go reads them.
std::optional<bool> parse_bool(std::string_view text) {
  constexpr std::string_view kTrue[] = {"1", "t", "T", "TRUE", "true", "True"};
  constexpr std::string_view kFalse[] = {"0", "f", "F", "FALSE", "false", "False"};
  if (std::find(std::begin(kTrue), std::end(kTrue), text) != std::end(kTrue)) return true;
  if (std::find(std::begin(kFalse), std::end(kFalse), text) != std::end(kFalse)) return false;
  return std::nullopt;
}

Result<Json> parse_value(const Parameter& parameter, std::string_view text) {
  const auto wrong = [&](std::string_view type) {
    return error(StatusCode::kInvalidArgument, "invalid {} value [{}] of {}", type, text,
                 parameter.name);
  };
  std::int64_t whole = 0;
  double real = 0;
  switch (parameter.type) {
    case ParameterType::kTexts: return Json(text);
    case kInteger: return parse_all(text, whole) ? Result<Json>(Json(whole)) : wrong("int");
    case kFloat:
      return parse_all(text, real) && std::isfinite(real) ? Result<Json>(Json(real))
                                                          : wrong("float");
    case kBoolean: {
      const auto flag = parse_bool(text);
      return flag ? Result<Json>(Json(*flag)) : wrong("bool");
    }
  }
  return Json();
}

}  // namespace

const Parameter* find_parameter(std::string_view name) {
  const auto* found = std::find_if(std::begin(kParameters), std::end(kParameters),
                                   [&](const Parameter& it) { return it.name == name; });
  return found == std::end(kParameters) ? nullptr : found;
}

std::optional<std::string> find_fault(const Parameter& parameter, const Json& value) {
  if (parameter.type == ParameterType::kTexts) {
    if (!value.is_array()) return "of type array";
    const bool is_good = value.items().size() <= kStopsMax &&
                         std::all_of(value.items().begin(), value.items().end(), is_good_text);
    return is_good ? std::nullopt : std::optional(texts_wanted());
  }
  if (parameter.type == kBoolean) {
    return value.is_bool() ? std::nullopt : std::optional<std::string>("of type boolean");
  }
  if (!value.is_number()) return parameter.type == kInteger ? "of type integer" : "of type float32";
  const double number = value.as_double();
  if (number >= parameter.min && number <= parameter.max) return std::nullopt;
  return fmt::format("from {} to {}", parameter.min, parameter.max);
}

Result<Json> parameter_value(std::string_view name, std::string_view text) {
  const Parameter* known = find_parameter(name);
  if (known == nullptr || known->is_of_requests) {
    return error(StatusCode::kInvalidArgument, "unknown parameter '{}'", name);
  }
  QUIRE_ASSIGN_OR_RETURN(Json value, parse_value(*known, text));
  const bool is_text = known->type == ParameterType::kTexts;
  const auto fault = find_fault(*known, is_text ? Json::array({value}) : value);
  if (!fault) return value;
  return error(StatusCode::kInvalidArgument, "{} must be {}{}", name, *fault,
               is_text ? "" : fmt::format(", got {}", text));
}

}  // namespace quire::store
