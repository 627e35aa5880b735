#include "apps/serve.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "apps/greeting.h"
#include "apps/load.h"
#include "apps/terminal.h"
#include "apps/version.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "host/model_host.h"
#include "serve/server.h"

namespace quire {
namespace {

struct ServeArguments {
  ModelArguments model;
  std::vector<std::string> names;  // --served-model-name
  ServerOptions server;
  std::string unknown_fields = "error";
  std::string log_level = "info";
};

ModelInfo model_info(const LoadedModel& model) {
  const ModelConfig& config = model.files->config();
  ModelInfo info;
  info.context_max = model.executor->capacity().context_max;
  info.vocab = model.executor->capacity().vocab;
  info.bos_id = config.bos_id;
  info.eos_ids = config.eos_ids;
  info.add_bos = config.add_bos;
  info.bos_text = config.bos_text;
  info.eos_text = config.eos_text;
  info.sampling = {config.generation.temperature, config.generation.top_p,
                   config.generation.top_k, config.generation.repetition_penalty};
  info.created = SteadyClock::unix_seconds();
  info.isa = model.isa;
  const std::string identity = version_line() + model.name + model.description;
  info.fingerprint = fmt::format("fp_{:016x}", hash_bytes(identity.data(), identity.size()));
  return info;
}

Status host_model(ModelHost& host, LoadedModel& model, const std::vector<std::string>& names) {
  HostedModel hosted;
  hosted.names = names.empty() ? std::vector<std::string>{model.name} : names;
  hosted.tokenizer = model.tokenizer;
  hosted.chat_template = model.chat_template;
  hosted.info = model_info(model);
  return host.add(std::move(hosted), [&model](EventSink sink) {
    return std::make_unique<Engine>(model.options, std::move(model.executor), model.tokenizer,
                                    std::move(sink));
  });
}

int fail(const Status& status) {
  std::fprintf(stderr, "quire: %s\n", status.message().c_str());
  return 1;
}

// Each model with what its loading said, in the order of `host`.
void print_greeting(const ServeArguments& arguments, const ModelHost& host,
                    const std::vector<ModelSummary>& summaries, int port, double load_seconds) {
  Greeting greeting;
  greeting.version = version_line();
  greeting.host = arguments.server.host;
  greeting.port = port;
  greeting.needs_key = !arguments.server.api_keys.empty();
  greeting.load_seconds = load_seconds;
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const HostedModel& model = *host.models()[i];
    greeting.models.push_back({model.name(), model.chat_template != nullptr, summaries[i]});
  }
  if (is_terminal(STDERR_FILENO) && spdlog::should_log(spdlog::level::info)) {
    std::fputs(greeting_page(greeting).c_str(), stderr);
    return;
  }
  for (const std::string& record : greeting_records(greeting)) spdlog::info("{}", record);
}

int serve(ServeArguments& arguments) {
  if (const Status status = start_log(arguments.log_level); !status.is_ok()) return fail(status);
  const Nanos start = SteadyClock::now();
  auto model = load_model(arguments.model);
  if (!model.is_ok()) return fail(model.status());
  const double load_seconds = to_seconds(SteadyClock::now() - start);

  ModelHost host;
  if (const Status status = host_model(host, *model, arguments.names); !status.is_ok()) {
    return fail(status);
  }
  arguments.server.unknown_fields_warn = arguments.unknown_fields == "warn";
  arguments.server.version = QUIRE_VERSION;
  Server server(arguments.server, host);
  if (const Status status = server.listen(); !status.is_ok()) return fail(status);
  print_greeting(arguments, host, {model->summary}, server.port(), load_seconds);
  server.run();
  spdlog::info("drained");
  return 0;
}

}  // namespace

void declare_serve(CLI::App& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<ServeArguments>();
  ServerOptions& server = arguments->server;
  CLI::App* command = parent.add_subcommand("serve", "Serve a model over HTTP");
  declare_model_flags(*command, arguments->model);
  command->add_option("--host", server.host, "address to listen on")->capture_default_str();
  command->add_option("--port", server.port, "0 picks a free one")
      ->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_option("--served-model-name", arguments->names,
                      "what requests call the model; the first is shown in answers");
  command->add_option("--api-key", server.api_keys, "clients must send one of these");
  command->add_option("--allowed-hosts", server.allowed_hosts,
                      "further names that a browser may call this server by");
  command->add_option("--max-connections", server.http.connections_max, "beyond, 503")
      ->check(CLI::Range(1, 1 << 20))->capture_default_str();
  command->add_option("--unknown-fields", arguments->unknown_fields,
                      "error: answer 400; warn: accept, with a warning in the answer")
      ->check(CLI::IsMember({"error", "warn"}))->capture_default_str();
  command->add_option("--log-level", arguments->log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  command->callback([arguments, &chosen] { chosen = [arguments] { return serve(*arguments); }; });
}

}  // namespace quire
