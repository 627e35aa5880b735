#include "serve/server.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <set>

#include "base/clock.h"
#include "serve/access/key_file.h"
#include "serve/access/origins.h"
#include "serve/access/restricted_apis.h"
#include "serve/background/batch_runner.h"
#include "serve/background/errands.h"
#include "serve/background/response_cache.h"
#include "serve/dialects/all.h"
#include "serve/dialects/kserve/metrics_route.h"
#include "serve/dialects/openai/files/batch_format.h"
#include "serve/front_door.h"
#include "serve/house.h"
#include "serve/http/listener.h"
#include "serve/http/tls/certificate.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "serve/status/chronicle.h"
#include "serve/trace/request_tracer.h"
#include "serve/status/status_feed.h"

namespace quire {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};
constexpr std::chrono::seconds kLastWords{5};  // behind --drain-timeout, to read what is answered
const ApiError kCutOff{.status = 503,
                       .message = "The request was aborted: the server ends (--drain-timeout).",
                       .type = "service_unavailable_error",
                       .code = "aborted"};

// Every connection is a descriptor, and the usual soft limit is 1024. What the system does not
// grant is refused at accept().
void raise_descriptor_limit(std::size_t connections_max) {
  constexpr std::size_t kOthers = 256;  // files, pipes, and those that are being turned away
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, connections_max + kOthers);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// listen() has refused what is wrong with the list.
FrontDoorOptions front_door_options(const ServerOptions& options) {
  const Result<Origins> origins = Origins::from(options.allowed_origins);
  const Result<RestrictedApis> restricted = RestrictedApis::of_http(options.restricted_apis);
  return {.api_keys = options.api_keys,
          .api_key_shares = options.api_key_shares,
          .allowed_hosts = options.allowed_hosts,
          .origins = origins.is_ok() ? *origins : Origins(),
          .restricted = restricted.is_ok() ? *restricted : RestrictedApis(),
          .unknown_fields_warn = options.unknown_fields_warn,
          .is_operable = options.is_operable,
          .keeps_volatile_lines = options.keeps_volatile_lines};
}

std::span<const Dialect* const> dialects_of(const ServerOptions& options) {
  if (options.dialects.empty()) return all_dialects();
  return options.dialects;
}

// Null: plain HTTP.
Result<std::unique_ptr<http::Certificate>> load_certificate(const ServerOptions& options) {
  if (!options.ssl_certfile.empty()) {
    return http::Certificate::load(options.ssl_certfile, options.ssl_keyfile);
  }
  if (options.ssl_keyfile.empty()) return std::unique_ptr<http::Certificate>();
  return error(StatusCode::kInvalidArgument,
               "--ssl-keyfile '{}' is of no use without --ssl-certfile", options.ssl_keyfile);
}

// What it means that others can reach us, where it means something.
void warn_of_exposure(const std::string& host, bool asks_for_keys, bool is_secure) {
  if (!asks_for_keys) {
    spdlog::warn("listening on {} without API keys: whoever reaches this address can use the "
                 "models, unload them, and watch how others use them (--api-key, --api-key-file, "
                 "or --host 127.0.0.1)", host);
  }
  if (!is_secure) {
    spdlog::warn("listening on {} without TLS: whoever is on the way can read and change keys, "
                 "prompts and answers (--ssl-certfile and --ssl-keyfile, or a proxy in front that "
                 "speaks TLS)", host);
  }
}

}  // namespace

Status check_files(const ServerOptions& options) {
  QUIRE_RETURN_IF_ERROR(load_certificate(options).status());
  QUIRE_RETURN_IF_ERROR(Origins::from(options.allowed_origins).status());
  QUIRE_RETURN_IF_ERROR(RestrictedApis::of_http(options.restricted_apis).status());
  QUIRE_RETURN_IF_ERROR(RestrictedApis::of_grpc(options.restricted_protocols).status());
  if (options.api_key_file.empty()) return ok_status();
  KeyFile file(options.api_key_file);
  QUIRE_ASSIGN_OR_RETURN(const std::vector<KeyLine> keys, file.read());
  const Status status = Tenants(options.api_keys, options.api_key_shares).set_file_keys(keys);
  if (!status.is_ok()) return file.told(status);
  if (!keys.empty() || !options.api_keys.empty()) return ok_status();
  return file.told(Status(StatusCode::kInvalidArgument, "there is no key in it"));
}

