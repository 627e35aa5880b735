#include "serve/dialects/ollama/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "serve/intake/fields.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

constexpr std::size_t kOptionsMax = 256;
constexpr std::size_t kStopsMax = 64;
constexpr std::size_t kStopSizeMax = 4096;  // bytes
constexpr std::size_t kNameShown = 64;      // bytes
constexpr double kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr double kSeedMax = 9223372036854775807.0;

enum class OptionType { kInteger, kFloat, kBoolean, kTexts };

struct Taking {
  OllamaOptions& options;
  const HostedModel* model;
  std::vector<Warning>& warnings;
};

struct Option {
  std::string_view name;
  OptionType type;
  double min = 0, max = 0;  // of numbers
  // Null: known, and there is nothing that it could change.
  void (*take)(const Json& value, Taking& to) = nullptr;
  std::string_view why = {};  // it has no effect
};

int whole(const Json& value) { return static_cast<int>(value.as_double()); }
float real(const Json& value) { return static_cast<float>(value.as_double()); }

void take_context(const Json& value, Taking& to) {
  const auto asked = static_cast<std::uint32_t>(value.as_double());
  to.options.context_max = asked;
  if (to.model == nullptr || asked <= to.model->info.context_max) return;
  add_warning(to.warnings, {"capped", "options.num_ctx",
                            fmt::format("This model is served with a context of {} tokens.",
                                        to.model->info.context_max)});
}

// Any integer of 64 bits.
void take_seed(const Json& value, Taking& to) {
  const double number = value.as_double();
  const std::int64_t seed = value.is_int()       ? value.as_int()
                            : number < kSeedMax ? static_cast<std::int64_t>(number)
                                                : std::numeric_limits<std::int64_t>::max();
  if (seed != -1) to.options.params.seed = static_cast<std::uint64_t>(seed);  // -1: chance
}

void take_tokens_max(const Json& value, Taking& to) {
  to.options.tokens_max.reset();
  if (value.as_double() > 0) to.options.tokens_max = whole(value);
}

void take_window(const Json& value, Taking& to) {
  SamplingParams& params = to.options.params;
  if (whole(value) == 0) {  // no token is looked at
    params.repetition_penalty = 1;
    params.presence_penalty = params.frequency_penalty = 0;
  } else if (whole(value) > 0) {
    add_warning(to.warnings, {"no_effect", "options.repeat_last_n",
                              "Penalties look at the whole text."});
  }
}

void take_stops(const Json& value, Taking& to) {
  to.options.params.stop_strings.clear();
  for (const Json& stop : value.items()) {
    if (!stop.as_string().empty()) to.options.params.stop_strings.push_back(stop.as_string());
  }
}

constexpr std::string_view kMachine = "How the model is loaded is the operator's.";
constexpr std::string_view kGone = "Ollama itself has no such option any more.";
constexpr auto kInteger = OptionType::kInteger;
constexpr auto kFloat = OptionType::kFloat;
constexpr auto kBoolean = OptionType::kBoolean;

// repeat_last_n is last: what it says of penalties holds for those of its layer.
constexpr Option kOptions[] = {
    {"draft_num_predict", kInteger, -1, kInt32Max, nullptr, "The engine chooses its drafts."},
    {"f16_kv", kBoolean, 0, 0, nullptr, kMachine},
    {"frequency_penalty", kFloat, -2, 2,
     [](const Json& v, Taking& to) { to.options.params.frequency_penalty = real(v); }},
    {"logits_all", kBoolean, 0, 0, nullptr, kGone},
    {"low_vram", kBoolean, 0, 0, nullptr, kMachine},
    {"main_gpu", kInteger, -1, kInt32Max, nullptr, kMachine},
    {"min_p", kFloat, 0, 1,
     [](const Json& v, Taking& to) { to.options.params.min_p = std::min(real(v), 0.9999F); }},
    {"mirostat", kInteger, 0, 2, nullptr, kGone},
    {"mirostat_eta", kFloat, 0, 1e9, nullptr, kGone},
    {"mirostat_tau", kFloat, 0, 1e9, nullptr, kGone},
    {"num_batch", kInteger, 0, kInt32Max, nullptr, kMachine},
    {"num_ctx", kInteger, 0, kInt32Max, take_context},
    {"num_gpu", kInteger, -1, kInt32Max, nullptr, kMachine},
    {"num_gqa", kInteger, 0, kInt32Max, nullptr, kGone},
    {"num_keep", kInteger, -1, kInt32Max,
     [](const Json& v, Taking& to) {
       to.options.keep_first = whole(v) < 0 ? std::numeric_limits<std::int32_t>::max()
                                            : static_cast<std::uint32_t>(whole(v));
     }},
    {"num_predict", kInteger, -2, kInt32Max, take_tokens_max},
    {"num_thread", kInteger, 0, kInt32Max, nullptr, kMachine},
    {"numa", kBoolean, 0, 0, nullptr, kMachine},
    {"penalize_newline", kBoolean, 0, 0, nullptr, kGone},
    {"presence_penalty", kFloat, -2, 2,
     [](const Json& v, Taking& to) { to.options.params.presence_penalty = real(v); }},
    {"repeat_penalty", kFloat, 1e-3, 1000,
     [](const Json& v, Taking& to) { to.options.params.repetition_penalty = real(v); }},
    {"rope_frequency_base", kFloat, 0, 1e12, nullptr, kGone},
    {"rope_frequency_scale", kFloat, 0, 1e12, nullptr, kGone},
    {"seed", kInteger, -kSeedMax, kSeedMax, take_seed},
    {"stop", OptionType::kTexts, 0, 0, take_stops},
    {"temperature", kFloat, 0, 100,
     [](const Json& v, Taking& to) { to.options.params.temperature = real(v); }},
    {"tfs_z", kFloat, -1e9, 1e9, nullptr, kGone},
    {"top_k", kInteger, -1, kInt32Max,
     [](const Json& v, Taking& to) { to.options.params.top_k = std::max(whole(v), 0); }},
    {"top_p", kFloat, 0, 1,
     [](const Json& v, Taking& to) { to.options.params.top_p = real(v); }},
    {"typical_p", kFloat, 0, 1,
     [](const Json& v, Taking& to) {
       to.options.params.typical_p = v.as_double() > 0 ? real(v) : 1;  // 0 leaves it out, too
     }},
    {"use_mlock", kBoolean, 0, 0, nullptr, kMachine},
    {"use_mmap", kBoolean, 0, 0, nullptr, kMachine},
    {"vocab_only", kBoolean, 0, 0, nullptr, kGone},
    {"repeat_last_n", kInteger, -1, kInt32Max, take_window},
};

