#include "serve/dialects/quire/quire.h"

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "serve/dialects/openai/errors.h"
#include "serve/dialects/quire/docs_page.h"
#include "serve/dialects/quire/models.h"
#include "serve/dialects/quire/repository.h"
#include "serve/dialects/quire/version_metrics.h"
#include "serve/house.h"
#include "serve/intake/model_lease.h"
#include "serve/openapi.h"
#include "serve/page/page.h"

namespace quire {
namespace {

// The page for browsers; for whoever asks for JSON what this is; else the sentence by which
// Ollama's clients know that a server is there.
http::Response show_root(const DialectContext& context, const http::Request& request) {
  if (prefers_html(request)) return show_page_asset(request);
  const std::string* accept = request.find("accept");
  if (accept == nullptr || accept->find("json") == std::string::npos) {
    return {.content_type = "text/plain; charset=utf-8", .headers = {{"vary", "Accept"}},
            .body = "Ollama is running"};
  }
  const Json what = Json::object(
      {{"server", "quire"}, {"version", context.house->version},
       {"speaks", "OpenAI's HTTP API under /v1: models, chat/completions, completions; and "
                  "Anthropic's: messages; Ollama's under /api"},
       {"see", Json::array({"/v1/models", "/health", "/ready", "/version", "/metrics"})}});
  return {.headers = {{"vary", "Accept"}}, .body = dump(what)};
}

http::Response show_page_part(const DialectContext&, const http::Request& request) {
  return show_page_asset(request);
}

http::Response show_health(const DialectContext& context, const http::Request&) {
  const bool is_alive = context.house->service.is_alive(SteadyClock::now());
  Json body = Json::object({{"status", is_alive ? "ok" : "stalled"}});
  if (!is_alive) {  // and as clients of TGI look for it
    body.set("error", "unhealthy");
    body.set("error_type", "healthcheck");
  }
  return {.status = is_alive ? 200 : 503, .body = dump(body)};
}

http::Response show_ready(const DialectContext& context, const http::Request&) {
  const std::vector<ModelRow> models = context.house->host.rows();
  const auto count = [&](auto has) { return std::count_if(models.begin(), models.end(), has); };
  const auto failed = count([](const ModelRow& model) { return !model.failure.empty(); });
  const bool has_hope = models.empty() || failed < std::ssize(models);
  const bool is_ready = !context.house->service.is_draining() && has_hope;
  Json body = Json::object({{"status", context.house->service.is_draining() ? "draining"
                                       : has_hope              ? "ready"
                                                               : "no model can be loaded"}});
  body.set("models", models.size());
  body.set("loaded", count([](const ModelRow& m) { return m.state == ModelState::kReady; }));
  body.set("failed", failed);
  return {.status = is_ready ? 200 : 503, .body = dump(body)};
}

http::Response show_version(const DialectContext& context, const http::Request&) {
  return {.body = dump(Json::object({{"version", context.house->version}}))};
}

http::Response show_document(const DialectContext& context, const http::Request&) {
  // Made anew where the models are others: it names them. I/O thread.
  static std::string document, of;
  std::string models;
  for (const ModelRow& model : context.house->host.rows()) {
    for (const std::string& name : model.names) models += name + '\n';
    models += model.info.context_max > 0 ? "+\n" : "-\n";
  }
  if (document.empty() || of != models) {
    document = openapi_document(*context.house);
    of = std::move(models);
  }
  return {.body = document};
}

http::Response show_metrics(const DialectContext& context, const http::Request&) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = context.house->metrics.text(false, context.house->repository) +
                  version_metrics(context.house->repository)};
}

http::Response list_host(const DialectContext& context, const http::Request&) {
  return list_quire_models(context.house->host, context.house->repository != nullptr);
}

http::Response load_model(const DialectContext& context, const http::Request&) {
  static_cast<void>(find_served(context.models, context.path["model"]));  // it may be in the store
  return load_quire_model(context.house->host, context.path["model"]);
}

http::Response unload_model(const DialectContext& context, const http::Request&) {
  return unload_quire_model(context.house->host, context.path["model"]);
}

void pin_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  static_cast<void>(find_served(context.models, context.path["model"]));  // it may be in the store
  pin_quire_model(*context.house, std::move(exchange), std::string(context.path["model"]), true);
}

void unpin_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  pin_quire_model(*context.house, std::move(exchange), std::string(context.path["model"]), false);
}

