#include "apps/serve_arguments.h"

#include <algorithm>

#include "apps/flags.h"
#include "apps/load.h"

namespace quire {
namespace {

void declare_models(Command& command, ServeArguments& a) {
  command.value("MODEL", a.models,
                "GGUF files, Hugging Face directories, llama2.c .bin files, hf:OWNER/NAME of "
                "the hub, or names that 'quire list' shows (default: smollm2, which is "
                "SmolLM2-135M-Instruct)");
  command.value("--served-model-name", a.names,
                "what requests call the model; the first is shown in answers. With several "
                "models: one name for each, in order");
  command.value("--tokenizer", a.tokenizers,
                "tokenizer file, for models that carry none (llama2.c). With several models: "
                "one for each, '-' for the model's own");
  command.value("--chat-template", a.templates,
                "Jinja file in place of the model's own. With several models: one for each, "
                "'-' for the model's own");
  command.value("--load", a.load, "models to load before serving; the others at first use")
      .one_of({"all", "first", "none"}).shows_default();
  command.value("--keep-alive", a.keep_alive,
                "unload a model after so long without use: 90s, 5m, 2h; 0: at once; -1: never")
      .shows_default();
  command.value("--model-memory", a.model_memory,
                "weights and KV of all loaded models together, such as 8GiB; who was used "
                "least recently is unloaded for who is wanted (default: no bound)");
}

Status check_count(const char* flag, std::size_t count, std::size_t models) {
  if (count == 0 || count == models) return ok_status();
  return error(StatusCode::kInvalidArgument,
               "{}: {} given for {} model{}; give one for each, in their order", flag, count,
               models, models == 1 ? "" : "s");
}

std::string nth(const std::vector<std::string>& values, std::size_t index) {
  return index < values.size() && values[index] != "-" ? values[index] : "";
}

}  // namespace

void declare_serve_flags(Command& command, ServeArguments& a) {
  ServerOptions& server = a.server;
  declare_models(command, a);
  declare_compute_flags(command, a.common);
  command.value("--host", server.host, "address to listen on").shows_default();
  command.value("--port", server.port, "0 picks a free one")
      .between(0, 65535).shows_default();
  command.value("--api-key", server.api_keys, "clients must send one of these");
  command.value("--api-key-share", server.api_key_shares,
                "what each --api-key is due of a busy machine, in their order, such as 2 1 1: "
                "tokens are dealt out in this ratio (default: equal shares)")
      .between(1, Request::kTenantShareMax);
  command.value("--allowed-hosts", server.allowed_hosts,
                "further names that a browser may call this server by");
  command.value("--max-connections", server.http.connections_max, "beyond, 503")
      .between(1, 1 << 20).shows_default();
  command.value("--unknown-fields", a.unknown_fields,
                "error: answer 400; warn: accept, with a warning in the answer")
      .one_of({"error", "warn"}).shows_default();
  command.value("--metrics-names", a.metrics_names,
                "whose names /metrics shows: ours, vLLM's, or both")
      .one_of({"quire", "vllm", "both"}).shows_default();
  command.toggle("--operator-endpoints", server.is_operable,
               "open /sleep, /wake_up, /pause, /resume and /reset_prefix_cache");
  command.value("--log-level", a.log_level)
      .one_of({"trace", "debug", "info", "warning", "error", "off"})
      .shows_default();
}

Result<std::vector<NamedModel>> pair_models(const ServeArguments& a) {
  const std::vector<std::string> models =
      a.models.empty() ? std::vector<std::string>{""} : a.models;
  const bool is_one = models.size() == 1;
  if (!is_one) {
    QUIRE_RETURN_IF_ERROR(check_count("--served-model-name", a.names.size(), models.size()));
  }
  QUIRE_RETURN_IF_ERROR(check_count("--tokenizer", a.tokenizers.size(), models.size()));
  QUIRE_RETURN_IF_ERROR(check_count("--chat-template", a.templates.size(), models.size()));
  std::vector<NamedModel> paired;
  for (std::size_t i = 0; i < models.size(); ++i) {
    NamedModel& model = paired.emplace_back();
    model.arguments = a.common;
    model.arguments.model = models[i];
    model.arguments.tokenizer = nth(a.tokenizers, i);
    model.arguments.chat_template = nth(a.templates, i);
    if (a.names.empty()) {
      model.names = {default_name(model.arguments)};
    } else {
      model.names = is_one ? a.names : std::vector<std::string>{a.names[i]};
    }
  }
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

}  // namespace quire