ApiError refuse(std::string_view name, std::string why) {
  return invalid_value("options." + std::string(name),
                       fmt::format("option \"{}\" must be {}", name, why));
}

std::optional<ApiError> check_texts(std::string_view name, const Json& value) {
  if (!value.is_array()) return refuse(name, "of type array");
  const auto is_text = [](const Json& item) {
    return item.is_string() && item.as_string().size() <= kStopSizeMax;
  };
  if (!std::all_of(value.items().begin(), value.items().end(), is_text) ||
      value.items().size() > kStopsMax) {
    return refuse(name, fmt::format("an array of at most {} strings of at most {} bytes",
                                    kStopsMax, kStopSizeMax));
  }
  return std::nullopt;
}

std::optional<ApiError> check(const Option& option, const Json& value) {
  if (option.type == OptionType::kTexts) return check_texts(option.name, value);
  if (option.type == kBoolean) {
    if (value.is_bool()) return std::nullopt;
    return refuse(option.name, "of type boolean");
  }
  if (!value.is_number()) {
    return refuse(option.name, option.type == kInteger ? "of type integer" : "of type float32");
  }
  const double number = value.as_double();
  if (number >= option.min && number <= option.max) return std::nullopt;
  return refuse(option.name, fmt::format("from {} to {}", option.min, option.max));
}

}  // namespace

void add_warning(std::vector<Warning>& warnings, Warning warning) {
  constexpr std::size_t kMax = 64;
  const auto is_it = [&](const Warning& it) {
    return it.code == warning.code && it.param == warning.param;
  };
  if (warnings.size() >= kMax || std::any_of(warnings.begin(), warnings.end(), is_it)) return;
  warnings.push_back(std::move(warning));
}

void set_warnings(const std::vector<Warning>& warnings, Json& body) {
  if (warnings.empty()) return;
  Json list = Json::array();
  for (const Warning& it : warnings) {
    list.push(Json::object({{"code", it.code}, {"param", it.param}, {"message", it.message}}));
  }
  body.set("warnings", std::move(list));
}

OllamaOptions default_options(const HostedModel* model) {
  OllamaOptions options;
  SamplingParams& params = options.params;
  params = default_sampling(model);  // a seed of chance, and what the model's files say
  const GenerationDefaults own = model != nullptr ? model->info.sampling : GenerationDefaults();
  if (own.temperature < 0) params.temperature = 0.8F;
  if (own.top_k < 0) params.top_k = 40;
  if (own.top_p < 0) params.top_p = 0.9F;
  return options;
}

std::optional<ApiError> take_options(const Json& asked, const HostedModel* model,
                                     OllamaOptions& options, std::vector<Warning>& warnings) {
  if (!asked.is_object()) {
    return invalid_value("options", "options must be an object, got " + shown(asked));
  }
  if (asked.members().size() > kOptionsMax) {
    return invalid_value("options", fmt::format("at most {} options", kOptionsMax));
  }
  Taking to = {options, model, warnings};
  for (const Option& option : kOptions) {
    const Json* value = asked.find(option.name);
    if (value == nullptr || value->is_null()) continue;
    if (auto error = check(option, *value)) return error;
    if (option.take != nullptr) {
      option.take(*value, to);
    } else {
      add_warning(warnings, {"no_effect", "options." + std::string(option.name),
                             std::string(option.why)});
    }
  }
  for (const auto& [name, value] : asked.members()) {
    const bool is_known = std::any_of(std::begin(kOptions), std::end(kOptions),
                                      [&](const Option& it) { return it.name == name; });
    if (is_known) continue;
    add_warning(warnings, {"unknown_option", "options." + name.substr(0, kNameShown),
                           "This option is not known here and was ignored."});
  }
  return std::nullopt;
}

void settle_options(OllamaOptions& options, std::vector<Warning>& warnings) {
  // A window that nothing looks through is no news.
  const SamplingParams& params = options.params;
  const bool has_penalty = params.repetition_penalty != 1 || params.presence_penalty != 0 ||
                           params.frequency_penalty != 0;
  if (has_penalty) return;
  std::erase_if(warnings, [](const Warning& it) { return it.param == "options.repeat_last_n"; });
}

}  // namespace quire