struct Server::State {
  State(ServerOptions options_given, ModelHost& host)
      : options(std::move(options_given)),
        io(1),
        workers(static_cast<std::size_t>(options.worker_threads)),
        signals(io),
        drain_timer(io),
        responses(options.response_cache_bytes > 0
                      ? std::make_unique<ResponseCache>(options.response_cache_bytes)
                      : nullptr),
        metrics(host, options.version, options.metric_names, responses.get(),
                options.has_old_metric_names),
        service(host, metrics, chronicle, options.load_queue_max,
                [this](auto work) { asio::post(io, std::move(work)); },
                [this](auto work) { asio::post(workers, std::move(work)); }),
        status(options.version, host, chronicle, metrics,
               [this](auto delay, auto work) { run_after(delay, std::move(work)); }),
        house{.host = host,
              .service = service,
              .metrics = metrics,
              .status = status,
              .version = options.version,
              .dialects = dialects_of(options),
              .client_limits = options.client_limits,
              .detached = &detached,
              .catalog = options.catalog,
              .repository = options.repository,
              .responses = responses.get(),
              .pins = options.pins,
              .errands = &errands,
              .to_workers = [this](auto work) { asio::post(workers, std::move(work)); },
              .to_io = [this](auto work) { asio::post(io, std::move(work)); },
              .ask_inside = [this](auto exchange, const Tenant& tenant) {
                front_door.answer_inside(std::move(exchange), tenant);
              }},
        front_door(front_door_options(options), house, dialects_of(options)),
        listener(io, options.http, front_door) {
    if (options.spans != nullptr) tell_traces();
  }

  void tell_traces();

  Status open_archive();
  Status open_side_doors();
  Status open_metrics_port();
  void run_after(std::chrono::milliseconds delay, std::function<void()> work);
  Status read_keys();
  void watch_files();
  void look_at_files();
  void ping_streams();
  void await_signal();
  void stop();
  void await_drained();
  void close_side_doors(std::size_t next);
  void end();

  struct Side {
    std::shared_ptr<SideDoor> door;
    std::unique_ptr<FrontDoor> front;
  };

  ServerOptions options;
  asio::io_context io;
  asio::thread_pool workers;
  Errands errands;
  asio::signal_set signals;
  asio::steady_timer drain_timer;
  std::set<std::shared_ptr<asio::steady_timer>> timers;  // of run_after(); few
  std::unique_ptr<ResponseCache> responses;  // null: answers are not kept
  Metrics metrics;
  Chronicle chronicle;
  Service service;
  StatusFeed status;
  std::unique_ptr<archive::Archive> archive;  // null: nothing is kept
  std::unique_ptr<BatchRunner> batches;        // null: nothing is kept
  DetachedAnswers detached;
  House house;
  FrontDoor front_door;
  http::Listener listener;
  std::vector<Side> sides;
  std::unique_ptr<FrontDoor> metrics_door;           // null: there is no port of metrics
  std::unique_ptr<http::Listener> metrics_listener;
  std::unique_ptr<http::Certificate> certificate;  // null: plain HTTP
  std::unique_ptr<KeyFile> key_file;               // null: there is none
  Nanos drain_begun{0};
  bool is_over = false;                            // no timer starts any more
};

Server::Server(ServerOptions options, ModelHost& host)
    : state_(std::make_unique<State>(std::move(options), host)) {}

Server::~Server() {
  if (state_->options.spans != nullptr) state_->options.spans->on_fate(nullptr);
  state_->workers.stop();
  state_->workers.join();
  state_->errands.join();
}

