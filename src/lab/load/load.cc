#include "lab/load/load.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/json.h"
#include "lab/load/sse_reader.h"
#include "net/client.h"
#include "net/crowd.h"
#include "net/url.h"

namespace quire {
namespace {

constexpr std::size_t kErrorShownMax = 4096;
constexpr std::size_t kAnswerSizeMax = std::size_t{16} << 20;  // of the small requests before
constexpr std::chrono::milliseconds kWaitMax{1000};            // for bytes, without a look around

struct Server {
  std::string base;  // "http://host:8000"
  LoadOptions options;
};

net::Limits limits_of(const Server& server) {
  net::Limits limits;
  limits.connect_seconds = std::max(1L, static_cast<long>(server.options.seconds_max));
  limits.slow_bytes_per_second = 0;  // a long prompt is silent for a while; time_max bounds it
  return limits;
}

net::Request request_of(const Server& server, const std::string& path, const std::string& body) {
  net::Request request{.url = server.base + path, .token = server.options.api_key};
  if (!body.empty()) request.json = body;
  request.body_max = kAnswerSizeMax;
  request.time_max = std::chrono::milliseconds(
      std::max(1LL, static_cast<long long>(server.options.seconds_max * 1e3)));
  return request;
}

// What a server's answer means: any status but 200 is an error with the beginning of the body.
Status status_of(const Result<net::Response>& response) {
  if (!response.is_ok()) return response.status();
  if (response->status == 200) return ok_status();
  const StatusCode code = response->status >= 500 || response->status == 429
                              ? StatusCode::kUnavailable
                              : StatusCode::kInvalidArgument;
  return error(code, "HTTP {}: {}", response->status, response->body.substr(0, kErrorShownMax));
}

std::string body_of(const LoadOptions& options, const std::string& model, bool is_ignoring_eos,
                    const LoadRequest& request) {
  Json body = Json::object({{"model", model},
                            {"max_tokens", request.tokens_max},
                            {"temperature", 0},
                            {"stream", true},
                            {"stream_options", Json::object({{"include_usage", true}})}});
  if (is_ignoring_eos) body.set("ignore_eos", true);
  if (options.is_chat) {
    Json message = Json::object({{"role", "user"}, {"content", request.text}});
    body.set("messages", Json::array({std::move(message)}));
  } else if (!request.ids.empty()) {
    body.set("prompt", Json::array({request.ids.begin(), request.ids.end()}));
  } else {
    body.set("prompt", request.text);
  }
  return dump(body);
}

std::string path_of(const LoadOptions& options) {
  return options.is_chat ? "/v1/chat/completions" : "/v1/completions";
}

int integer_at(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found != nullptr && found->is_int() ? static_cast<int>(found->as_int()) : 0;
}

bool is_filled(const Json& json, std::string_view name) {
  const Json* text = json.find(name);
  return text != nullptr && text->is_string() && !text->as_string().empty();
}

// Whether an event carries generated text. A chat's first event, which names the role, does not,
// nor does one that only says why the answer ended.
bool has_text(const Json& event) {
  const Json* choices = event.find("choices");
  if (choices == nullptr || !choices->is_array() || choices->items().empty()) return false;
  const Json& choice = choices->items().front();
  const Json* delta = choice.find("delta");
  if (delta == nullptr) return is_filled(choice, "text");
  return is_filled(*delta, "content") || is_filled(*delta, "reasoning_content");
}

// Notes one event of a stream in the record.
void note_event(const std::string& data, double now, int& pieces, LoadRecord& record) {
  if (data == "[DONE]") return;
  const auto event = parse_json(data);
  if (!event.is_ok() || !event->is_object()) {
    record.error = "an event is not a JSON object";
    return;
  }
  if (const Json* problem = event->find("error"); problem != nullptr && !problem->is_null()) {
    record.error = dump(*problem);
  }
  if (has_text(*event)) {
    if (pieces++ == 0) {
      record.first_at = now;
    } else {
      record.gaps.push_back(now - record.last_at);
    }
    record.last_at = now;
  }
  const Json* usage = event->find("usage");
  if (usage == nullptr || !usage->is_object()) return;
  record.prompt_tokens = integer_at(*usage, "prompt_tokens");
  record.generated_tokens = integer_at(*usage, "completion_tokens");
  if (const Json* details = usage->find("prompt_tokens_details")) {
    record.cached_tokens = integer_at(*details, "cached_tokens");
  }
}

Result<std::string> fetch(const Server& server, const std::string& path, const std::string& body) {
  auto response = net::Client(limits_of(server)).send(request_of(server, path, body));
  QUIRE_RETURN_IF_ERROR(status_of(response));
  return std::move(response->body);
}

Result<std::string> first_model(const Server& server) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, fetch(server, "/v1/models", ""));
  const auto models = parse_json(text);
  const Json* data = models.is_ok() ? models->find("data") : nullptr;
  const bool is_list = data != nullptr && data->is_array() && !data->items().empty();
  const Json* id = is_list ? data->items().front().find("id") : nullptr;
  if (id == nullptr || !id->is_string()) {
    return error(StatusCode::kInvalidArgument, "the server lists no model; name one with --model");
  }
  return id->as_string();
}

