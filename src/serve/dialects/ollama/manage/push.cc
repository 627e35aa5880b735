#include "serve/dialects/ollama/manage/push.h"

#include <fmt/format.h>

#include <atomic>

#include "serve/background/errands.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/manage/registry_place.h"
#include "serve/dialects/ollama/manage/report.h"
#include "serve/dialects/ollama/manage/stored.h"
#include "serve/dialects/ollama/ollama.h"
#include "serve/dialects/ollama/request.h"
#include "serve/house.h"
#include "store/modelfile/create.h"

namespace quire {
namespace {

struct Push {
  std::string name;  // as the client wrote it
  bool is_stream = true;
  bool is_insecure = false;
  std::vector<Warning> warned;
};

Parsed<Push> read_push(const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  Push wanted;
  wanted.name = read_model_name(fields);
  wanted.is_stream = fields.boolean("stream").value_or(true);
  wanted.is_insecure = fields.boolean("insecure").value_or(false);
  for (const char* name : {"username", "password"}) {
    if (fields.any(name) == nullptr) continue;
    add_warning(wanted.warned, {"no_effect", name, "A registry knows you by your key."});
  }
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  const Status status = check_pushable(wanted.name, wanted.is_insecure);
  if (!status.is_ok()) return invalid_value("model", status.message());
  return wanted;
}

// A model that is served but lies elsewhere is not unknown.
Status unknown(const DialectContext& context, const std::string& name) {
  if (!context.models.host->has_name(store::store_name_of(name))) {
    return error(StatusCode::kNotFound, "model '{}' not found", name);
  }
  return error(StatusCode::kUnsupported, "model '{}' is served from outside of the store; make "
               "one of it (/api/create) to push that", name);
}

Status push(const DialectContext& context, const Push& wanted, const Report& report,
            const std::atomic<bool>& is_stopped) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, store::LocalStore::open());
  store::RegistryPush pushed{.name = visible_name(context, store, wanted.name),
                             .place = *registry_place(wanted.name, wanted.is_insecure)};
  if (pushed.name.empty()) {
    report.line(Json::object({{"status", "retrieving manifest"}}));
    report.line(Json::object({{"status", "couldn't retrieve manifest"}}));
    return unknown(context, wanted.name);
  }
  const auto look = context.house->catalog->look(pushed.name);
  if (look.is_ok()) pushed.facts = push_facts(look->info.card);
  net::Limits limits = store::push_limits();
  limits.stop = &is_stopped;
  return store::push_to_registry(store, pushed, limits,
                                 [&](const std::string& status, const std::string& hex,
                                     std::uint64_t total, std::uint64_t completed) {
                                   report.line(progress_json(status, hex, total, completed));
                                 });
}

// Whatever a file or a registry makes of its readers, the server goes on.
Status push_safely(const DialectContext& context, const Push& wanted, const Report& report,
                   const std::atomic<bool>& is_stopped) try {
  return push(context, wanted, report, is_stopped);
} catch (const std::exception& failure) {
  return error(StatusCode::kInternal, "the push failed: {}", failure.what());
}

int status_of(const Status& failure) {
  if (failure.message().starts_with("unauthorized")) return 401;
  if (failure.message().starts_with("access denied")) return 403;
  return store_error(failure).status;
}

}  // namespace

void push_ollama_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const House& house = *context.house;
  const auto refuse = [&](const ApiError& error) {
    exchange->respond(kOllamaDialect.render_error(error, exchange->request()));
  };
  auto wanted = read_push(exchange->request());
  if (!wanted.is_ok()) return refuse(wanted.error());
  if (house.catalog == nullptr || house.to_io == nullptr || house.errands == nullptr) {
    return refuse({.message = "this server serves no local store of models"});
  }
  const auto is_gone = std::make_shared<std::atomic<bool>>(false);
  // A stream begins before its lines, which come by this thread.
  const bool has_begun = house.errands->begin(
      [context, pushed = *wanted, is_gone,
       report = Report(house, exchange, wanted->is_stream, is_gone)]() mutable {
        const Status status = push_safely(context, pushed, report, *is_gone);
        Json last = status.is_ok() ? Json::object({{"status", "success"}})
                                   : Json::object({{"error", status.message()}});
        if (status.is_ok()) set_warnings(pushed.warned, last);
        report.end(last, status.is_ok() ? 200 : status_of(status));
      });
  if (!has_begun) {
    return refuse({.status = 503,
                   .message = fmt::format("server busy, please try again.  {} models are being "
                                          "pulled or pushed", Errands::kAtOnce),
                   .retry_after_s = 5});
  }
  begin_report(*exchange, wanted->is_stream, is_gone);
}

Parsed<Call> describe_ollama_push(const DialectContext&, const http::Request& request) {
  const auto wanted = read_push(request);
  return wanted.is_ok() ? ApiError{.message = "it is answered elsewhere"} : wanted.error();
}

}  // namespace quire
