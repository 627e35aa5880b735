#include "lab/load/load.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "lab/load/endpoint.h"
#include "lab/load/sse_reader.h"

namespace quire {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Json = nlohmann::json;
using PieceSink = std::function<void(std::string_view)>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kErrorBodyMax = 4096;

struct Server {
  Endpoint endpoint;
  LoadOptions options;
};

Status io_error(const Server& server, std::string_view what,
                const boost::system::error_code& code) {
  return error(StatusCode::kUnavailable, "{} {}:{}: {}", what, server.endpoint.host,
               server.endpoint.port, code.message());
}

http::request<http::string_body> request_of(const Server& server, const std::string& path,
                                            const std::string& body) {
  const auto verb = body.empty() ? http::verb::get : http::verb::post;
  http::request<http::string_body> request(verb, server.endpoint.root + path, 11);
  request.set(http::field::host, server.endpoint.host + ":" + server.endpoint.port);
  request.set(http::field::connection, "close");
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  if (!server.options.api_key.empty()) {
    request.set(http::field::authorization, "Bearer " + server.options.api_key);
  }
  request.body() = body;
  request.content_length(body.size());
  return request;
}

// One request on a connection of its own. Pieces of a 200's body go to the sink as they arrive; any
// other status is an error with the beginning of the body.
asio::awaitable<Status> exchange(const Server& server, std::string path, std::string body,
                                 PieceSink sink) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto [no_name, addresses] =
      co_await resolver.async_resolve(server.endpoint.host, server.endpoint.port, kAsTuple);
  if (no_name) co_return io_error(server, "cannot resolve", no_name);
  beast::tcp_stream stream(executor);
  stream.expires_after(
      std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(server.options.seconds_max)));
  const auto [no_peer, peer] = co_await stream.async_connect(addresses, kAsTuple);
  if (no_peer) co_return io_error(server, "cannot connect to", no_peer);
  stream.socket().set_option(asio::ip::tcp::no_delay(true));
  auto request = request_of(server, path, body);
  const auto [unsent, sent] = co_await http::async_write(stream, request, kAsTuple);
  if (unsent) co_return io_error(server, "cannot send to", unsent);

  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  const auto [no_header, header] =
      co_await http::async_read_header(stream, buffer, parser, kAsTuple);
  if (no_header) co_return io_error(server, "no answer from", no_header);
  const unsigned status = parser.get().result_int();
  std::string refusal;
  std::array<char, 16384> piece;
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    const auto [problem, count] = co_await http::async_read_some(stream, buffer, parser, kAsTuple);
    if (problem && problem != http::error::need_buffer) {
      co_return io_error(server, "the answer broke off from", problem);
    }
    const std::string_view text(piece.data(), piece.size() - parser.get().body().size);
    if (status == 200) sink(text);
    if (status != 200 && refusal.size() < kErrorBodyMax) refusal += text;
  }
  if (status == 200) co_return ok_status();
  const StatusCode code =
      status >= 500 || status == 429 ? StatusCode::kUnavailable : StatusCode::kInvalidArgument;
  co_return error(code, "HTTP {}: {}", status, refusal);
}

std::string body_of(const LoadOptions& options, const std::string& model, bool is_ignoring_eos,
                    const LoadRequest& request) {
  Json body = {{"model", model},
               {"max_tokens", request.tokens_max},
               {"temperature", 0},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}}};
  if (is_ignoring_eos) body["ignore_eos"] = true;
  if (options.is_chat) {
    body["messages"] = {{{"role", "user"}, {"content", request.text}}};
  } else if (!request.ids.empty()) {
    body["prompt"] = request.ids;
  } else {
    body["prompt"] = request.text;
  }
  return body.dump();
}

std::string path_of(const LoadOptions& options) {
  return options.is_chat ? "/chat/completions" : "/completions";
}

int integer_at(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? found->get<int>() : 0;
}

// Whether an event carries generated text. A chat's first event, which names the role, does not,
// nor does one that only says why the answer ended.
bool has_text(const Json& event) {
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty()) return false;
  const Json& choice = (*choices)[0];
  const auto is_filled = [](const Json& json, const char* name) {
    const auto text = json.find(name);
    return text != json.end() && text->is_string() && !text->get_ref<const std::string&>().empty();
  };
  const auto delta = choice.find("delta");
  if (delta == choice.end()) return is_filled(choice, "text");
  return is_filled(*delta, "content") || is_filled(*delta, "reasoning_content");
}

