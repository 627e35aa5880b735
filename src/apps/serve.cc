#include "apps/serve.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <spdlog/spdlog.h>

#include "apps/assemble.h"
#include "apps/disk_catalog.h"
#include "apps/flags.h"
#include "apps/greeting.h"
#include "apps/ollama_environment.h"
#include "apps/serve_arguments.h"
#include "apps/traces/otel_environment.h"
#include "apps/traces/span_exporter.h"
#include "apps/version.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/pin_book.h"
#include "host/repository/files/model_folders.h"
#include "rpc/grpc_door.h"
#include "serve/server.h"
#include "store/local_store.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

int fail(const Status& status) {
  std::fprintf(stderr, "quire: %s\n", status.message().c_str());
  return 1;
}

// What loading says: kept for the greeting, and from then on a record in the log. Any thread.
class LoadNotes {
 public:
  void take(const GreetedModel& model, double seconds) {
    const std::lock_guard lock(mutex_);
    if (is_greeted_) {
      spdlog::info("loaded in {:.2f} s: {}", seconds, model_record(model));
    } else {
      models_.push_back(model);
    }
  }
  std::vector<GreetedModel> for_greeting() {
    const std::lock_guard lock(mutex_);
    is_greeted_ = true;
    return std::move(models_);
  }

 private:
  std::mutex mutex_;
  std::vector<GreetedModel> models_;
  bool is_greeted_ = false;
};

// The models that are in memory before the server listens. A model that cannot be loaded (the log
// says why) keeps the others from nothing; without any there is nothing to serve.
Status load_first_models(ModelHost& host, const std::vector<ModelHost::ModelIndex>& models,
                         const std::string& which) {
  if (which == "none" || models.empty()) return ok_status();
  std::size_t loaded = 0;
  for (const ModelHost::ModelIndex model : models) {
    if (loaded > 0 && which == "first") break;
    loaded += host.load_now(model).is_ok() ? 1 : 0;
  }
  if (loaded > 0) return ok_status();
  return Status(StatusCode::kNotFound, models.size() == 1 ? "there is no model to serve"
                                                          : "none of the models can be served");
}

// What the store has now; what comes to it later is found when it is asked for.
void add_stored_models(const ModelCatalog& catalog, ModelHost& host) {
  for (const std::string& name : catalog.names()) {
    if (host.has_name(name)) continue;
    auto recipe = catalog.recipe(name, {name}, {});
    const Status added = recipe.is_ok() ? host.add(std::move(*recipe)).status() : recipe.status();
    if (!added.is_ok()) spdlog::warn("'{}' is not served: {}", name, added.message());
  }
}

void print_greeting(const ServeArguments& arguments, const ModelHost& host, LoadNotes& notes,
                    int port, double load_seconds) {
  Greeting greeting;
  greeting.version = version_line();
  greeting.host = arguments.server.host;
  greeting.port = port;
  greeting.needs_key = !arguments.server.api_keys.empty() ||
                       !arguments.server.api_key_file.empty();
  greeting.certificate = arguments.server.ssl_certfile;
  greeting.load_seconds = load_seconds;
  greeting.models = notes.for_greeting();
  for (const ModelRow& row : host.rows()) {
    const bool is_later = row.state == ModelState::kUnloaded && row.failure.empty();
    if (is_later) greeting.later.push_back(row.names.front());
  }
  if (is_terminal(STDERR_FILENO) && spdlog::should_log(spdlog::level::info)) {
    std::fputs(greeting_page(greeting).c_str(), stderr);
    return;
  }
  for (const std::string& record : greeting_records(greeting)) spdlog::info("{}", record);
}

// Without a fixed threshold glibc raises its own with every large buffer that is freed (to 32 MiB),
// and the body of one large request stays in the heap of the thread that read it, once per thread.
void return_large_buffers_when_freed() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

Metrics::Names metric_names_of(const std::string& word) {
  if (word == "vllm") return Metrics::Names::kVllm;
  if (word == "both") return Metrics::Names::kBoth;
  if (word == "tgi") return Metrics::Names::kTgi;
  if (word == "triton") return Metrics::Names::kTriton;
  return word == "all" ? Metrics::Names::kAll : Metrics::Names::kQuire;
}

void fill_server_options(ServeArguments& arguments) {
  ServerOptions& server = arguments.server;
  server.unknown_fields_warn = arguments.unknown_fields == "warn";
  server.metric_names = metric_names_of(arguments.metrics_names);
  server.drain_max = std::chrono::seconds(arguments.drain_timeout_s);
  server.has_old_metric_names = !arguments.hidden_metrics_version.empty();
  server.keeps_volatile_lines = arguments.volatile_lines == "keep";
  server.load_queue_max = arguments.common.max_queue;
  server.version = QUIRE_VERSION;
}

// The models of folders; null: there are none. What cannot be loaded keeps the others from nothing,
// and no model at all is no mistake: they may come by orders, or into the folder.
Result<std::unique_ptr<FolderRepository>> open_repository(const RepositoryOptions& options,
                                                          ModelHost& host,
                                                          const ModelCatalog& catalog) {
  if (options.folders.empty()) return std::unique_ptr<FolderRepository>();
  for (const std::string& folder : options.folders) {
    if (is_folder(folder)) continue;
    return error(StatusCode::kNotFound, "--model-repository '{}' is no folder", folder);
  }
  auto repository = std::make_unique<FolderRepository>(options, host, catalog);
  const Status started = repository->start();
  if (!started.is_ok()) spdlog::error("{}", started.message());
  return repository;
}

