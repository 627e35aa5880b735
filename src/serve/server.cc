#include "serve/server.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>

#include "serve/dialects/all.h"
#include "serve/front_door.h"
#include "serve/house.h"
#include "serve/http/listener.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "serve/status/chronicle.h"
#include "serve/status/status_feed.h"

namespace quire {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};

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

FrontDoorOptions front_door_options(const ServerOptions& options) {
  return {.api_keys = options.api_keys,
          .api_key_shares = options.api_key_shares,
          .allowed_hosts = options.allowed_hosts,
          .unknown_fields_warn = options.unknown_fields_warn,
          .is_operable = options.is_operable};
}

std::span<const Dialect* const> dialects_of(const ServerOptions& options) {
  if (options.dialects.empty()) return all_dialects();
  return options.dialects;
}

}  // namespace

struct Server::State {
  State(ServerOptions options_given, ModelHost& host)
      : options(std::move(options_given)),
        io(1),
        workers(static_cast<std::size_t>(options.worker_threads)),
        signals(io),
        drain_timer(io),
        metrics(host, options.version, options.metric_names),
        service(host, metrics, chronicle, options.load_queue_max,
                [this](auto work) { asio::post(io, std::move(work)); },
                [this](auto work) { asio::post(workers, std::move(work)); }),
        status(options.version, host, chronicle, metrics,
               [this](auto delay, auto work) { run_after(delay, std::move(work)); }),
        house{host, service, metrics, status, options.version},
        front_door(front_door_options(options), house, dialects_of(options)),
        listener(io, options.http, front_door) {}

  void run_after(std::chrono::milliseconds delay, std::function<void()> work);
  void await_signal();
  void stop();
  void await_drained();

  ServerOptions options;
  asio::io_context io;
  asio::thread_pool workers;
  asio::signal_set signals;
  asio::steady_timer drain_timer;
  std::set<std::shared_ptr<asio::steady_timer>> timers;  // of run_after(); few
  Metrics metrics;
  Chronicle chronicle;
  Service service;
  StatusFeed status;
  House house;
  FrontDoor front_door;
  http::Listener listener;
};

Server::Server(ServerOptions options, ModelHost& host)
    : state_(std::make_unique<State>(std::move(options), host)) {}

Server::~Server() {
  state_->workers.stop();
  state_->workers.join();
}

Status Server::listen() {
  const ServerOptions& options = state_->options;
  raise_descriptor_limit(options.http.connections_max);
  QUIRE_RETURN_IF_ERROR(state_->listener.listen(options.host, options.port));
  state_->front_door.listens_on_loopback(state_->listener.is_loopback());
  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  spdlog::debug("Listening on http://{}{}{}:{}", is_ipv6 ? "[" : "", options.host,
               is_ipv6 ? "]" : "", port());
  return ok_status();
}

int Server::port() const { return state_->listener.port(); }

void Server::run() {
  if (state_->options.catches_signals) {
    boost::system::error_code failure;
    state_->signals.add(SIGTERM, failure);
    state_->signals.add(SIGINT, failure);
    state_->await_signal();
  }
  state_->listener.start();
  state_->io.run();
}

void Server::request_stop() {
  asio::post(state_->io, [state = state_.get()] { state->stop(); });
}

void Server::State::run_after(std::chrono::milliseconds delay, std::function<void()> work) {
  const auto timer = std::make_shared<asio::steady_timer>(io, delay);
  timers.insert(timer);
  timer->async_wait([this, timer, work = std::move(work)](boost::system::error_code failure) {
    timers.erase(timer);
    if (!failure) work();
  });
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
  service.drain();
  status.drain();
  await_drained();
}

// Looks again and again: what it waits for ends in many places.
void Server::State::await_drained() {
  if (service.calls() > 0 || listener.answering() > 0) {
    drain_timer.expires_after(kDrainPoll);
    drain_timer.async_wait([this](boost::system::error_code) { await_drained(); });
    return;
  }
  spdlog::debug("Drained");
  signals.cancel();
  for (const auto& timer : timers) timer->cancel();
  listener.stop();
  listener.close_connections();  // idle ones; with the last of them run() returns
}

}  // namespace quire