Status Server::listen() {
  const ServerOptions& options = state_->options;
  raise_descriptor_limit(options.http.connections_max);
  state_->service.bound_calls(static_cast<std::size_t>(options.client_limits.concurrent_max));
  QUIRE_RETURN_IF_ERROR(check_files(options));
  QUIRE_ASSIGN_OR_RETURN(state_->certificate, load_certificate(options));
  if (state_->certificate) state_->listener.secure(state_->certificate->context());
  if (!options.api_key_file.empty()) {
    state_->key_file = std::make_unique<KeyFile>(options.api_key_file);
    QUIRE_RETURN_IF_ERROR(state_->read_keys());
  }
  QUIRE_RETURN_IF_ERROR(state_->open_archive());
  QUIRE_RETURN_IF_ERROR(state_->listener.listen(options.host, options.port));
  state_->front_door.listens_on_loopback(state_->listener.is_loopback());
  QUIRE_RETURN_IF_ERROR(state_->open_side_doors());
  QUIRE_RETURN_IF_ERROR(state_->open_metrics_port());
  if (!state_->listener.is_loopback()) {
    warn_of_exposure(options.host, state_->front_door.asks_for_keys(),
                     state_->certificate != nullptr);
  }
  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  spdlog::debug("Listening on {}://{}{}{}:{}", state_->certificate ? "https" : "http",
                is_ipv6 ? "[" : "", options.host, is_ipv6 ? "]" : "", port());
  return ok_status();
}

int Server::port() const { return state_->listener.port(); }

int Server::metrics_port() const {
  return state_->metrics_listener ? state_->metrics_listener->port() : -1;
}

void Server::run() {
  if (state_->options.catches_signals) {
    boost::system::error_code failure;
    state_->signals.add(SIGTERM, failure);
    state_->signals.add(SIGINT, failure);
    state_->await_signal();
  }
  state_->listener.start();
  if (state_->metrics_listener) state_->metrics_listener->start();
  state_->watch_files();
  state_->ping_streams();
  if (state_->batches != nullptr) state_->batches->start();
  state_->io.run();
}

void Server::request_stop() {
  asio::post(state_->io, [state = state_.get()] { state->stop(); });
}

void Server::State::tell_traces() {
  options.spans->on_fate([this](SpanFate fate, std::size_t count) {
    metrics.count_spans(fate, count);
  });
  auto tracer = std::make_shared<RequestTracer>(
      *options.spans, options.trace_sampling, [source = std::make_shared<std::random_device>()] {
        return (std::uint64_t{(*source)()} << 32) | (*source)();
      });
  chronicle.on_finish([tracer](const RequestRecord& record) {
    tracer->take(record, SteadyClock::unix_nanos());
  });
}

Status Server::State::open_archive() {
  if (options.archive_path.empty()) return ok_status();
  auto opened = archive::Archive::open(options.archive_path, options.archive_bounds);
  if (!opened.is_ok() && options.archive_is_wish) {
    spdlog::warn("The response store {}; answers are kept in memory, until this server ends "
                 "(--response-store PATH gives it a file of its own)", opened.status().message());
    opened = archive::Archive::open(":memory:", options.archive_bounds);
  }
  if (!opened.is_ok()) {
    return error(opened.status().code(), "--response-store: {}", opened.status().message());
  }
  archive = std::move(*opened);
  house.archive = archive.get();
  batches = std::make_unique<BatchRunner>(
      *archive, kOpenAiBatchFormat,
      BatchRunner::Ports{
          .to_io = [this](auto work) { asio::post(io, std::move(work)); },
          .to_workers = house.to_workers,
          .run_after = [this](auto delay, auto work) { run_after(delay, std::move(work)); },
          .ask_inside = house.ask_inside,
          .calls = [this] { return service.calls(); }});
  house.batches = batches.get();
  return ok_status();
}

// Keys of a file come with the others' later.
Status Server::State::open_side_doors() {
  for (const std::shared_ptr<SideDoor>& door : options.side_doors) {
    Side& side = sides.emplace_back();
    side.door = door;
    FrontDoorOptions terms = front_door_options(options);
    QUIRE_ASSIGN_OR_RETURN(terms.restricted, RestrictedApis::of_grpc(options.restricted_protocols));
    side.front = std::make_unique<FrontDoor>(std::move(terms), house, door->dialects());
    side.front->listens_on_loopback(listener.is_loopback());
    QUIRE_RETURN_IF_ERROR(door->listen(
        {.host = options.host,
         .certfile = options.ssl_certfile,
         .keyfile = options.ssl_keyfile,
         .limits = options.http,
         .handler = side.front.get(),
         .to_io = [this](auto work) { asio::post(io, std::move(work)); }}));
  }
  return key_file ? read_keys() : ok_status();
}

