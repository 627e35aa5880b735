// Server: an HTTP server for the models of a ModelHost. listen() takes the address, run() serves
// until it has drained: after request_stop(), SIGTERM or SIGINT it refuses new requests with 503,
// finishes what runs, and returns; a second signal ends the process at once.
// run() makes the calling thread the I/O thread. request_stop() and port(): any thread.
// Used by apps.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "archive/archive.h"
#include "base/status.h"
#include "host/model_catalog.h"
#include "host/model_host.h"
#include "host/repository/model_repository.h"
#include "serve/http/message.h"
#include "serve/intake/client_limits.h"
#include "serve/metrics.h"
#include "serve/route.h"
#include "serve/trace/trace_sampling.h"
#include "serve/ways/side_door.h"

namespace quire {

class PinBook;
class SpanSink;

struct ServerOptions {
  std::string host = "127.0.0.1";          // --host: an address; "0.0.0.0": every interface
  int port = 8000;                         // --port; 0: any that is free
  std::vector<std::string> api_keys;       // --api-key; none: open to all
  std::vector<std::uint32_t> api_key_shares;  // --api-key-share: one for each, or none
  std::string api_key_file;                // --api-key-file: more keys, read again when it changes
  std::vector<std::string> allowed_hosts;  // --allowed-hosts: beside our own, on loopback
  std::vector<std::string> allowed_origins;  // --allowed-origins: of pages; none: our own page's
  std::string ssl_certfile;                // --ssl-certfile: PEM; empty: plain HTTP
  std::string ssl_keyfile;                 // --ssl-keyfile; empty: the key is in ssl_certfile
  bool unknown_fields_warn = false;        // --unknown-fields warn
  Metrics::Names metric_names = Metrics::Names::kQuire;  // --metrics-names
  bool has_old_metric_names = false;       // --show-hidden-metrics-for-version
  bool is_operable = false;                // --operator-endpoints
  bool keeps_volatile_lines = false;       // --volatile-lines keep
  ClientLimits client_limits;              // --tgi-limits
  http::Limits http;                         // --max-connections is http.connections_max
  std::size_t load_queue_max = 256;        // requests of one tenant that wait for a model's load
  int worker_threads = 2;                  // for parsing, templates and tokenizing
  std::chrono::milliseconds watch_period{1000};  // between looks at files that may be replaced
  std::chrono::milliseconds ping_period{10'000};  // of streams that have nothing to say
  bool catches_signals = true;
  std::chrono::milliseconds drain_max{0};  // --drain-timeout; 0: as long as requests run
  std::string version;
  std::string archive_path;                // a file, ":memory:", or empty: nothing is kept
  archive::Bounds archive_bounds;
  bool archive_is_wish = false;            // a file that cannot be had is a warning, not an error
  std::vector<const Dialect*> dialects = {};  // none: all of dialects/all
  const ModelCatalog* catalog = nullptr;   // outlives the server; null: House says what that means
  ModelRepository* repository = nullptr;   // likewise
  PinBook* pins = nullptr;                 // likewise; null: pins end with the process
  SpanSink* spans = nullptr;             // likewise; null: nobody is told of traces
  TraceSampling trace_sampling;          // which are told of
  std::size_t response_cache_bytes = 0;    // --cache-config; 0: there is none
  std::vector<std::shared_ptr<SideDoor>> side_doors = {};  // ways in beside HTTP
  int metrics_port = -1;                   // --metrics-port: metrics there too, nv_* among them
  std::vector<std::string> restricted_apis = {};       // --http-restricted-api
  std::vector<std::string> restricted_protocols = {};  // --grpc-restricted-protocol
};

// Whether the files that the options name can be used, which listen() asks again: a mistake is told
// before a model is loaded.
Status check_files(const ServerOptions& options);

class Server {
 public:
  Server(ServerOptions options, ModelHost& host);  // which outlives this
  ~Server();

  Status listen();
  int port() const;          // after listen()
  int metrics_port() const;  // likewise; -1: there is none
  void run();
  void request_stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire
