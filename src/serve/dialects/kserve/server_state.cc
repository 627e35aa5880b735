#include "serve/dialects/kserve/server_state.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/clock.h"
#include "serve/background/response_cache.h"
#include "serve/dialects/kserve/light/light_face.h"
#include "serve/house.h"

namespace quire {
namespace {

std::string_view state_name(const ModelRow& row) {
  if (row.state == ModelState::kReady) return "READY";
  const bool is_coming = row.state == ModelState::kWanted || row.state == ModelState::kLoading;
  return is_coming ? "LOADING" : "UNAVAILABLE";
}

std::string state_reason(const ModelRow& row) {
  if (!row.failure.empty()) return row.failure;
  return row.state == ModelState::kUnloading  ? "unloading"
         : row.state == ModelState::kUnloaded ? "unloaded"
                                              : "";
}

// Answers that were kept are successes, too, of which nothing was computed and nobody waited.
void add_kept(const ResponseCache::Counts& counts, InferStatistics& made) {
  const auto nanos = [](Nanos time) { return static_cast<std::uint64_t>(time.count()); };
  made.cache_hit = {counts.hits, nanos(counts.hit_time)};
  made.cache_miss = {counts.misses, nanos(counts.miss_time)};
  made.success.count += counts.hits;
  made.queue.count += counts.hits;  // as in Triton
  made.success.ns += made.cache_hit.ns;
  made.last_inference_ms = std::max(made.last_inference_ms, counts.last_hit_ms);
}

InferStatistics statistics_of(const House& house, const ModelRow& row) {
  const Metrics::ModelCounts counts = house.metrics.counts(row.names.front());
  const auto nanos = [](double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); };
  InferStatistics made{.name = row.names.front(), .version = "1"};
  const std::string& name = row.names.front();
  const auto parts = house.repository != nullptr ? parts_of_version(*house.repository, name)
                                                 : std::nullopt;
  if (parts) {
    made.name = parts->name;
    made.version = parts->version;
  }
  made.last_inference_ms = counts.last_request_ms;
  made.inferences = counts.choices;
  made.executions = counts.steps;
  made.success = {counts.requests, nanos(counts.request_seconds)};
  made.fail = {counts.failures, nanos(counts.failed_seconds)};
  made.queue = {counts.queued, nanos(counts.queue_seconds)};
  const double rest = std::max(counts.request_seconds - counts.queue_seconds, 0.0);
  made.infer = {counts.requests, nanos(rest)};
  if (house.responses != nullptr) add_kept(house.responses->counts(row.names.front()), made);
  for (const auto& [rows, steps] : counts.steps_of) {
    made.batches.push_back({rows, {steps.count, steps.ns}});
  }
  made.bytes = row.bytes;
  return made;
}

// As Triton has it: time in the queue is of all that went well, and what an ensemble computed is
// what its steps did.
InferStatistics statistics_of(const House& house, const LightModel& model) {
  const LightCounts counts = model.counter->counts();
  const auto nanos = [](Nanos time) { return static_cast<std::uint64_t>(time.count()); };
  InferStatistics made{.name = model.name, .version = std::to_string(model.version)};
  made.last_inference_ms = static_cast<std::uint64_t>(counts.last_ms);
  made.inferences = counts.inferences;
  made.executions = counts.successes;
  made.success = {counts.successes, nanos(counts.success_time)};
  made.fail = {counts.failures, nanos(counts.failure_time)};
  made.queue = {counts.successes, nanos(counts.queue_time)};
  made.infer = {counts.successes, nanos(counts.compute_time)};
  if (house.responses != nullptr) add_kept(house.responses->counts(own_name_of(model)), made);
  return made;
}

// Whether all that its steps name can be asked.
bool is_light_ready(const DialectContext& context, const LightModel& model) {
  const ModelRepository* repository = context.house->repository;
  if (repository != nullptr && !repository->soundness(model.name).is_ok()) return false;
  const std::vector<EnsembleStep>& steps = model.graph.steps;
  return std::all_of(steps.begin(), steps.end(), [&](const EnsembleStep& step) {
    const std::string version = step.version > 0 ? std::to_string(step.version) : "";
    return !find_unready(context, step.model, version);
  });
}

// A log level as the four switches of this protocol.
struct LogSwitches {
  bool info = true, warning = true, error = true;
  std::int64_t verbose = 0;
};

LogSwitches switches_of(spdlog::level::level_enum level) {
  return {.info = level <= spdlog::level::info,
          .warning = level <= spdlog::level::warn,
          .error = level <= spdlog::level::err,
          .verbose = level <= spdlog::level::trace ? 2 : level <= spdlog::level::debug ? 1 : 0};
}

spdlog::level::level_enum level_of(const LogSwitches& switches) {
  if (switches.verbose > 1) return spdlog::level::trace;
  if (switches.verbose == 1) return spdlog::level::debug;
  if (switches.info) return spdlog::level::info;
  if (switches.warning) return spdlog::level::warn;
  return switches.error ? spdlog::level::err : spdlog::level::off;
}

// Null: it is none of the three.
const bool* flag_of(std::string_view name, const LogSwitches& switches) {
  return name == "log_info"      ? &switches.info
         : name == "log_warning" ? &switches.warning
         : name == "log_error"   ? &switches.error
                                 : nullptr;
}

ApiError bad_setting(std::string_view name, std::string_view expected) {
  return invalid_value(std::string(name), fmt::format("log setting '{}': expected {}", name,
                                                      expected));
}

// The log has one level: what is graver than something that it says, it says, too. A change that
// asks for anything else would not hold.
std::optional<ApiError> refuse_gap(const Settings& changes, const LogSwitches& wanted) {
  const LogSwitches comes = switches_of(level_of(wanted));
  for (const auto& [name, value] : changes) {
    const bool* wish = std::get_if<bool>(&value);
    const bool* what = flag_of(name, comes);
    if (wish == nullptr || what == nullptr || *wish == *what) continue;
    return unsupported_parameter(name, fmt::format(
        "log setting '{}' cannot be {} here: the log has one level, and says all that is graver "
        "than what it says; log_verbose_level, log_info, log_warning and log_error go off in this "
        "order", name, *wish));
  }
  return std::nullopt;
}

std::optional<ApiError> take_setting(const std::string& name, const InferParameter& value,
                                     LogSwitches& switches) {
  if (bool* flag = const_cast<bool*>(flag_of(name, switches))) {
    const bool* on = std::get_if<bool>(&value);
    if (on == nullptr) return bad_setting(name, "a bool");
    *flag = *on;
    return std::nullopt;
  }
  if (name == "log_verbose_level") {
    const auto* number = std::get_if<std::int64_t>(&value);
    const auto* positive = std::get_if<std::uint64_t>(&value);
    if (positive != nullptr && *positive <= 9) {
      switches.verbose = static_cast<std::int64_t>(*positive);
      return std::nullopt;
    }
    if (number == nullptr || *number < 0 || *number > 9) return bad_setting(name, "0 to 9");
    switches.verbose = *number;
    return std::nullopt;
  }
  const auto* text = std::get_if<std::string>(&value);
  const bool is_neutral = text != nullptr && ((name == "log_format" && *text == "default") ||
                                              (name == "log_file" && text->empty()));
  if (is_neutral) return std::nullopt;
  return unsupported_parameter(name, fmt::format(
      "log setting '{}' is not supported: this server writes its log in one form, to its error "
      "output", name));
}

}  // namespace

std::vector<std::string_view> server_extensions() {
  return {"model_repository", "model_repository(unload_dependents)", "schedule_policy",
          "model_configuration", "binary_tensor_data", "parameters", "statistics", "trace",
          "logging", "generate"};
}

bool is_server_live(const House& house) { return house.service.is_alive(SteadyClock::now()); }

namespace {

// A model that somebody wanted and nobody can have: an old version that serves is the model, too.
bool has_failed(const ModelRepository& repository, const RepositoryRow& row) {
  if (!row.has_failed) return false;
  return repository.versions(row.name).empty() || !repository.soundness(row.name).is_ok();
}

}  // namespace

bool is_server_ready(const House& house) {
  if (house.service.is_draining() || house.host.is_asleep()) return false;
  for (const ModelRow& row : house.host.rows()) {
    if (!row.failure.empty()) return false;
  }
  if (house.repository == nullptr) return true;
  const std::vector<RepositoryRow> rows = house.repository->known_rows();
  return std::none_of(rows.begin(), rows.end(), [&](const RepositoryRow& row) {
    return has_failed(*house.repository, row);
  });
}

std::optional<ApiError> find_unready(const DialectContext& context, std::string_view name,
                                     std::string_view version) {
  auto found = find_model(context, name, version);
  if (!found.is_ok()) return found.error();
  const auto row = context.house->host.row(found->index);
  const bool is_ready = found->light != nullptr ? is_light_ready(context, *found->light)
                                                : row && row->state == ModelState::kReady;
  if (is_ready) return std::nullopt;
  return ApiError{.status = 400, .message = "Model version not ready"};
}

Parsed<ModelFace> find_face(const DialectContext& context, std::string_view name,
                            std::string_view version) {
  auto found = find_model(context, name, version);
  if (!found.is_ok()) return found.error();
  const auto row = context.house->host.row(found->index);
  ModelFace face;
  if (found->light != nullptr) {
    face = face_of_light(found->light);
  } else if (row && row->info.context_max > 0) {
    face = declared_face(context.house, row->info, std::string(name));
  } else {
    std::string answers(version);
    auto model = lease_for_inference(context, name, answers);
    if (!model.is_ok()) return model.error();
    face = declared_face(context.house, (*model)->info, std::string(name));
  }
  face.versions = std::move(found->versions);
  if (found->light == nullptr) keep_declared(*context.house, face);
  return face;
}

Json config_of(const House& house, const ModelFace& face) {
  Json own = config_json(face);
  if (house.repository == nullptr) return own;
  const auto written = house.repository->config(face.name);
  if (written == nullptr || !written->json.is_object()) return own;
  Json config = written->json;
  config.set("max_batch_size", face.batch_max);
  if (face.is_decoupled) {
    config.set("model_transaction_policy", *own.find("model_transaction_policy"));
  }
  for (const char* field : {"input", "output", "instance_group"}) {
    const Json* list = config.find(field);
    const bool is_silent = list == nullptr || !list->is_array() || list->items().empty();
    if (is_silent) config.set(field, *own.find(field));
  }
  return config;
}

std::vector<RepositoryEntry> repository_index(const House& house, bool only_ready) {
  std::vector<RepositoryEntry> entries;
  if (house.repository != nullptr) {
    for (const RepositoryRow& row : house.repository->index()) {
      if (only_ready && row.state != VersionState::kReady) continue;
      RepositoryEntry& entry = entries.emplace_back();
      entry.name = row.name;
      if (row.version == 0 && row.reason.empty()) continue;  // nobody asked for it
      if (row.version > 0) entry.version = std::to_string(row.version);
      entry.state = version_state_name(row.state);
      entry.reason = row.reason;
    }
  }
  for (const ModelRow& row : house.host.rows()) {
    const std::string& name = row.names.front();
    const bool is_version = house.repository != nullptr &&
                            (house.repository->has(name) ||
                             parts_of_version(*house.repository, name));
    if (is_version || (only_ready && row.state != ModelState::kReady)) continue;
    const bool is_untouched = row.loads == 0 && row.state == ModelState::kUnloaded &&
                              row.failure.empty();
    RepositoryEntry& entry = entries.emplace_back();
    entry.name = name;
    if (is_untouched) continue;
    entry.version = "1";
    entry.state = state_name(row);
    entry.reason = state_reason(row);
  }
  return entries;
}

Parsed<std::vector<InferStatistics>> infer_statistics(const DialectContext& context,
                                                      std::string_view name,
                                                      std::string_view version) {
  const House& house = *context.house;
  std::vector<InferStatistics> made;
  if (name.empty()) {
    for (const ModelRow& row : house.host.rows()) made.push_back(statistics_of(house, row));
    if (house.repository == nullptr) return made;
    for (const auto& light : light_models_of(*house.repository)) {
      made.push_back(statistics_of(house, *light));
    }
    return made;
  }
  auto asked = find_model(context, name, version);
  if (!asked.is_ok()) return asked.error();
  const std::vector<std::string> versions =
      version.empty() ? asked->versions : std::vector<std::string>{std::string(version)};
  for (const std::string& one : versions) {
    auto model = find_model(context, name, one);
    if (!model.is_ok()) continue;  // it went meanwhile
    if (model->light != nullptr) {
      made.push_back(statistics_of(house, *model->light));
    } else if (const auto row = house.host.row(model->index)) {
      made.push_back(statistics_of(house, *row));
    }
  }
  return made;
}

std::optional<ApiError> read_order_parameter(std::string_view name, const std::string* text,
                                             const bool* flag, RepositoryOrder& order) {
  if (name == "unload_dependents" && flag != nullptr) {
    order.has_dependents = *flag;
    return std::nullopt;
  }
  if (name == "config" && text != nullptr && order.is_load) {
    Result<Json> config = parse_json(*text);
    if (!config.is_ok() || !config->is_object()) {
      return invalid_value("config", fmt::format("parameter 'config' must be the text of a JSON "
                                                 "object{}{}", config.is_ok() ? "" : ": ",
                                                 config.status().message()));
    }
    order.config = std::move(*config);
    return std::nullopt;
  }
  if (name.starts_with("file:")) {
    ApiError fault = unsupported_parameter(std::string(name), fmt::format(
        "parameter '{}' is not supported: files of a model come from its repository",
        name.substr(0, kTensorNameMax)));
    fault.status = 501;
    return fault;
  }
  return invalid_value(std::string(name), fmt::format(
      "unrecognized parameter {}, or not of its type", dump(Json(name))));
}

