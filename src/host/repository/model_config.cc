#include "host/repository/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include "engine/engine.h"
#include "host/repository/config_schema.h"
#include "host/repository/config_text.h"
#include "host/repository/config_values.h"
#include "host/repository/files/model_bounds.h"

namespace quire {
namespace {

constexpr std::uint32_t kWarmupCountMax = 1000, kWarmupTokensMax = 4096;
constexpr std::uint64_t kPriorityLevelsMax = 64;
constexpr std::int64_t kBatchMax = 4096;
constexpr std::string_view kNoDelay =
    "'dynamic_batching.preferred_batch_size' does nothing here without "
    "max_queue_delay_microseconds: nobody waits for a batch to fill";
constexpr std::uint64_t kQueueMax = 1 << 20;

template <typename... Args>
Status wrong(fmt::format_string<Args...> format, Args&&... args) {
  return Status(StatusCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

// The tables have checked that it is there, and its type.
const Json& get(const Json& json, std::string_view name) { return *json.find(name); }
std::string text(const Json& json, std::string_view name) { return get(json, name).as_string(); }
std::uint64_t number(const Json& json, std::string_view name) { return get(json, name).as_uint(); }
bool is_set(const Json& json, std::string_view name) { return get(json, name).as_bool(); }

// --- what runs it ---

// An ensemble runs nothing itself.
Status read_ensemble_backend(const Json& json, const ModelConfig& config) {
  if (!config.backend.empty()) {
    return wrong("'backend' is '{}', but an ensemble has none", config.backend.substr(0, 64));
  }
  if (!get(json, "instance_group").items().empty()) {
    return wrong("'instance_group' is not for an ensemble, which has no instances");
  }
  return ok_status();
}

bool is_known_backend(std::string_view name) {
  return name == "quire" || name == "vllm" || name == "llamacpp" || name == kTokenizerBackend ||
         name == kExpressionBackend;
}

Status read_backend(const Json& json, ModelConfig& config) {
  config.backend = text(json, "backend");
  const std::string platform = text(json, "platform");
  const bool has_steps = json.find("ensemble_scheduling") != nullptr;
  if (has_steps != (platform == "ensemble")) {
    return wrong("'ensemble_scheduling' and 'platform' \"ensemble\" go together; one of them is "
                 "missing");
  }
  if (has_steps) return read_ensemble_backend(json, config);
  if (config.backend.empty()) config.backend = platform.empty() ? "quire" : platform;
  if (is_known_backend(config.backend)) {
    if (platform.empty() || is_known_backend(platform)) return ok_status();
    return error(StatusCode::kUnsupported, "'platform' is not supported: '{}' beside 'backend' "
                                           "\"{}\" is of files of another kind",
                 platform.substr(0, 64), config.backend);
  }
  return error(StatusCode::kUnsupported,
               "'backend' is not supported: '{}' runs files of another kind; there are quire, "
               "vllm and llamacpp, whose models it serves, quire_tokenizer and quire_expression",
               config.backend.substr(0, 64));
}

// Of all groups together; none: as the operator says.
Status read_instances(const Json& json, ModelConfig& config) {
  std::int64_t count = 0;
  for (const Json& group : get(json, "instance_group").items()) {
    const std::int64_t wanted = get(group, "count").as_int();
    if (wanted < 0) return wrong("'instance_group.count' must not be negative");
    if (text(group, "kind") == "KIND_GPU") {
      return Status(StatusCode::kUnsupported,
                    "'instance_group.kind' KIND_GPU is not supported: the models of this process "
                    "run on its processors");
    }
    count += std::max<std::int64_t>(wanted, 1);
  }
  if (count > kInstancesMax) {
    return error(StatusCode::kUnsupported,
                 "'instance_group.count' is not supported above {}, all groups together: {} were "
                 "asked for, each a copy of the model; one computes for many requests at a time "
                 "(max_batch_size)", kInstancesMax, count);
  }
  config.overrides.instances = static_cast<std::uint32_t>(count);
  return ok_status();
}

// As it is shown: groups without a name are called after the model and their number, and what is
// left open is what it comes to here.
Json shown_groups(const Json& json, const std::string& model) {
  Json shown = Json::array();
  for (const Json& given : get(json, "instance_group").items()) {
    Json group = given;
    if (text(group, "name").empty()) {
      group.set("name", fmt::format("{}_{}", model, shown.items().size()));
    }
    if (text(group, "kind") == "KIND_AUTO") group.set("kind", "KIND_CPU");
    if (get(group, "count").as_int() < 1) group.set("count", 1);
    shown.push(std::move(group));
  }
  return shown;
}

// --- versions ---

Status read_versions(const Json& json, ModelConfig& config) {
  const Json* policy = json.find("version_policy");
  if (policy == nullptr) return ok_status();
  VersionPolicy& versions = config.versions;
  if (const Json* latest = policy->find("latest")) {
    versions.latest = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(number(*latest, "num_versions"), 1));
  } else if (policy->find("all") != nullptr) {
    versions.kind = VersionPolicy::Kind::kAll;
  } else if (const Json* specific = policy->find("specific")) {
    versions.kind = VersionPolicy::Kind::kSpecific;
    for (const Json& version : get(*specific, "versions").items()) {
      if (version.as_int() <= 0) {
        return wrong("'version_policy.specific.versions' must be positive, not {}",
                     version.as_int());
      }
      versions.specific.push_back(version.as_uint());
    }
    if (versions.specific.empty()) {
      return wrong("'version_policy.specific.versions' names no version");
    }
  }
  return ok_status();
}

// --- tensors ---

Status read_tensors(const Json& json, std::string_view field, std::vector<ModelTensor>& tensors) {
  std::set<std::string> names;
  for (const Json& item : get(json, field).items()) {
    ModelTensor& tensor = tensors.emplace_back();
    tensor.name = text(item, "name");
    tensor.data_type = text(item, "data_type");
    if (tensor.name.empty() || !names.insert(tensor.name).second) {
      return wrong("'{}.name' is missing or there twice", field);
    }
    if (tensor.data_type == "TYPE_INVALID") {
      return wrong("'{}.data_type' of '{}' is missing", field, tensor.name);
    }
    for (const Json& dim : get(item, "dims").items()) {
      if (dim.as_int() < 1 && dim.as_int() != -1) {
        return wrong("'{}.dims' of '{}' must be positive or -1, not {}", field, tensor.name,
                     dim.as_int());
      }
      tensor.dims.push_back(dim.as_int());
    }
    if (tensor.dims.empty()) return wrong("'{}.dims' of '{}' is missing", field, tensor.name);
    if (item.find("optional") != nullptr) tensor.is_optional = is_set(item, "optional");
    if (item.find("label_filename") != nullptr) {
      tensor.label_filename = text(item, "label_filename");
    }
  }
  return ok_status();
}

// --- batching ---

QueuePolicy queue_policy(const Json& json) {
  return {.delays = text(json, "timeout_action") == "DELAY",
          .timeout_us = number(json, "default_timeout_microseconds"),
          .may_override = is_set(json, "allow_timeout_override"),
          .size_max = static_cast<std::uint32_t>(number(json, "max_queue_size"))};
}

Status read_preferred(const Json& json, ModelConfig& config) {
  for (const Json& size : get(json, "preferred_batch_size").items()) {
    if (size.as_int() <= 0 || size.as_int() > config.batch_max) {
      return wrong("'dynamic_batching.preferred_batch_size' must be from 1 to max_batch_size, "
                   "which is {}, not {}", config.batch_max, size.as_int());
    }
    config.batching.preferred.push_back(static_cast<std::uint32_t>(size.as_int()));
  }
  std::sort(config.batching.preferred.begin(), config.batching.preferred.end());
  return ok_status();
}

// As published: who keeps the order of arrivals has nobody pass anybody.
Status check_order(const DynamicBatching& batching) {
  if (!batching.preserves_order) return ok_status();
  if (batching.levels > 1) {
    return wrong("'dynamic_batching.preserve_ordering' allows one priority level, not {}",
                 batching.levels);
  }
  for (std::uint64_t level = 0; level <= batching.levels; ++level) {
    const QueuePolicy& policy = batching.policy_of(level);
    if (policy.delays && policy.timeout_us > 0) {
      return wrong("'dynamic_batching.preserve_ordering' allows no timeout_action DELAY");
    }
  }
  return ok_status();
}

// Room for all whom the levels let wait, whoever's they are, and who is about to be computed. 0:
// there is a level without a bound.
std::uint32_t queue_max(const ModelConfig& config) {
  const DynamicBatching& batching = config.batching;
  constexpr std::uint32_t kComputedMax = 4096;  // where only --max-num-seqs knows
  std::uint64_t sum = config.batch_max > 0 ? config.batch_max : kComputedMax;
  sum *= std::max<std::uint32_t>(config.overrides.instances, 1);
  for (std::uint64_t level = std::min<std::uint64_t>(batching.levels, 1); level <= batching.levels;
       ++level) {
    const std::uint32_t size_max = batching.policy_of(level).size_max;
    if (size_max == 0) return 0;
    sum += size_max;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, kQueueMax));
}

Status read_batching(const Json& json, ModelConfig& config) {
  const std::int64_t batch_max = get(json, "max_batch_size").as_int();
  if (batch_max < 0 || batch_max > kBatchMax) {
    return wrong("'max_batch_size' must be from 0 to {}, not {}", kBatchMax, batch_max);
  }
  config.batch_max = static_cast<std::uint32_t>(batch_max);
  config.overrides.rows_max = config.batch_max;
  const Json* found = json.find("dynamic_batching");
  if (found == nullptr) return ok_status();
  DynamicBatching& batching = config.batching;
  QUIRE_RETURN_IF_ERROR(read_preferred(*found, config));
  batching.delay_us_max = number(*found, "max_queue_delay_microseconds");
  batching.preserves_order = is_set(*found, "preserve_ordering");
  batching.levels = number(*found, "priority_levels");
  batching.default_level = number(*found, "default_priority_level");
  if (batching.levels > kPriorityLevelsMax) {
    return wrong("'dynamic_batching.priority_levels' is {}; at most {} are possible",
                 batching.levels, kPriorityLevelsMax);
  }
  const bool has_default = batching.default_level >= 1 && batching.default_level <= batching.levels;
  if (batching.levels > 0 && !has_default) {
    return wrong("'dynamic_batching.default_priority_level' must be from 1 to {}, not {}",
                 batching.levels, batching.default_level);
  }
  if (const Json* queue = found->find("default_queue_policy")) {
    batching.queue = queue_policy(*queue);
  }
  for (const auto& [key, queue] : get(*found, "priority_queue_policy").members()) {
    const std::uint64_t level = std::stoull(key);  // its digits were checked
    if (level < 1 || level > batching.levels) {
      return wrong("'dynamic_batching.priority_queue_policy' has a level {} of {}", level,
                   batching.levels);
    }
    batching.queue_of.emplace(level, queue_policy(queue));
  }
  QUIRE_RETURN_IF_ERROR(check_order(batching));
  if (!batching.preferred.empty() && batching.delay_us_max == 0) {
    config.warnings.emplace_back(kNoDelay);
  }
  config.overrides.batching = batching;
  config.overrides.queue_max = queue_max(config);
  return ok_status();
}

// --- warm-up ---

Status read_warmup_input(const Json& input, ModelWarmup& warmup) {
  std::uint64_t tokens = 1;
  for (const Json& dim : get(input, "dims").items()) {
    tokens *= static_cast<std::uint64_t>(std::max<std::int64_t>(dim.as_int(), 1));
    if (tokens > kWarmupTokensMax) {
      return wrong("'model_warmup.inputs.dims' has over {} elements", kWarmupTokensMax);
    }
  }
  const Json* named = input.find("input_data_file");  // one of several choices
  const std::string file = named == nullptr ? std::string() : named->as_string();
  if (text(input, "data_type") == "TYPE_STRING") {
    if (!file.empty()) warmup.file = file;
  } else if (!file.empty()) {
    return Status(StatusCode::kUnsupported,
                  "'model_warmup.inputs.input_data_file' is supported for TYPE_STRING, which is a "
                  "prompt");
  } else {
    warmup.tokens = std::max(warmup.tokens, static_cast<std::uint32_t>(tokens));
  }
  return ok_status();
}

Status read_warmups(const Json& json, ModelConfig& config) {
  for (const Json& item : get(json, "model_warmup").items()) {
    ModelWarmup& warmup = config.warmups.emplace_back();
    warmup.name = text(item, "name");
    const std::uint64_t batch = std::max<std::uint64_t>(number(item, "batch_size"), 1);
    const std::uint64_t count = std::max<std::uint64_t>(number(item, "count"), 1) * batch;
    if (count > kWarmupCountMax) {
      return wrong("'model_warmup' asks for {} requests; at most {} are possible", count,
                   kWarmupCountMax);
    }
    warmup.count = static_cast<std::uint32_t>(count);
    for (const auto& [_, input] : get(item, "inputs").members()) {
      QUIRE_RETURN_IF_ERROR(read_warmup_input(input, warmup));
    }
  }
  return ok_status();
}

// --- parameters ---

struct NumberParameter {
  std::string_view name;
  std::uint32_t ModelOverrides::* value;
};
constexpr NumberParameter kNumbers[] = {{"max_model_len", &ModelOverrides::context_max},
                                        {"max_num_seqs", &ModelOverrides::rows_max},
                                        {"max_num_batched_tokens", &ModelOverrides::tokens_max},
                                        {"max_queue", &ModelOverrides::queue_max}};
struct TextParameter {
  std::string_view name;
  std::string ModelOverrides::* value;
};
constexpr TextParameter kTexts[] = {{"kv_cache_dtype", &ModelOverrides::kv_cache_dtype},
                                    {"kv_cache_memory", &ModelOverrides::kv_cache_memory},
                                    {"quantize", &ModelOverrides::quantize},
                                    {"tokenizer", &ModelOverrides::tokenizer},
                                    {"chat_template", &ModelOverrides::chat_template},
                                    {"tool_call_parser", &ModelOverrides::tool_call_parser},
                                    {"reasoning_parser", &ModelOverrides::reasoning_parser}};

// Of other backends: how they arrange memory and batches, which this one does by itself.
constexpr std::string_view kToldSettings[] = {
    "batch_scheduler_policy", "batching_strategy", "enable_chunked_context",
    "enable_kv_cache_reuse", "gpt_model_type", "gpu_memory_utilization",
    "kv_cache_free_gpu_mem_fraction", "max_queue_delay_microseconds",
    "max_tokens_in_paged_kv_cache", "FORCE_CPU_ONLY_INPUT_TENSORS", "REPORT_CUSTOM_METRICS"};

Status read_parameter(const std::string& name, const std::string& value, ModelConfig& config) {
  for (const NumberParameter& known : kNumbers) {
    if (name != known.name) continue;
    std::uint32_t read = 0;
    const char* end = value.data() + value.size();
    const auto outcome = std::from_chars(value.data(), end, read);
    const std::uint32_t max = model_bound(known.name);
    if (outcome.ec != std::errc() || outcome.ptr != end || read == 0 || read > max) {
      return wrong("'parameters[{}]' must be an integer from 1 to {}, not '{}'", name, max,
                   value.substr(0, 64));
    }
    config.overrides.*known.value = read;
    return ok_status();
  }
  for (const TextParameter& known : kTexts) {
    if (name != known.name) continue;
    config.overrides.*known.value = value;
    return ok_status();
  }
  if (name == "model") {
    config.source = value;
    return ok_status();
  }
  if (name == "decoupled_mode") {
    if (value != "true" && value != "false" && value != "True" && value != "False") {
      return wrong("'parameters[decoupled_mode]' must be true or false");
    }
    config.is_decoupled |= value == "true" || value == "True";
    return ok_status();
  }
  if (std::find(std::begin(kToldSettings), std::end(kToldSettings), name) !=
      std::end(kToldSettings)) {
    config.warnings.push_back(fmt::format(
        "'parameters[{}]' does nothing here: memory and batches are arranged by Quire", name));
    return ok_status();
  }
  return wrong("'parameters[{}]' is not known", name.substr(0, 64));
}

// Nobody waits in front of a model without an engine. What would bound who waits is refused.
Status check_light_batching(const ModelConfig& config) {
  const DynamicBatching& batching = config.batching;
  for (std::uint64_t level = 0; level <= batching.levels; ++level) {
    const QueuePolicy& policy = batching.policy_of(level);
    if (policy.size_max == 0 && policy.timeout_us == 0) continue;
    return error(StatusCode::kUnsupported,
                 "'dynamic_batching.{}.{}' is not supported for a model without an engine, which "
                 "answers at once and has no queue",
                 batching.queue_of.contains(level) ? "priority_queue_policy"
                                                   : "default_queue_policy",
                 policy.size_max > 0 ? "max_queue_size" : "default_timeout_microseconds");
  }
  return ok_status();
}

constexpr const char* kIdleWarmup =
    "'model_warmup' does nothing here: an ensemble has no instances; its steps' models have their "
    "own";
constexpr const char* kIdleBatching =
    "'dynamic_batching' does nothing here: a model without an engine answers each request at once, "
    "by itself, whatever its priority";

// What is an engine's does nothing, which is told; what would change answers is refused.
Status check_light(const Json& json, ModelConfig& config) {
  if (config.is_decoupled) {
    return wrong("'model_transaction_policy.decoupled' is not for a model without an engine, which "
                 "has one response to a request");
  }
  if (config.overrides.instances > 1) {
    config.warnings.emplace_back("'instance_group.count' does nothing here: a model without an "
                                 "engine answers at once, for as many as ask");
  }
  const bool is_ensemble = config.backend.empty();
  if (json.find("dynamic_batching") != nullptr) {
    QUIRE_RETURN_IF_ERROR(check_light_batching(config));
    config.warnings.emplace_back(kIdleBatching);
  }
  if (!is_ensemble) return ok_status();
  if (!get(json, "model_warmup").items().empty()) config.warnings.emplace_back(kIdleWarmup);
  if (number(get(json, "ensemble_scheduling"), "max_inflight_requests") > 0) {
    config.warnings.emplace_back("'ensemble_scheduling.max_inflight_requests' does nothing here: "
                                 "every step has one response");
  }
  for (const auto& [name, _] : config.own_parameters) {
    config.warnings.push_back(fmt::format("'parameters[{}]' does nothing here: an ensemble has "
                                          "no backend to read it", name));
  }
  return ok_status();
}

// Which is always shown, at its place.
Json with_version_policy(const Json& json) {
  Json whole = Json::object();
  for (const ConfigField& field : model_config_message().fields) {
    if (const Json* value = json.find(field.name)) {
      whole.set(std::string(field.name), *value);
    } else if (field.name == "version_policy") {
      whole.set("version_policy", Json::object({{"latest", Json::object({{"num_versions", 1}})}}));
    }
  }
  return whole;
}

Result<ModelConfig> make_config(ConfigReading reading, const std::string& folder) {
  ModelConfig config;
  Json& json = reading.json;
  config.warnings = std::move(reading.warnings);
  config.name = text(json, "name").empty() ? folder : text(json, "name");
  if (config.name != folder) {
    return wrong("'name' is '{}', but the model's folder is called '{}'", config.name, folder);
  }
  QUIRE_RETURN_IF_ERROR(read_backend(json, config));
  QUIRE_RETURN_IF_ERROR(read_instances(json, config));
  QUIRE_RETURN_IF_ERROR(read_versions(json, config));
  QUIRE_RETURN_IF_ERROR(read_tensors(json, "input", config.inputs));
  QUIRE_RETURN_IF_ERROR(read_tensors(json, "output", config.outputs));
  QUIRE_RETURN_IF_ERROR(read_batching(json, config));
  if (has_engine(config)) QUIRE_RETURN_IF_ERROR(read_warmups(json, config));
  config.file = text(json, "default_model_filename");
  if (const Json* policy = json.find("model_transaction_policy")) {
    config.is_decoupled = is_set(*policy, "decoupled");
  }
  for (const auto& [name, parameter] : get(json, "parameters").members()) {
    const std::string value = text(parameter, "string_value");
    const bool names_words = config.backend == kTokenizerBackend &&
                             (name == "model" || name == "tokenizer");
    if (has_engine(config) || names_words) {
      QUIRE_RETURN_IF_ERROR(read_parameter(name, value, config));
    } else {
      config.own_parameters.emplace_back(name, value);
    }
  }
  if (const Json* cache = json.find("response_cache")) {
    config.has_response_cache = is_set(*cache, "enable");
  }
  if (config.has_response_cache && config.is_decoupled) {
    return wrong("'response_cache' is not for decoupled models");
  }
  if (!has_engine(config)) QUIRE_RETURN_IF_ERROR(check_light(json, config));
  json.set("name", config.name);
  json.set("backend", config.backend);
  json.set("instance_group", shown_groups(json, config.name));
  config.json = with_version_policy(json);
  return config;
}

Result<ModelConfig> read_config(const ConfigValue& value, const std::string& folder) {
  QUIRE_ASSIGN_OR_RETURN(ConfigReading reading, read_config_values(value, model_config_message()));
  QUIRE_ASSIGN_OR_RETURN(ModelConfig config, make_config(std::move(reading), folder));
  config.says_batch = std::any_of(value.members.begin(), value.members.end(), [](const auto& it) {
    return it.name == "max_batch_size" && it.value.kind != ConfigValue::Kind::kNothing;
  });
  return config;
}

}  // namespace

bool has_engine(const ModelConfig& config) {
  const bool is_ensemble = config.backend.empty();
  return !is_ensemble && config.backend != kTokenizerBackend &&
         config.backend != kExpressionBackend;
}

std::vector<std::uint64_t> VersionPolicy::choose(const std::vector<std::uint64_t>& versions) const {
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const bool is_named =
        std::find(specific.begin(), specific.end(), versions[i]) != specific.end();
    const bool is_late = versions.size() - i <= latest;
    const bool is_chosen = kind == Kind::kAll || (kind == Kind::kSpecific ? is_named : is_late);
    if (is_chosen) chosen.push_back(versions[i]);
  }
  return chosen;
}

Result<ModelConfig> parse_model_config(std::string_view text, const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const ConfigValue value, parse_config_text(text));
  return read_config(value, name);
}

Result<ModelConfig> model_config_from_json(const Json& json, const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const ConfigValue value, config_value_of(json));
  return read_config(value, name);
}

}  // namespace quire
