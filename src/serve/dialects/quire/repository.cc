#include "serve/dialects/quire/repository.h"

#include <string>
#include <utility>

#include "base/json.h"
#include "host/repository/traffic_rows.h"
#include "serve/dialects/openai/errors.h"
#include "serve/house.h"
#include "serve/answer/warning_text.h"

namespace quire {
namespace {

http::Response no_repository() {
  return render_openai_error({.status = 404,
                              .message = "There is no model repository (--model-repository).",
                              .code = "no_model_repository"});
}

http::Response refusal(const Status& status) {
  int code = 400;
  if (status.code() == StatusCode::kNotFound) code = 404;
  if (status.code() == StatusCode::kUnavailable) code = 409;
  if (status.code() == StatusCode::kResourceExhausted) code = 503;
  if (status.code() == StatusCode::kInternal || status.code() == StatusCode::kCorrupt) code = 500;
  return render_openai_error({.status = code, .message = status.message() + ".",
                              .param = "model", .code = "model_not_loaded"});
}

Json rows_json(const ModelRepository& repository, const std::vector<RepositoryRow>& index) {
  Json rows = Json::array();
  for (const RepositoryRow& row : index) {
    Json warnings = Json::array();
    if (row.state == VersionState::kReady) {
      for (const std::string& text : repository.warnings(row.name)) warnings.push(Json(text));
    }
    rows.push(Json::object(
        {{"name", row.name},
         {"version", row.version > 0 ? Json(std::to_string(row.version)) : Json()},
         {"state", version_state_name(row.state)}, {"reason", row.reason},
         {"warnings", std::move(warnings)}}));
  }
  return rows;
}

Json traffic_json(const ModelRepository& repository) {
  Json rows = Json::array();
  const auto* source = dynamic_cast<const TrafficSource*>(&repository);
  if (source == nullptr) return rows;
  for (const TrafficRow& row : source->traffic()) {
    rows.push(Json::object({{"name", row.name}, {"version", std::to_string(row.version)},
                            {"role", row.role}, {"percent", row.percent},
                            {"requests", row.requests}, {"failed", row.failed},
                            {"mirrored", row.mirrored}, {"compared", row.compared},
                            {"different", row.different}, {"mirrors_failed", row.mirrors_failed},
                            {"token_seconds", row.token_s}, {"reason", row.reason}}));
  }
  return rows;
}

using Order = Status (*)(ModelRepository&, const std::string&);

http::Response done(const ModelRepository& repository, const std::string& name, bool is_load) {
  http::Response response{.body = dump(Json::object({{"models", rows_json(repository,
                                                                  repository.known_rows())}}))};
  const std::vector<std::string> warnings =
      is_load ? repository.warnings(name) : std::vector<std::string>();
  if (!warnings.empty()) response.headers.push_back({"warning", warning_text(warnings)});
  return response;
}

void answer(const House& house, http::Exchange& exchange, http::Response response) {
  if (exchange.is_gone()) return house.metrics.count_left();
  house.metrics.count_answer(response.status);
  exchange.respond(std::move(response));
}

// The exchange goes back to the I/O thread with the outcome: it must not end on another.
void give_order(const DialectContext& context, std::shared_ptr<http::Exchange> exchange,
                bool is_load, Order order) {
  const House& house = *context.house;
  if (house.repository == nullptr) return answer(house, *exchange, no_repository());
  const std::string name(context.path["model"]);
  const auto work = [&house, name, order, is_load, held = exchange]() mutable {
    const Status outcome = order(*house.repository, name);
    house.to_io([&house, name, is_load, outcome, exchange = std::move(held)] {
      answer(house, *exchange,
             outcome.is_ok() ? done(*house.repository, name, is_load) : refusal(outcome));
    });
  };
  const Status waits = house.repository->later(work);
  if (!waits.is_ok()) answer(house, *exchange, refusal(waits));
}

}  // namespace

Parsed<Call> parse_repository_list(const DialectContext& context, const http::Request&) {
  const ModelRepository* repository = context.house->repository;
  Call call;
  call.ready = repository == nullptr
                   ? no_repository()
                   : http::Response{.body = dump(Json::object(
                         {{"models", rows_json(*repository, repository->index())},
                          {"traffic", traffic_json(*repository)}}))};
  return call;
}

void load_from_repository(const DialectContext& context,
                          std::shared_ptr<http::Exchange> exchange) {
  const auto order = [](ModelRepository& repository, const std::string& name) {
    return repository.load(name);
  };
  give_order(context, std::move(exchange), true, order);
}

void unload_from_repository(const DialectContext& context,
                            std::shared_ptr<http::Exchange> exchange) {
  const auto order = [](ModelRepository& repository, const std::string& name) {
    return repository.unload(name);
  };
  give_order(context, std::move(exchange), false, order);
}

}  // namespace quire