// The text of /metrics; empty if it is not wanted.
Result<std::string> fetch_metrics(const Server& server) {
  if (!server.options.is_profiling) return std::string();
  return fetch(server, "/metrics", "");
}

// A first small request, which warms the server up and tells whether it takes `ignore_eos`.
Result<bool> try_ignoring_eos(const Server& server, const std::string& model) {
  LoadRequest request;
  request.text = "A first word";
  request.tokens_max = 2;
  for (const bool is_ignoring_eos : {true, false}) {
    if (is_ignoring_eos && !server.options.is_ignoring_eos) continue;
    const auto text = fetch(server, path_of(server.options),
                            body_of(server.options, model, is_ignoring_eos, request));
    if (text.is_ok()) return is_ignoring_eos;
    if (!is_ignoring_eos || text.status().code() != StatusCode::kInvalidArgument) {
      return text.status();
    }
  }
  return false;
}

// Sends the requests and notes what comes: in a closed loop so many at once, in an open loop each
// at its time.
class Run {
 public:
  Run(const Server& server, const WorkloadOptions& workload,
      const std::vector<LoadRequest>& requests, std::vector<std::string> bodies,
      std::vector<LoadRecord>& records)
      : server_(server), workload_(workload), requests_(requests), bodies_(std::move(bodies)),
        records_(records), crowd_(limits_of(server)) {}

  void to_end() {
    while (next_ < bodies_.size() || crowd_.under_way() > 0) {
      while (next_ < bodies_.size() && is_due()) send_next();
      crowd_.advance(time_to_next());
    }
  }

 private:
  // One request under way: what its sink and its end share.
  struct Stream {
    SseReader reader;
    int pieces = 0;
  };

  double now() const { return to_seconds(SteadyClock::now() - start_); }

  bool is_due() const {
    if (workload_.rate > 0) return start_ + requests_[next_].send_at <= SteadyClock::now();
    return crowd_.under_way() < static_cast<std::size_t>(workload_.clients);
  }

  std::chrono::milliseconds time_to_next() const {
    if (workload_.rate <= 0 || next_ == bodies_.size()) return kWaitMax;
    const Nanos left = start_ + requests_[next_].send_at - SteadyClock::now();
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(left),
                      std::chrono::milliseconds(0), kWaitMax);
  }

  void send_next() {
    LoadRecord& record = records_[next_];
    const auto stream = std::make_shared<Stream>();
    net::Request request = request_of(server_, path_of(server_.options), bodies_[next_]);
    request.sink = [this, stream, &record](const net::Response& response,
                                           std::span<const std::byte> piece) {
      if (response.status != 200) return ok_status();
      const std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
      for (const std::string& data : stream->reader.feed(text)) {
        note_event(data, now(), stream->pieces, record);
      }
      return ok_status();
    };
    ++next_;
    record.sent_at = now();
    crowd_.begin(std::move(request), [stream, &record](const Result<net::Response>& response) {
      const Status status = status_of(response);
      if (!status.is_ok()) record.error = status.message();
      if (record.error.empty() && stream->pieces == 0) record.error = "the answer has no text";
      if (record.generated_tokens == 0) record.generated_tokens = stream->pieces;
    });
  }

  const Server& server_;
  const WorkloadOptions& workload_;
  const std::vector<LoadRequest>& requests_;
  std::vector<std::string> bodies_;
  std::vector<LoadRecord>& records_;
  net::Crowd crowd_;
  std::size_t next_ = 0;  // the next request to send
  Nanos start_ = SteadyClock::now();
};

}  // namespace

Result<LoadResult> run_load(const LoadOptions& options, const WorkloadOptions& workload) {
  Server server;
  server.options = options;
  QUIRE_ASSIGN_OR_RETURN(server.base, net::server_base(options.url, "--url"));
  if (options.is_chat && workload.ids_below > 0) {
    return error(StatusCode::kInvalidArgument, "a chat's messages are words, not token ids");
  }
  LoadResult result;
  result.model = options.model;
  if (result.model.empty()) {
    QUIRE_ASSIGN_OR_RETURN(result.model, first_model(server));
  }
  QUIRE_ASSIGN_OR_RETURN(result.is_ignoring_eos, try_ignoring_eos(server, result.model));

  const std::vector<LoadRequest> requests = make_requests(workload);
  std::vector<std::string> bodies;
  for (const LoadRequest& request : requests) {
    bodies.push_back(body_of(options, result.model, result.is_ignoring_eos, request));
  }
  result.records.resize(requests.size());
  QUIRE_ASSIGN_OR_RETURN(result.metrics_before, fetch_metrics(server));
  const Nanos start = SteadyClock::now();
  Run(server, workload, requests, std::move(bodies), result.records).to_end();
  result.seconds = to_seconds(SteadyClock::now() - start);
  QUIRE_ASSIGN_OR_RETURN(result.metrics_after, fetch_metrics(server));
  return result;
}

}  // namespace quire
