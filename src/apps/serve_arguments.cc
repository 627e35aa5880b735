#include "apps/serve_arguments.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "apps/adapter_arguments.h"
#include "apps/flags.h"
#include "apps/load.h"
#include "base/json.h"
#include "engine/engine.h"
#include "host/model_host.h"
#include "serve/answer/formats/format.h"
#include "serve/dialects/kserve/light/declared_faces.h"
#include "serve/dialects/kserve/light/light_warmup.h"
#include "store/local_store.h"

namespace quire {
namespace {

void declare_models(Command& command, ServeArguments& a) {
  command.value("MODEL", a.models,
                "GGUF files, Hugging Face directories, llama2.c .bin files, hf:OWNER/NAME of "
                "the hub, or names that 'quire list' shows (default: smollm2, which is "
                "SmolLM2-135M-Instruct)");
  command.value("--served-model-name", a.names,
                "what requests call the model; '*': whatever they like. With several models: one "
                "name for each, in order");
  command.value("--model-alias", a.aliases,
                "further names of models: ALIAS=NAME, such as small=smollm2; the alias '*' is "
                "whatever name no model has");
  command.value("--tokenizer", a.tokenizers,
                "tokenizer file, for models that carry none (llama2.c). With several models: "
                "one for each, '-' for the model's own");
  command.value("--chat-template", a.templates,
                "Jinja file in place of the model's own. With several models: one for each, "
                "'-' for the model's own");
  declare_adapter_flag(command, a.adapters);
  command.value("--tool-call-parser", a.tool_call_parsers,
                "how the model writes tool calls, by our name or vLLM's, such as hermes (default: "
                "as its chat template shows; docs/tool-formats.md has the list). With several "
                "models: one for each, '-' for what the template shows");
  command.value("--reasoning-parser", a.reasoning_parsers,
                "how it writes thoughts, likewise, such as deepseek_r1; 'none': it has none");
  command.value("--default-chat-template-kwargs", a.template_kwargs,
                "what chat templates read unless a request says otherwise, a JSON object such as "
                "{\"enable_thinking\": false}");
  command.toggle("--enable-auto-tool-choice", a.has_auto_tool_choice,
                 "accepted for commands that were written for vLLM: it is always on");
  command.value("--instances,--data-parallel-size", a.common.instances,
                "copies of each model, each with weights, KV memory and a batch of its own; all of "
                "them compute on the same threads, in turn")
      .between(1, kInstancesMax).shows_default();
  command.value("--load", a.load, "models to load before serving; the others at first use")
      .one_of({"all", "first", "none"}).shows_default();
  command.toggle("--serve-store", a.serves_store,
                 "serve whatever 'quire list' shows, too: each is loaded when a request names it");
  command.value("--keep-alive", a.keep_alive,
                "unload a model after so long without use: 90s, 5m, 2h; 0: at once; -1: never")
      .shows_default();
  command.value("--model-memory", a.model_memory,
                "weights and KV of all loaded models together, such as 8GiB; who was used "
                "least recently is unloaded for who is wanted (default: no bound)");
}

// By Triton's names.
void declare_repository(Command& command, ServeArguments& a) {
  command.value("--model-repository", a.repositories,
                "folder of models with numbered versions, NAME/{config.pbtxt,1,2,...}; several: "
                "the first that has a name serves it (docs/repository.md)");
  command.value("--model-control-mode", a.control_mode,
                "of the repository: none: what is there at the start; poll: what comes and goes, "
                "too; explicit: what --load-model and requests say")
      .one_of({"none", "poll", "explicit"}).shows_default();
  command.value("--load-model", a.repository_models,
                "explicit: a model to load at the start; '*': all");
  command.value("--repository-poll-secs", a.repository_poll_secs, "poll: seconds between looks")
      .between(1, 1 << 20).shows_default();
  command.value("--cache-config", a.cache_config,
                "keep answers for models whose config has response_cache { enable: true }: "
                "local,size=BYTES, such as local,size=64MiB");
  command.value("--response-cache-byte-size", a.response_cache_size,
                "the same by Triton's older name: the bytes alone");
}

void declare_archive(Command& command, ServeArguments& a) {
  command.value("--response-store", a.response_store,
                "file that keeps responses, conversations, files and batches: a path, 'memory', "
                "or 'none' (default: answers.sqlite3 in the user's data directory)");
  command.value("--response-store-max-rows", a.response_store_rows,
                "responses and conversations that are kept; who was used longest ago goes")
      .between(1, 1 << 30).shows_default();
  command.value("--response-store-max-bytes", a.response_store_bytes,
                "bytes of them; files may have as many again").shows_default();
  command.value("--response-store-max-age", a.response_store_age,
                "how long they are kept without use, such as 90s, 5m or 720h").shows_default();
}

Status check_count(const char* flag, std::size_t count, std::size_t models) {
  if (count == 0 || count == models) return ok_status();
  return error(StatusCode::kInvalidArgument,
               "{}: {} given for {} model{}; give one for each, in their order", flag, count,
               models, models == 1 ? "" : "s");
}

// Nobody is called "*": such a model has the name of its file too.
std::vector<std::string> with_own_name(std::vector<std::string> names,
                                       const ModelArguments& arguments) {
  if (names.front() == kAnyName) names.insert(names.begin(), default_name(arguments));
  return names;
}

Status add_aliases(const std::vector<std::string>& aliases, std::vector<NamedModel>& models) {
  for (const std::string& pair : aliases) {
    const std::size_t middle = pair.find('=');
    const std::string name = middle == std::string::npos ? "" : pair.substr(middle + 1);
    const auto model = std::find_if(models.begin(), models.end(), [&](const NamedModel& it) {
      return std::find(it.names.begin(), it.names.end(), name) != it.names.end();
    });
    if (middle == 0 || name.empty() || model == models.end()) {
      return error(StatusCode::kInvalidArgument,
                   "--model-alias '{}': expected ALIAS=NAME, where NAME is of a model that is "
                   "served", pair);
    }
    model->names.push_back(pair.substr(0, middle));
  }
  return ok_status();
}

template <typename Format>
Status check_format(const char* flag, const std::string& name, const Format* found,
                    std::span<const Format* const> all) {
  if (found != nullptr || name == "-") return ok_status();
  std::vector<std::string_view> names;
  for (const Format* format : all) names.push_back(format->name);
  return error(StatusCode::kInvalidArgument, "{} '{}' is not known; there are {}, and vLLM's names "
                                             "of them", flag, name, fmt::join(names, ", "));
}

// Of several models it is said by their Modelfiles which has which.
Status check_adapters(const ServeArguments& a) {
  const bool is_one = a.models.size() == 1 || (a.models.empty() && a.repositories.empty());
  if (!a.adapters.empty() && !is_one) {
    return error(StatusCode::kInvalidArgument,
                 "--adapter is for one model, and {} are served; give each its own by ADAPTER in a "
                 "Modelfile (quire create)", a.models.size());
  }
  return parse_adapters(a.adapters).status();
}

Status check_formats(const ServeArguments& a) {
  for (const std::string& name : a.tool_call_parsers) {
    QUIRE_RETURN_IF_ERROR(check_format("--tool-call-parser", name, find_call_format(name),
                                       all_call_formats()));
  }
  for (const std::string& name : a.reasoning_parsers) {
    if (name == "none") continue;
    QUIRE_RETURN_IF_ERROR(check_format("--reasoning-parser", name, find_thought_format(name),
                                       all_thought_formats()));
  }
  if (a.template_kwargs.empty()) return ok_status();
  const Result<Json> kwargs = parse_json(a.template_kwargs);
  if (kwargs.is_ok() && kwargs->is_object()) return ok_status();
  return error(StatusCode::kInvalidArgument,
               "--default-chat-template-kwargs: expected a JSON object, got '{}'",
               a.template_kwargs);
}

std::string nth(const std::vector<std::string>& values, std::size_t index) {
  return index < values.size() && values[index] != "-" ? values[index] : "";
}

void declare_restrictions(Command& command, ServeArguments& a) {
  ServerOptions& server = a.server;
  command.value("--drain-timeout", a.drain_timeout_s,
                "seconds that requests have to end when the server is told to; the rest is then "
                "answered with 503 (0: as long as they take)")
      .between(0, 86'400).shows_default();
  command.value("--http-restricted-api", server.restricted_apis,
                "groups of KServe's and Triton's routes under /v2 that ask for a header, such as "
                "model-repository,logging:admin-key=SECRET; the groups: health, metadata, "
                "inference, shared-memory, model-config, model-repository, statistics, trace, "
                "logging");
  command.value("--grpc-restricted-protocol", server.restricted_protocols,
                "the same of gRPC, with the metadata triton-grpc-protocol-HEADER");
}

void declare_traces(Command& command, TraceArguments& traces) {
  command.value("--otlp-traces-endpoint", traces.endpoint,
                "tell an OpenTelemetry collector of each request, over OTLP/HTTP: "
                "http://HOST:4318 (OTEL_* variables are read, too)");
  command.value("--otlp-service-name", traces.service_name,
                "what the spans are of; without it OTEL_SERVICE_NAME, or quire");
}

}  // namespace

void declare_serve_flags(Command& command, ServeArguments& a) {
  ServerOptions& server = a.server;
  declare_models(command, a);
  declare_compute_flags(command, a.common);
  command.value("--host", server.host, "address to listen on").shows_default();
  command.value("--port", server.port, "0 picks a free one")
      .between(0, 65535).shows_default();
  command.value("--grpc-port", a.grpc_port,
                "also serve KServe's and Triton's gRPC service there; 0 picks a free one (Triton's "
                "own is 8001; default: no gRPC)")
      .between(0, 65535);
  command.value("--metrics-port", server.metrics_port,
                "also show metrics there, Triton's nv_* names among them (Triton's own is 8002; "
                "default: on --port alone)")
      .between(0, 65535);
  command.value("--api-key", server.api_keys, "clients must send one of these");
  command.value("--api-key-share", server.api_key_shares,
                "what each --api-key is due of a busy machine, in their order, such as 2 1 1: "
                "tokens are dealt out in this ratio (default: equal shares)")
      .between(1, Request::kTenantShareMax);
  command.value("--api-key-file", server.api_key_file,
                "further keys, one a line, each with name=... and share=... if you like; read "
                "again when the file changes");
  command.value("--ssl-certfile", server.ssl_certfile,
                "serve HTTPS with this certificate and its chain (PEM); read again when it "
                "changes");
  command.value("--ssl-keyfile", server.ssl_keyfile,
                "the certificate's private key (default: it is in --ssl-certfile)");
  command.value("--allowed-origins", server.allowed_origins,
                "pages of other sites that may use this server from a browser, such as "
                "https://chat.example.com; '*': all of them");
  command.value("--allowed-hosts", server.allowed_hosts,
                "further names that a browser may call this server by");
  declare_restrictions(command, a);
  command.value("--max-connections", server.http.connections_max, "beyond, 503")
      .between(1, 1 << 20).shows_default();
  declare_repository(command, a);
  command.value("--max-body-size", server.http.body_max,
                "bytes of a request's body (files that are uploaded have a bound of their own)")
      .between(1024, std::int64_t{1} << 30).shows_default();
  declare_archive(command, a);
  command.value("--tgi-limits", a.tgi_limits,
                "what one request of TGI's protocol may ask for, as NAME=VALUE: best_of (2), "
                "stop_sequences (4), top_n_tokens (5), input_tokens, client_batch_size (4), "
                "grammar=off; what is given holds for /v1/chat/completions and /v1/completions, "
                "too. concurrent_requests: all that are answered at once; beyond, 429");
  command.value("--unknown-fields", a.unknown_fields,
                "error: answer 400; warn: accept, with a warning in the answer")
      .one_of({"error", "warn"}).shows_default();
  command.value("--metrics-names", a.metrics_names,
                "whose names /metrics shows: ours, vLLM's, both of these, TGI's, Triton's, or all")
      .one_of({"quire", "vllm", "both", "tgi", "triton", "all"}).shows_default();
  command.value("--show-hidden-metrics-for-version", a.hidden_metrics_version,
                "a version of vLLM: beside its names, those that it hides by default, such as "
                "vllm:gpu_cache_usage_perc");
  declare_traces(command, a.traces);
  command.toggle("--operator-endpoints", server.is_operable,
               "open /sleep, /wake_up, /pause, /resume and /reset_prefix_cache");
  command.value("--volatile-lines", a.volatile_lines,
                "lines at the head of a prompt that change with every request and carry no "
                "instruction (billing lines of agents): normalise: left out, so that prefixes "
                "are found again; keep")
      .one_of({"normalise", "keep"}).shows_default();
  command.value("--log-level", a.log_level)
      .one_of({"trace", "debug", "info", "warning", "error", "off"})
      .shows_default();
}

Result<std::vector<NamedModel>> pair_models(const ServeArguments& a) {
  QUIRE_RETURN_IF_ERROR(check_adapters(a));
  if (a.models.empty() && !a.repositories.empty()) return std::vector<NamedModel>();
  const std::vector<std::string> models =
      a.models.empty() ? std::vector<std::string>{""} : a.models;
  const bool is_one = models.size() == 1;
  if (!is_one) {
    QUIRE_RETURN_IF_ERROR(check_count("--served-model-name", a.names.size(), models.size()));
  }
  QUIRE_RETURN_IF_ERROR(check_count("--tokenizer", a.tokenizers.size(), models.size()));
  QUIRE_RETURN_IF_ERROR(check_count("--chat-template", a.templates.size(), models.size()));
  QUIRE_RETURN_IF_ERROR(
      check_count("--tool-call-parser", a.tool_call_parsers.size(), models.size()));
  QUIRE_RETURN_IF_ERROR(
      check_count("--reasoning-parser", a.reasoning_parsers.size(), models.size()));
  QUIRE_RETURN_IF_ERROR(check_formats(a));
  std::vector<NamedModel> paired;
  for (std::size_t i = 0; i < models.size(); ++i) {
    NamedModel& model = paired.emplace_back();
    model.arguments = a.common;
    model.arguments.template_kwargs = a.template_kwargs;
    model.arguments.model = models[i];
    model.arguments.tokenizer = nth(a.tokenizers, i);
    model.arguments.chat_template = nth(a.templates, i);
    model.arguments.adapters = a.adapters;
    model.arguments.tool_call_parser = nth(a.tool_call_parsers, i);
    model.arguments.reasoning_parser = nth(a.reasoning_parsers, i);
    if (a.names.empty()) {
      model.names = {default_name(model.arguments)};
    } else {
      model.names = with_own_name(is_one ? a.names : std::vector<std::string>{a.names[i]},
                                  model.arguments);
    }
  }
  QUIRE_RETURN_IF_ERROR(add_aliases(a.aliases, paired));
  for (std::size_t i = 0; i < paired.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (paired[i].names.front() != paired[k].names.front()) continue;
      return error(StatusCode::kInvalidArgument,
                   "'{}' and '{}' would both be called '{}'; give each model a name with "
                   "--served-model-name",
                   models[k], models[i], paired[i].names.front());
    }
  }
  return paired;
}

Status check_shares(const ServeArguments& a) {
  const std::size_t shares = a.server.api_key_shares.size();
  if (shares == 0 || shares == a.server.api_keys.size()) return ok_status();
  return error(StatusCode::kInvalidArgument,
               "--api-key-share: {} given for {} of --api-key; give one for each, in their order",
               shares, a.server.api_keys.size());
}

Status set_client_limits(ServeArguments& a) {
  ClientLimits& limits = a.server.client_limits;
  limits.concurrent_told = std::int64_t{a.common.max_num_seqs} + a.common.max_queue;
  for (const std::string& text : a.tgi_limits) {
    const std::size_t middle = std::min(text.find('='), text.size());
    const std::string name = text.substr(0, middle);
    const std::string word = text.substr(std::min(middle + 1, text.size()));
    if (name == "grammar" && (word == "off" || word == "on")) {
      limits.has_grammars = word == "on";
      continue;
    }
    const auto* limit = std::find_if(std::begin(kClientLimits), std::end(kClientLimits),
                                     [&](const ClientLimit& it) { return it.name == name; });
    std::int64_t value = -1;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
    const bool is_number = problem == std::errc() && end == word.data() + word.size();
    const bool is_known = limit != std::end(kClientLimits) && is_number;
    if (!is_known || value < limit->min || value > limit->max) {
      return error(StatusCode::kInvalidArgument,
                   "--tgi-limits '{}': expected best_of=1..128, stop_sequences=0..64, "
                   "top_n_tokens=0..20, input_tokens, client_batch_size=1..128, "
                   "concurrent_requests or grammar=on|off", text);
    }
    limits.*limit->value = value;
    if (limit->said != nullptr) limits.said.*limit->said = true;
  }
  const std::int64_t total = a.common.max_model_len;
  if (total > 0 && limits.input_tokens_max >= total) {
    return error(StatusCode::kInvalidArgument,
                 "--tgi-limits input_tokens={}: it must be below --max-model-len, which is {}",
                 limits.input_tokens_max, total);
  }
  return ok_status();
}

Status set_response_cache(ServeArguments& a) {
  constexpr std::string_view kForm = "--cache-config: expected local,size=BYTES, such as "
                                     "local,size=64MiB";
  std::vector<std::string> sizes;
  if (!a.response_cache_size.empty()) sizes.push_back(a.response_cache_size);
  for (const std::string& text : a.cache_config) {
    const std::size_t comma = text.find(',');
    const std::string name = text.substr(0, comma);
    if (name != "local") {
      return error(StatusCode::kInvalidArgument, "{}; there is no cache '{}' here", kForm, name);
    }
    const std::string setting = comma == std::string::npos ? "" : text.substr(comma + 1);
    if (!setting.starts_with("size=")) {
      return error(StatusCode::kInvalidArgument, "{}; got '{}'", kForm, text);
    }
    sizes.push_back(setting.substr(5));
  }
  if (sizes.empty()) return ok_status();
  if (sizes.size() > 1) {
    return error(StatusCode::kInvalidArgument,
                 "--cache-config and --response-cache-byte-size: one size is enough, {} are given",
                 sizes.size());
  }
  const Result<std::uint64_t> bytes = parse_bytes(sizes.front());
  if (!bytes.is_ok() || !std::in_range<std::ptrdiff_t>(*bytes)) {
    return error(StatusCode::kInvalidArgument,
                 "the size of the response cache: expected bytes such as 64MiB, got '{}'",
                 sizes.front());
  }
  if (*bytes > 0 && a.repositories.empty()) {
    return Status(StatusCode::kInvalidArgument,
                  "--cache-config is of a --model-repository: the configs of its models say whose "
                  "answers are kept");
  }
  a.server.response_cache_bytes = static_cast<std::size_t>(*bytes);
  return ok_status();
}

Status set_archive(ServeArguments& a) {
  ServerOptions& server = a.server;
  const Result<std::uint64_t> bytes = parse_bytes(a.response_store_bytes);
  if (!bytes.is_ok() || *bytes == 0 || !std::in_range<std::int64_t>(*bytes)) {
    return error(StatusCode::kInvalidArgument,
                 "--response-store-max-bytes: expected a size such as 1GiB, got '{}'",
                 a.response_store_bytes);
  }
  const Result<Nanos> age = parse_duration(a.response_store_age);
  if (!age.is_ok() || *age <= Nanos{0}) {
    return error(StatusCode::kInvalidArgument,
                 "--response-store-max-age: expected a time such as 720h, got '{}'",
                 a.response_store_age);
  }
  server.archive_bounds = {
      .rows_max = a.response_store_rows,
      .bytes_max = static_cast<std::int64_t>(*bytes),
      .unused_seconds_max = std::chrono::duration_cast<std::chrono::seconds>(*age).count()};
  server.archive_path = a.response_store;
  if (a.response_store == "none") server.archive_path.clear();
  if (a.response_store == "memory") server.archive_path = ":memory:";
  if (!a.response_store.empty()) return ok_status();
  const Result<std::string> folder = store::store_folder();
  server.archive_path = folder.is_ok() ? *folder + "/answers.sqlite3" : ":memory:";
  server.archive_is_wish = true;
  return ok_status();
}

Result<ShelfOptions> shelf_options(const ServeArguments& a) {
  ShelfOptions options;
  const Result<Nanos> keep_alive = parse_duration(a.keep_alive);
  if (!keep_alive.is_ok()) {
    return error(StatusCode::kInvalidArgument, "--keep-alive: {}", keep_alive.status().message());
  }
  options.keep_alive = *keep_alive;
  if (!a.model_memory.empty()) {
    const Result<std::uint64_t> bytes = parse_bytes(a.model_memory);
    if (!bytes.is_ok()) {
      return error(StatusCode::kInvalidArgument, "--model-memory: {}", bytes.status().message());
    }
    options.bytes_max = *bytes;
    if (*bytes == 0) {
      return error(StatusCode::kInvalidArgument, "--model-memory 0 leaves no room for any model");
    }
  }
  return options;
}

Result<RepositoryOptions> repository_options(const ServeArguments& a) {
  RepositoryOptions options;
  options.folders = a.repositories;
  options.first = a.repository_models;
  options.poll_period = std::chrono::seconds(a.repository_poll_secs);
  options.keeps_answers = a.server.response_cache_bytes > 0;
  const Result<std::string> store = store::store_folder();
  if (store.is_ok()) options.canary_folder = *store + "/canaries";
  options.warm_light = warm_light_model;
  options.check_engine = check_declared_faces;
  using Control = ModelRepository::Control;
  options.control = a.control_mode == "poll"       ? Control::kPoll
                    : a.control_mode == "explicit" ? Control::kExplicit
                                                   : Control::kNone;
  const bool has_wishes = a.control_mode != "none" || !a.repository_models.empty();
  if (a.repositories.empty() && has_wishes) {
    return Status(StatusCode::kInvalidArgument,
                  "--model-control-mode and --load-model are of a --model-repository");
  }
  if (!a.repository_models.empty() && options.control != Control::kExplicit) {
    return Status(StatusCode::kInvalidArgument,
                  "--load-model is for --model-control-mode explicit: in the other modes all "
                  "models of the repository are loaded");
  }
  const std::vector<std::string>& first = a.repository_models;
  if (first.size() > 1 && std::find(first.begin(), first.end(), "*") != first.end()) {
    return Status(StatusCode::kInvalidArgument,
                  "--load-model '*' means all models that are there: no other may be named beside "
                  "it");
  }
  return options;
}

}  // namespace quire