Status Server::State::open_metrics_port() {
  static constexpr const Dialect* kDialects[] = {&kMetricsDialect};
  if (options.metrics_port < 0) return ok_status();
  metrics_door = std::make_unique<FrontDoor>(front_door_options(options), house, kDialects);
  metrics_listener = std::make_unique<http::Listener>(io, options.http, *metrics_door);
  QUIRE_RETURN_IF_ERROR(metrics_listener->listen(options.host, options.metrics_port));
  metrics_door->listens_on_loopback(metrics_listener->is_loopback());
  return ok_status();
}

void Server::State::run_after(std::chrono::milliseconds delay, std::function<void()> work) {
  const auto timer = std::make_shared<asio::steady_timer>(io, delay);
  timers.insert(timer);
  timer->async_wait([this, timer, work = std::move(work)](boost::system::error_code failure) {
    timers.erase(timer);
    if (!failure) work();
  });
}

// Files that may be replaced while we run.
void Server::State::watch_files() {
  if ((!certificate && !key_file) || service.is_draining()) return;
  run_after(options.watch_period, [this] {
    look_at_files();
    watch_files();
  });
}

// Those that drain, too.
void Server::State::ping_streams() {
  if (is_over) return;
  // Silence is one and a half periods at most.
  run_after(std::max(options.ping_period / 2, std::chrono::milliseconds(1)), [this] {
    service.ping_silent(options.ping_period);
    ping_streams();
  });
}

void Server::State::look_at_files() {
  if (certificate && certificate->reload_if_changed()) listener.secure(certificate->context());
  if (!key_file || !key_file->has_changed()) return;
  const Status status = read_keys();
  if (!status.is_ok()) spdlog::warn("the API keys stay as they were: {}", status.message());
}

Status Server::State::read_keys() {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<KeyLine> keys, key_file->read());
  const Status status = front_door.take_keys(keys);
  if (!status.is_ok()) return key_file->told(status);
  for (const Side& side : sides) QUIRE_RETURN_IF_ERROR(side.front->take_keys(keys));
  spdlog::info("{} API keys were read from '{}'", keys.size(), options.api_key_file);
  return ok_status();
}

void Server::State::await_signal() {
  signals.async_wait([this](boost::system::error_code failure, int) {
    if (failure) return;
    if (service.is_draining()) std::_Exit(EXIT_FAILURE);
    await_signal();  // before stop(), which cancels the wait at once when nothing is in flight
    stop();
  });
}

void Server::State::stop() {
  if (service.is_draining()) return;
  spdlog::info("Draining: {} requests in progress; a second signal ends at once", service.calls());
  drain_begun = SteadyClock::now();
  service.drain();
  if (batches != nullptr) batches->drain();
  status.drain();
  await_drained();
}

// Looks again and again: what it waits for ends in many places.
void Server::State::await_drained() {
  bool is_busy = batches != nullptr && batches->is_busy();
  for (const Side& side : sides) is_busy |= side.door->answering() > 0;
  if (service.calls() > 0 || listener.answering() > 0 || is_busy) {
    const Nanos late_by = SteadyClock::now() - drain_begun - options.drain_max;
    const bool is_late = options.drain_max.count() > 0 && late_by > Nanos{0};
    if (is_late) service.abort_all(kCutOff);  // again and again: what was being read comes later
    if (!is_late || late_by < kLastWords) {
      drain_timer.expires_after(kDrainPoll);
      drain_timer.async_wait([this](boost::system::error_code) { await_drained(); });
      return;
    }
    spdlog::warn("The server ends although clients have not read their answers");
  }
  spdlog::debug("Drained");
  close_side_doors(0);
}

// One after the other; then the end.
void Server::State::close_side_doors(std::size_t next) {
  if (next == sides.size()) return end();
  sides[next].door->close([this, next] { close_side_doors(next + 1); });
}

void Server::State::end() {
  is_over = true;
  signals.cancel();
  for (const auto& timer : timers) timer->cancel();
  listener.stop();
  listener.close_connections();  // idle ones; with the last of them run() returns
  if (metrics_listener) {
    metrics_listener->stop();
    metrics_listener->close_connections();
  }
}

}  // namespace quire