bool is_for_repository(const House& house, std::string_view name) {
  return house.repository != nullptr &&
         (house.repository->has(name) || !house.host.find(name));
}

namespace {

ApiError order_failed(const RepositoryOrder& order, const Status& status) {
  int code = 400;
  if (status.code() == StatusCode::kUnavailable) code = 503;
  if (status.code() == StatusCode::kResourceExhausted) code = 503;
  if (status.code() == StatusCode::kUnsupported) code = 501;
  return {.status = code,
          .message = fmt::format("failed to {} '{}': {}", order.is_load ? "load" : "unload",
                                 order.name.substr(0, kModelNameSizeMax), status.message())};
}

}  // namespace

void give_order(const House& house, RepositoryOrder order,
                std::function<void(std::optional<ApiError>)> done) {
  using Control = ModelRepository::Control;
  if (house.repository->control() != Control::kExplicit) {
    return done(ApiError{.status = 503,
                         .message = "explicit model load / unload is not allowed if polling is "
                                    "enabled"});
  }
  const auto work = [&house, order, done] {
    ModelRepository& repository = *house.repository;
    const Status status = order.is_load ? repository.load(order.name, order.config)
                                        : repository.unload(order.name, order.has_dependents);
    house.to_io([status, order, done] {
      done(status.is_ok() ? std::nullopt : std::optional(order_failed(order, status)));
    });
  };
  const Status waits = house.repository->later(work);
  if (!waits.is_ok()) done(order_failed(order, waits));
}

std::optional<ApiError> unload_for(const DialectContext& context, std::string_view name) {
  auto found = find_model(context, name, "");
  if (!found.is_ok()) return found.error();
  const Status status = context.house->host.unload(found->index);
  if (status.is_ok()) return std::nullopt;
  return ApiError{.status = 503, .message = fmt::format("failed to unload '{}': {}", name,
                                                        status.message())};
}

Settings log_settings() {
  const LogSwitches switches = switches_of(spdlog::get_level());
  return {{"log_file", std::string()},
          {"log_info", switches.info},
          {"log_warning", switches.warning},
          {"log_error", switches.error},
          {"log_verbose_level", switches.verbose},
          {"log_format", std::string("default")}};
}

std::optional<ApiError> change_log(const Settings& changes, bool is_operable) {
  LogSwitches switches = switches_of(spdlog::get_level());
  const auto before = level_of(switches);
  for (const auto& [name, value] : changes) {
    if (auto fault = take_setting(name, value, switches)) return fault;
  }
  if (auto fault = refuse_gap(changes, switches)) return fault;
  if (level_of(switches) == before) return std::nullopt;
  if (!is_operable) {
    return ApiError{.status = 403,
                    .message = "log settings are everybody's, so they are closed; "
                               "--operator-endpoints opens them"};
  }
  spdlog::set_level(level_of(switches));
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> trace_settings() {
  return {{"trace_level", "OFF"}, {"trace_rate", "1000"}, {"trace_count", "-1"},
          {"log_frequency", "0"}, {"trace_file", ""}, {"trace_mode", "triton"}};
}

std::optional<ApiError> check_trace(std::string_view name, const std::vector<std::string>& values) {
  for (const auto& [known, value] : trace_settings()) {
    if (known != name) continue;
    if (values.empty() || (values.size() == 1 && values.front() == value)) return std::nullopt;
    return unsupported_parameter(std::string(name), fmt::format(
        "trace setting '{}' is not supported: this server makes no traces; /debug/requests tells "
        "the life of each request", name));
  }
  return invalid_value(std::string(name), fmt::format("trace setting {} is not known",
                                                      dump(Json(name))));
}

ApiError no_shared_memory() {
  return {.status = 501,
          .message = "shared memory is not supported: send tensors in the request",
          .code = "unsupported_parameter"};
}

ApiError no_such_region(std::string_view name) {
  return {.status = 404,
          .message = fmt::format("Unable to find shared memory region: '{}'",
                                 name.substr(0, kTensorNameMax))};
}

ApiError nothing_to_load(std::string_view name) {
  return {.status = 400,
          .message = fmt::format("failed to load '{}', failed to poll from model repository: no "
                                 "such model", name.substr(0, kModelNameSizeMax))};
}

}  // namespace quire