// Null: there is no folder for it.
std::unique_ptr<PinBook> open_pins() {
  const Result<std::string> store = store::store_folder();
  return store.is_ok() ? std::make_unique<PinBook>(*store + "/pins.json") : nullptr;
}

// A repository's model may be loaded later; a version has gone when others are served without it.
void recall_pins(PinBook& pins, ModelHost& host, const ModelRepository* repository,
                 const ModelCatalog& catalog) {
  pins.apply(host);
  pins.tell_missing(host, [&](const std::string& name) {
    if (repository == nullptr) return catalog.has(name);
    const std::string base = name.substr(0, name.rfind(':'));
    return repository->has(name) || catalog.has(name) ||
           (repository->has(base) && repository->versions(base).empty());
  });
}

std::optional<std::string> variable_of(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Null: traces are told to nobody.
Result<std::unique_ptr<SpanExporter>> open_traces(ServeArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(TraceSetup setup,
                         read_trace_setup(arguments.traces, variable_of));
  for (const std::string& said : setup.said) spdlog::info("{}", said);
  if (!setup.exporter) return std::unique_ptr<SpanExporter>();
  auto spans = std::make_unique<SpanExporter>(std::move(*setup.exporter));
  arguments.server.spans = spans.get();
  arguments.server.trace_sampling = setup.sampling;
  return spans;
}

Status run_server(ServeArguments& arguments) {
  return_large_buffers_when_freed();
  QUIRE_RETURN_IF_ERROR(start_log(arguments.log_level));
  for (const OllamaVariable& it : take_ollama_environment(variable_of, arguments)) {
    spdlog::log(it.is_mistake ? spdlog::level::warn : spdlog::level::info, "{}", it.said);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<NamedModel> models, pair_models(arguments));
  QUIRE_RETURN_IF_ERROR(check_shares(arguments));
  QUIRE_RETURN_IF_ERROR(check_files(arguments.server));
  QUIRE_RETURN_IF_ERROR(set_archive(arguments));
  QUIRE_RETURN_IF_ERROR(set_response_cache(arguments));
  QUIRE_RETURN_IF_ERROR(set_client_limits(arguments));
  QUIRE_ASSIGN_OR_RETURN(const ShelfOptions shelf, shelf_options(arguments));
  QUIRE_ASSIGN_OR_RETURN(RepositoryOptions folders, repository_options(arguments));
  QUIRE_ASSIGN_OR_RETURN(const auto device, make_cpu_device(arguments.common.threads));
  const Nanos start = SteadyClock::now();
  LoadNotes notes;
  const LoadListener report = [&notes](const GreetedModel& loaded, double seconds) {
    notes.take(loaded, seconds);
  };
  // At least, that may come.
  const std::size_t others = arguments.serves_store || !folders.folders.empty() ? 1 : 0;
  const MemoryLimit limit = {shelf.bytes_max, std::max<std::size_t>(models.size() + others, 1)};
  const DiskCatalog catalog({.common = arguments.common,
                             .device = device,
                             .limit = {shelf.bytes_max, models.size() + 2},
                             .report = report,
                             .is_on_demand = arguments.serves_store});
  ModelHost host(shelf);
  std::vector<ModelHost::ModelIndex> first;
  for (const NamedModel& model : models) {
    QUIRE_ASSIGN_OR_RETURN(const ModelHost::ModelIndex index,
                           host.add(make_recipe(model, device, limit, report)));
    first.push_back(index);
  }
  if (arguments.serves_store) add_stored_models(catalog, host);
  QUIRE_RETURN_IF_ERROR(load_first_models(host, first, arguments.load));
  const std::unique_ptr<PinBook> pins = open_pins();
  if (pins != nullptr) folders.when_changed = [&] { pins->apply(host); };
  QUIRE_ASSIGN_OR_RETURN(auto repository, open_repository(folders, host, catalog));
  const double load_seconds = to_seconds(SteadyClock::now() - start);
  fill_server_options(arguments);
  if (pins != nullptr) recall_pins(*pins, host, repository.get(), catalog);
  arguments.server.pins = pins.get();
  arguments.server.catalog = &catalog;
  arguments.server.repository = repository.get();
  std::shared_ptr<SideDoor> grpc;
  if (arguments.grpc_port >= 0) grpc = rpc::make_grpc_door(arguments.grpc_port);
  if (grpc != nullptr) arguments.server.side_doors.push_back(grpc);
  QUIRE_ASSIGN_OR_RETURN(const auto spans, open_traces(arguments));
  Server server(arguments.server, host);
  QUIRE_RETURN_IF_ERROR(server.listen());
  if (grpc != nullptr) spdlog::info("gRPC is served: grpc_port={}", grpc->port());
  if (server.metrics_port() >= 0) {
    spdlog::info("metrics are shown: metrics_port={}", server.metrics_port());
  }
  print_greeting(arguments, host, notes, server.port(), load_seconds);
  server.run();
  repository.reset();  // its thread's orders answer by the server
  spdlog::info("drained");
  return ok_status();
}

}  // namespace

void declare_serve(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<ServeArguments>();
  Command command = parent.command("serve", "Serve models over HTTP");
  declare_serve_flags(command, *arguments);
  command.when_chosen([arguments, &chosen] {
    chosen = [arguments] {
      const Status status = run_server(*arguments);
      return status.is_ok() ? 0 : fail(status);
    };
  });
}

}  // namespace quire
