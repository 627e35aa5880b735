#include "serve/dialects/openai/responses/endpoints.h"

#include <fmt/format.h>

#include <charconv>

#include "base/clock.h"
#include "serve/dialects/openai/openai.h"
#include "serve/dialects/openai/responses/answer.h"
#include "serve/dialects/openai/responses/compact.h"
#include "serve/dialects/openai/responses/items.h"
#include "serve/dialects/openai/responses/request.h"
#include "serve/dialects/openai/responses/store.h"
#include "serve/intake/prompt.h"
#include "serve/intake/tools/answer_grammar.h"

namespace quire {
namespace {

constexpr std::string_view kStreamType = "text/event-stream; charset=utf-8";

Call ready(std::string body, std::string_view type = "application/json") {
  Call call;
  call.ready = http::Response{.content_type = std::string(type), .body = std::move(body)};
  return call;
}

// An upper bound, cut to the room that is there.
Parsed<int> room_for(const ResponsesRequest& request, std::size_t prompt_tokens) {
  auto room = fit_tokens_max(request.model->info, prompt_tokens, std::nullopt,
                             request.tokens_max.value_or(std::numeric_limits<int>::max()),
                             "input");
  if (room.is_ok() && request.params.tokens_min > *room) {
    return invalid_value("min_tokens", "min_tokens must be less than or equal to "
                                       "max_output_tokens.");
  }
  return room;
}

// Reads, finds what comes before, encodes.
struct ReadTurn {
  ResponsesRequest request;
  std::vector<TokenId> ids;
};

Parsed<ReadTurn> read_turn(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  ReadTurn turn{.request = read_responses_request(fields, context), .ids = {}};
  refuse_unknown(fields, context, turn.request);
  if (fields.error()) return *fields.error();
  for (const std::string& field : turn.request.warnings) {
    add_note(turn.request.notes, "unknown_parameter", field,
             "This field is not known here and was ignored.");
  }
  if (auto error = find_history(context, turn.request)) return std::move(*error);
  if (turn.request.input.empty() && turn.request.history.empty()) {
    return ApiError{.message = "You must provide input.",
                    .param = "input",
                    .code = "missing_required_parameter"};
  }
  Parsed<std::vector<TokenId>> ids = encode_turn(turn.request);
  if (!ids.is_ok()) return ids.error();
  turn.ids = std::move(*ids);
  return turn;
}

ResponseFacts facts_of(const ResponsesRequest& request, bool is_kept) {
  // One in the background is looked for by its id: chance alone makes that.
  const bool is_chance = request.request_id.empty() || request.is_background;
  ResponseFacts facts{.id = is_chance ? random_id("resp_")
                                      : "resp_" + request.request_id,
                      .created = SteadyClock::unix_seconds(),
                      .model = request.model_name,
                      .echo = request.echo,
                      .notes = request.notes};
  facts.echo.set("store", is_kept);
  if (!request.service_tier.empty()) facts.echo.set("service_tier", request.service_tier);
  return facts;
}

Turn turn_of(const DialectContext& context, const ResponsesRequest& request,
             const ResponseFacts& facts) {
  return {.archive = context.house->archive,
          .kept = {.kind = std::string(kResponseKind), .id = facts.id,
                   .tenant = context.tenant.name, .created = facts.created,
                   .before = request.previous, .model = facts.model,
                   .input = dump(Json::array(request.input))},
          .input = request.input,
          .conversation = request.conversation};
}

// A failure before the first token comes as an answer to the exchange that nobody holds.
void watch_failure(const std::shared_ptr<DetachedAnswer>& detached, const ResponseFacts& facts,
                   const Turn& turn, const House& house) {
  http::Exchange* exchange = detached->exchange().get();
  exchange->on_output([exchange, facts, turn, house = &house,
                       weak = std::weak_ptr<DetachedAnswer>(detached)] {
    const auto answer = weak.lock();
    const std::string said = exchange->take_pending();
    if (answer == nullptr || exchange->is_gone() || exchange->head().status < 400) return;
    const Result<Json> body = parse_json(said);
    const Json* error = body.is_ok() ? body->find("error") : nullptr;
    const Json why =
        Json::object({{"code", "server_error"},
                      {"message", error != nullptr ? item_text(*error, "message") : said}});
    const Json failed = response_json(facts, "failed", Json::array(), {}, why);
    answer->show(dump(failed));
    answer->add(response_event("response.failed", answer->events(),
                               Json::object({{"response", failed}})));
    answer->end();
    house->to_workers([house, failed, turn = Turn(turn), id = facts.id]() mutable {
      if (keep_turn(turn, failed).is_ok()) house->detached->remove(id);
    });
  });
}

http::Response stream_head(const DialectContext& context, const http::Request& request) {
  http::Response head{.content_type = std::string(kStreamType),
                      .headers = {{"cache-control", "no-cache"}}};
  kOpenAiDialect.complete_head({.request_id = request.id}, head);
  context.house->metrics.count_answer(head.status);
  return head;
}

// Kept as queued before anybody hears of it; from then on it goes on by itself.
std::optional<ApiError> detach(const DialectContext& context, const http::Request& request,
                               const ResponsesRequest& asked, const ResponseFacts& facts,
                               Turn turn, Call& call, std::shared_ptr<DetachedAnswer>& detached) {
  const Json queued = response_json(facts, "queued", Json::array(), {}, {});
  http::Request own = request;
  own.body.clear();
  detached = std::make_shared<DetachedAnswer>(facts.id, context.tenant.name, std::move(own));
  detached->show(dump(queued));
  if (!context.house->detached->add(detached)) {
    return ApiError{.status = 429,
                    .message = fmt::format("At most {} responses may be in the background at once.",
                                           DetachedAnswers::kPerTenantMax),
                    .type = "requests",
                    .code = "rate_limit_exceeded",
                    .retry_after_s = 1};
  }
  if (const Status status = keep_turn(turn, queued); !status.is_ok()) {
    context.house->detached->remove(facts.id);
    return archive_error(status);
  }
  watch_failure(detached, facts, turn, *context.house);
  call.apart = detached->exchange();
  call.is_stream = false;
  if (!asked.is_stream) {
    call.ready = http::Response{.body = dump(queued)};
    return std::nullopt;
  }
  call.follow = [context, detached](std::shared_ptr<http::Exchange> exchange) {
    detached->follow(exchange, 0, stream_head(context, exchange->request()));
  };
  return std::nullopt;
}

bool is_over(const archive::Kept& kept) {
  return kept.state != "queued" && kept.state != "in_progress";
}

// What a process that has ended left behind does not go on.
std::string shown_body(const archive::Kept& kept) {
  if (is_over(kept)) return kept.body;
  Result<Json> body = parse_json(kept.body);
  if (!body.is_ok()) return kept.body;
  body->set("status", "failed");
  body->set("error", Json::object({{"code", "server_error"},
                                   {"message", "The server ended before this response did."}}));
  return dump(*body);
}

// The number behind which events are wanted: the first one's; nothing if there is no such number.
std::optional<std::size_t> first_event(const http::Request& request) {
  const auto after = request.query_value("starting_after");
  if (!after) return 0;
  std::size_t number = 0;
  const char* end = after->data() + after->size();
  const auto [stop, failure] = std::from_chars(after->data(), end, number);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return number + 1;
}

ApiError bad_starting_after() {
  return invalid_value("starting_after", "Invalid 'starting_after': expected a sequence number.");
}

bool wants_stream(const http::Request& request) {
  return request.query_value("stream").value_or("false") == "true";
}

// The kept events from that number on.
std::string events_from(const std::string& events, std::size_t first) {
  std::size_t at = 0;
  for (; first > 0 && at < events.size(); --first) {
    const std::size_t end = events.find("\n\n", at);
    at = end == std::string::npos ? events.size() : end + 2;
  }
  return events.substr(at);
}

Parsed<Call> parse_show(const DialectContext& context, const http::Request& request) {
  const std::string_view id = context.path["id"];
  if (const auto running = context.house->detached->find(id, context.tenant.name)) {
    return ready(running->shown());
  }
  auto kept = find_kept(context, kResponseKind, id);
  if (!kept.is_ok()) return kept.error();
  if (!wants_stream(request)) return ready(shown_body(*kept));
  const auto first = first_event(request);
  if (!first) return bad_starting_after();
  if (kept->events.empty() && !is_over(*kept)) {
    return invalid_value("stream", "The server ended before this response did; its events were "
                                   "not kept.");
  }
  if (kept->events.empty()) {
    return invalid_value("stream", "Only a response that was created with `background` and "
                                   "`stream` set to true can be streamed again.");
  }
  return ready(events_from(kept->events, *first), kStreamType);
}

Parsed<Call> parse_cancel(const DialectContext& context, const http::Request&) {
  const std::string_view id = context.path["id"];
  const auto running = context.house->detached->find(id, context.tenant.name);
  if (running != nullptr && !running->is_cancelled()) return ready(running->shown());
  auto kept = find_kept(context, kResponseKind, id);
  if (!kept.is_ok()) return kept.error();
  Result<Json> body = parse_json(kept->body);
  const Json* background = body.is_ok() ? body->find("background") : nullptr;
  if (background == nullptr || *background != Json(true)) {
    return invalid_value("", "Cannot cancel a synchronous response.");
  }
  if (is_over(*kept) || running == nullptr) return ready(shown_body(*kept));
  body->set("status", "cancelled");
  kept->body = dump(*body);
  kept->state = "cancelled";
  if (running != nullptr) running->show(kept->body);
  if (const Status status = context.house->archive->keep(*kept); !status.is_ok()) {
    return archive_error(status);
  }
  context.house->detached->remove(id);
  return ready(kept->body);
}

Parsed<Call> parse_delete(const DialectContext& context, const http::Request&) {
  const std::string id(context.path["id"]);
  if (context.house->archive == nullptr) return not_found("Response", id);
  const auto removed = context.house->archive->remove(kResponseKind, id, context.tenant.name);
  if (!removed.is_ok()) return archive_error(removed.status());
  if (!*removed) return not_found("Response", id);
  context.house->detached->remove(id);
  return ready(dump(Json::object({{"id", id}, {"object", "response"}, {"deleted", true}})));
}

}  // namespace

Parsed<Call> parse_create_response(const DialectContext& context, const http::Request& request) {
  Parsed<ReadTurn> turn = read_turn(context, request);
  if (!turn.is_ok()) return turn.error();
  ResponsesRequest& asked = turn->request;
  if (const auto cut = truncate_prompt(asked, turn->ids); !cut.is_ok()) return cut.error();
  auto tokens_max = room_for(asked, turn->ids.size());
  if (!tokens_max.is_ok()) return tokens_max.error();
  asked.params.tokens_max = *tokens_max;
  const bool has_archive = context.house != nullptr && context.house->archive != nullptr;
  const bool is_kept = asked.is_kept && has_archive;
  if (asked.is_background && !is_kept) {
    if (!has_archive) return no_archive("background");
    return invalid_value("store", "A response in the background is kept: `store` cannot be false.");
  }
  asked.shape = shape_of(*asked.model, turn->ids, asked.offered, asked.params);
  std::vector<Warning> warnings;
  auto held = hold_answer(*asked.model, asked.offered, std::move(asked.grammar), asked.shape,
                          warnings);
  if (!held.is_ok()) return held.error();
  for (Warning& it : warnings) add_note(asked.notes, it.code, it.param, std::move(it.message));
  const ResponseFacts facts = facts_of(asked, is_kept);
  Turn kept;
  if (is_kept) kept = turn_of(context, asked, facts);

  Call call{.model = asked.model, .is_stream = asked.is_stream, .prompt_field = "input",
            .unknown_fields = asked.warnings.size()};
  std::shared_ptr<DetachedAnswer> detached;
  if (asked.is_background) {
    if (auto error = detach(context, request, asked, facts, kept, call, detached)) {
      return std::move(*error);
    }
  }
  call.frame = framing_of({frame_of(*asked.model, asked.shape, *held, asked.thinking.tokens_max)});
  if (held->holds_less && context.house != nullptr) {
    context.house->metrics.count_tools_not_enforced();
  }
  call.grammar = std::move(held->grammar);
  call.requests.push_back(make_request(asked, context.tenant, std::move(turn->ids)));
  call.writer = std::make_unique<ResponsesAnswer>(
      asked, call.requests, facts, std::move(kept), std::move(detached),
      context.house != nullptr ? context.house->detached : nullptr);
  return call;
}

Parsed<Call> parse_input_tokens(const DialectContext& context, const http::Request& request) {
  Parsed<ReadTurn> turn = read_turn(context, request);
  if (!turn.is_ok()) return turn.error();
  return ready(dump(Json::object({{"object", "response.input_tokens"},
                                  {"input_tokens", turn->ids.size()}})));
}

Parsed<Call> parse_compact(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  ResponsesRequest asked = read_responses_request(fields, context);
  refuse_unknown(fields, context, asked);
  if (fields.error()) return *fields.error();
  if (auto error = find_history(context, asked)) return std::move(*error);
  return compact_call(context, std::move(asked));
}

Parsed<Call> parse_list_input_items(const DialectContext& context, const http::Request& request) {
  auto kept = find_kept(context, kResponseKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  auto page = page_of(request, items_in(kept->input), true);
  if (!page.is_ok()) return page.error();
  return ready(dump(*page));
}

void show_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const http::Request& request = exchange->request();
  const auto running = context.house->detached->find(context.path["id"], context.tenant.name);
  const auto first = first_event(request);
  if (running == nullptr || !wants_stream(request) || !first) {
    return context.house->service.answer(std::move(exchange), kOpenAiDialect, parse_show, context);
  }
  running->follow(exchange, *first, stream_head(context, request));
}

void cancel_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const auto running = context.house->detached->find(context.path["id"], context.tenant.name);
  if (running != nullptr) running->cancel();
  context.house->service.answer(std::move(exchange), kOpenAiDialect, parse_cancel, context);
}

void delete_response(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const auto running = context.house->detached->find(context.path["id"], context.tenant.name);
  if (running != nullptr) running->cancel();
  context.house->service.answer(std::move(exchange), kOpenAiDialect, parse_delete, context);
}

}  // namespace quire
