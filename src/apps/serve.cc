#include "apps/serve.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <mutex>

#include <spdlog/spdlog.h>

#include "apps/assemble.h"
#include "apps/flags.h"
#include "apps/greeting.h"
#include "apps/serve_arguments.h"
#include "apps/version.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/server.h"
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
Status load_first_models(ModelHost& host, const std::string& which) {
  if (which == "none") return ok_status();
  std::size_t loaded = 0;
  for (ModelHost::ModelIndex model = 0; model < host.size(); ++model) {
    if (loaded > 0 && which == "first") break;
    loaded += host.load_now(model).is_ok() ? 1 : 0;
  }
  if (loaded > 0) return ok_status();
  return Status(StatusCode::kNotFound, host.size() == 1 ? "there is no model to serve"
                                                        : "none of the models can be served");
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

Status run_server(ServeArguments& arguments) {
  return_large_buffers_when_freed();
  QUIRE_RETURN_IF_ERROR(start_log(arguments.log_level));
  QUIRE_ASSIGN_OR_RETURN(const std::vector<NamedModel> models, pair_models(arguments));
  QUIRE_RETURN_IF_ERROR(check_shares(arguments));
  QUIRE_RETURN_IF_ERROR(check_files(arguments.server));
  QUIRE_RETURN_IF_ERROR(set_archive(arguments));
  QUIRE_ASSIGN_OR_RETURN(const ShelfOptions shelf, shelf_options(arguments));
  QUIRE_ASSIGN_OR_RETURN(const auto device, make_cpu_device(arguments.common.threads));
  const Nanos start = SteadyClock::now();
  LoadNotes notes;
  ModelHost host(shelf);
  for (const NamedModel& model : models) {
    const MemoryLimit limit = {shelf.bytes_max, models.size()};
    QUIRE_RETURN_IF_ERROR(host.add(make_recipe(
        model, device, limit,
        [&notes](const GreetedModel& loaded, double seconds) { notes.take(loaded, seconds); })));
  }
  QUIRE_RETURN_IF_ERROR(load_first_models(host, arguments.load));
  const double load_seconds = to_seconds(SteadyClock::now() - start);
  arguments.server.unknown_fields_warn = arguments.unknown_fields == "warn";
  arguments.server.metric_names = arguments.metrics_names == "vllm"   ? Metrics::Names::kVllm
                                  : arguments.metrics_names == "both" ? Metrics::Names::kBoth
                                                                      : Metrics::Names::kQuire;
  arguments.server.keeps_volatile_lines = arguments.volatile_lines == "keep";
  arguments.server.load_queue_max = arguments.common.max_queue;
  arguments.server.version = QUIRE_VERSION;
  Server server(arguments.server, host);
  QUIRE_RETURN_IF_ERROR(server.listen());
  print_greeting(arguments, host, notes, server.port(), load_seconds);
  server.run();
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