http::Response list_requests(const DialectContext& context, const http::Request&) {
  return {.headers = {{"cache-control", "no-store"}},
          .body = dump(requests_json(context.house->status.requests()))};
}

http::Response show_request(const DialectContext& context, const http::Request&) {
  const RequestLog& log = context.house->status.requests();
  const RequestRecord* record = log.find(context.path["id"]);
  if (record == nullptr) {
    return render_openai_error({.status = 404,
                                .message = "No request of that id is alive or among those that "
                                           "finished last.",
                                .code = "request_not_found"});
  }
  return {.headers = {{"cache-control", "no-store"}},
          .body = dump(request_json(*record, log, context.tenant.name, SteadyClock::now()))};
}

void show_status(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  context.house->status.show(std::move(exchange));
}

void watch_status(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  context.house->status.watch(std::move(exchange));
}

http::Response render_error(const ApiError& error, const http::Request&) {
  return render_openai_error(error);
}

constexpr auto kOpen = Access::kOpen, kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone;

constexpr Route kRoutes[] = {
    {"GET", "/", kNone, kOpen, {.quick = show_root,
      .summary = "the page, or what this is", .types = "application/json,text/html,text/plain"}},
    {"GET", "/assets/{file...}", kNone, kOpen, {.quick = show_page_part,
      .types = "text/plain,text/html,text/javascript,text/css,image/svg+xml,font/woff2"}},
    {"GET", "/health", kNone, kOpen, {.quick = show_health,
      .summary = "whether pending work gets on"}},
    {"GET", "/ready", kNone, kOpen, {.quick = show_ready,
      .summary = "whether requests are taken"}},
    {"GET", "/version", kNone, kOpen, {.quick = show_version,
      .summary = "of this program"}},
    {"GET", "/openapi.json", kNone, kOpen, {.quick = show_document,
      .summary = "this document"}},
    {"GET", "/api-doc/openapi.json", kNone, kOpen, {.quick = show_document,
      .summary = "this document, where TGI has its own"}},
    {"GET", "/docs", kNone, kOpen, {.quick = show_docs,
      .summary = "the routes, to read", .types = "text/html"}},
    {"GET", "/metrics", kNone, kOpen, {.quick = show_metrics,
      .summary = "counters in Prometheus' format", .types = "text/plain"}},
    {"GET", "/quire/models", kNone, kKeyed, {.quick = list_host,
      .summary = "the models with their state and memory"}},
    {"POST", "/quire/models/{model...}/load", BodyKind::kJson, kKeyed, {.quick = load_model,
      .summary = "bring a model into memory"}},
    {"POST", "/quire/models/{model...}/unload", BodyKind::kJson, kKeyed, {.quick = unload_model,
      .summary = "let a model go"}},
    {"POST", "/quire/models/{model...}/pin", BodyKind::kJson, kKeyed, {.late = pin_model,
      .summary = "a model that is in memory stays there"}},
    {"POST", "/quire/models/{model...}/unpin", BodyKind::kJson, kKeyed, {.late = unpin_model,
      .summary = "a model may leave the memory for others, or unused"}},
    {"GET", "/quire/repository", kNone, kKeyed, {.parse = parse_repository_list,
      .summary = "the model repository: versions and their state"}},
    {"POST", "/quire/repository/{model}/load", BodyKind::kJson, kKeyed,
     {.late = load_from_repository, .summary = "serve what a model's folder has now"}},
    {"POST", "/quire/repository/{model}/unload", BodyKind::kJson, kKeyed,
     {.late = unload_from_repository, .summary = "serve a model of the repository no more"}},
    {"GET", "/quire/status", kNone, kKeyed, {.late = show_status,
      .summary = "one look inside"}},
    {"GET", "/quire/status/stream", kNone, kKeyed, {.late = watch_status,
      .summary = "a look every second", .types = "text/event-stream"}},
    {"GET", "/debug/requests", kNone, kKeyed, {.quick = list_requests,
      .summary = "requests alive and ended last"}},
    {"GET", "/debug/requests/{id}", kNone, kKeyed, {.quick = show_request,
      .summary = "the life of one request"}},
};

}  // namespace

const Dialect kQuireDialect = {.name = "quire",
                               .routes = kRoutes,
                               .error_prefix = "/quire/",
                               .render_error = render_error};

}  // namespace quire
