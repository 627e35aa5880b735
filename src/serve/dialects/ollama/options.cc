#include "serve/dialects/ollama/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "serve/intake/fields.h"
#include "serve/intake/generation.h"
#include "store/modelfile/parameters.h"

namespace quire {
namespace {

constexpr std::size_t kOptionsMax = 256;

struct Taking {
  OllamaOptions& options;
  const HostedModel* model;
  std::vector<Warning>& warnings;
};

struct Option {
  std::string_view name;  // of which type and within which bounds: store/modelfile/parameters.h
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
                            : number < store::kSeedMax ? static_cast<std::int64_t>(number)
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

// repeat_last_n is last: what it says of penalties holds for those of its layer.
constexpr Option kOptions[] = {
    {"draft_num_predict", nullptr, "The engine chooses its drafts."},
    {"f16_kv", nullptr, kMachine},
    {"frequency_penalty",
     [](const Json& v, Taking& to) { to.options.params.frequency_penalty = real(v); }},
    {"logits_all", nullptr, kGone},
    {"low_vram", nullptr, kMachine},
    {"main_gpu", nullptr, kMachine},
    {"min_p",
     [](const Json& v, Taking& to) { to.options.params.min_p = std::min(real(v), 0.9999F); }},
    {"mirostat", nullptr, kGone},
    {"mirostat_eta", nullptr, kGone},
    {"mirostat_tau", nullptr, kGone},
    {"num_batch", nullptr, kMachine},
    {"num_ctx", take_context},
    {"num_gpu", nullptr, kMachine},
    {"num_gqa", nullptr, kGone},
    {"num_keep",
     [](const Json& v, Taking& to) {
       to.options.keep_first = whole(v) < 0 ? std::numeric_limits<std::int32_t>::max()
                                            : static_cast<std::uint32_t>(whole(v));
     }},
    {"num_predict", take_tokens_max},
    {"num_thread", nullptr, kMachine},
    {"numa", nullptr, kMachine},
    {"penalize_newline", nullptr, kGone},
    {"presence_penalty",
     [](const Json& v, Taking& to) { to.options.params.presence_penalty = real(v); }},
    {"repeat_penalty",
     [](const Json& v, Taking& to) { to.options.params.repetition_penalty = real(v); }},
    {"rope_frequency_base", nullptr, kGone},
    {"rope_frequency_scale", nullptr, kGone},
    {"seed", take_seed},
    {"stop", take_stops},
    {"temperature",
     [](const Json& v, Taking& to) { to.options.params.temperature = real(v); }},
    {"tfs_z", nullptr, kGone},
    {"top_k",
     [](const Json& v, Taking& to) { to.options.params.top_k = std::max(whole(v), 0); }},
    {"top_p",
     [](const Json& v, Taking& to) { to.options.params.top_p = real(v); }},
    {"typical_p",
     [](const Json& v, Taking& to) {
       to.options.params.typical_p = v.as_double() > 0 ? real(v) : 1;  // 0 leaves it out, too
     }},
    {"use_mlock", nullptr, kMachine},
    {"use_mmap", nullptr, kMachine},
    {"vocab_only", nullptr, kGone},
    {"repeat_last_n", take_window},
};

ApiError refuse(std::string_view name, std::string why) {
  return invalid_value("options." + std::string(name),
                       fmt::format("option \"{}\" must be {}", name, why));
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
    if (const auto fault = store::find_fault(*store::find_parameter(option.name), *value)) {
      return refuse(option.name, *fault);
    }
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

void take_own_options(const Json& own, const HostedModel* model, OllamaOptions& options,
                      std::vector<Warning>& warnings) {
  Json good = Json::object();
  for (const auto& [name, value] : own.members()) {
    const store::Parameter* parameter = store::find_parameter(name);
    const auto fault = parameter == nullptr ? std::nullopt : store::find_fault(*parameter, value);
    if (!fault) {
      good.set(name, value);
      continue;
    }
    add_warning(warnings, {"no_effect", "parameters." + name.substr(0, kNameShown),
                           fmt::format("This parameter of the model itself is left out: it must be "
                                       "{}.", *fault)});
  }
  std::vector<Warning> known;  // to whoever made the model
  static_cast<void>(take_options(good, model, options, known));
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