// Notes one event of a stream in the record.
void note_event(const std::string& data, double now, int& pieces, LoadRecord& record) {
  if (data == "[DONE]") return;
  const Json event = Json::parse(data, nullptr, false);
  if (!event.is_object()) {
    record.error = "an event is not a JSON object";
    return;
  }
  if (const auto problem = event.find("error"); problem != event.end() && !problem->is_null()) {
    record.error = problem->dump();
  }
  if (has_text(event)) {
    if (pieces++ == 0) {
      record.first_at = now;
    } else {
      record.gaps.push_back(now - record.last_at);
    }
    record.last_at = now;
  }
  const auto usage = event.find("usage");
  if (usage == event.end() || !usage->is_object()) return;
  record.prompt_tokens = integer_at(*usage, "prompt_tokens");
  record.generated_tokens = integer_at(*usage, "completion_tokens");
  const auto details = usage->find("prompt_tokens_details");
  if (details != usage->end() && details->is_object()) {
    record.cached_tokens = integer_at(*details, "cached_tokens");
  }
}

asio::awaitable<void> send_one(const Server& server, std::string body, Nanos start,
                               LoadRecord& record) {
  const auto now = [start] { return to_seconds(SteadyClock::now() - start); };
  SseReader reader;
  int pieces = 0;
  record.sent_at = now();
  const Status status = co_await exchange(server, path_of(server.options), std::move(body),
                                          [&](std::string_view piece) {
                                            for (const std::string& data : reader.feed(piece))
                                              note_event(data, now(), pieces, record);
                                          });
  if (!status.is_ok()) record.error = status.message();
  if (record.error.empty() && pieces == 0) record.error = "the answer has no text";
  if (record.generated_tokens == 0) record.generated_tokens = pieces;
}

// Runs a coroutine to its end on the calling thread. What a library throws becomes an error here.
Status run_to_end(const std::function<void(asio::io_context&)>& spawn) {
  try {
    asio::io_context io(1);
    spawn(io);
    io.run();
    return ok_status();
  } catch (const std::exception& problem) {
    return error(StatusCode::kInternal, "{}", problem.what());
  }
}

void rethrow(std::exception_ptr problem) {
  if (problem) std::rethrow_exception(problem);
}

Result<std::string> fetch(const Server& server, const std::string& path, const std::string& body) {
  std::string text;
  Status outcome;
  QUIRE_RETURN_IF_ERROR(run_to_end([&](asio::io_context& io) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          outcome =
              co_await exchange(server, path, body, [&](std::string_view piece) { text += piece; });
        },
        rethrow);
  }));
  if (!outcome.is_ok()) return outcome;
  return text;
}

Result<std::string> first_model(const Server& server) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, fetch(server, "/models", ""));
  const Json models = Json::parse(text, nullptr, false);
  try {
    return models.at("data").at(0).at("id").get<std::string>();
  } catch (const Json::exception&) {
    return error(StatusCode::kInvalidArgument, "the server lists no model; name one with --model");
  }
}

// The text of /metrics, which stands beside the API's root; empty if it is not wanted.
Result<std::string> fetch_metrics(const Server& server) {
  if (!server.options.is_profiling) return std::string();
  Server door = server;
  door.endpoint.root.resize(door.endpoint.root.rfind("/v1"));
  return fetch(door, "/metrics", "");
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

// Closed loop: one of the clients, which takes the next request when its last one has ended.
asio::awaitable<void> run_client(const Server& server, const std::vector<std::string>& bodies,
                                 Nanos start, std::size_t& next, std::vector<LoadRecord>& records) {
  while (next < bodies.size()) {
    const std::size_t i = next++;
    co_await send_one(server, bodies[i], start, records[i]);
  }
}

// Open loop: one request at its time.
asio::awaitable<void> send_later(const Server& server, const std::string& body, Nanos send_at,
                                 Nanos start, LoadRecord& record) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(start + send_at - SteadyClock::now());
  co_await timer.async_wait(kAsTuple);
  co_await send_one(server, body, start, record);
}

}  // namespace

Result<LoadResult> run_load(const LoadOptions& options, const WorkloadOptions& workload) {
  Server server;
  server.options = options;
  QUIRE_ASSIGN_OR_RETURN(server.endpoint, parse_endpoint(options.url));
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
  std::size_t next = 0;
  QUIRE_ASSIGN_OR_RETURN(result.metrics_before, fetch_metrics(server));
  const Nanos start = SteadyClock::now();
  QUIRE_RETURN_IF_ERROR(run_to_end([&](asio::io_context& io) {
    if (workload.rate > 0) {
      for (std::size_t i = 0; i < bodies.size(); ++i) {
        asio::co_spawn(io,
                       send_later(server, bodies[i], requests[i].send_at, start, result.records[i]),
                       rethrow);
      }
    } else {
      for (int client = 0; client < workload.clients; ++client) {
        asio::co_spawn(io, run_client(server, bodies, start, next, result.records), rethrow);
      }
    }
  }));
  result.seconds = to_seconds(SteadyClock::now() - start);
  QUIRE_ASSIGN_OR_RETURN(result.metrics_after, fetch_metrics(server));
  return result;
}

}  // namespace quire
