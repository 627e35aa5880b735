#include "serve/dialects/quire/models.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/json.h"
#include "host/pin_book.h"
#include "serve/dialects/openai/errors.h"
#include "serve/house.h"
#include "serve/intake/model_lease.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

Json model_json(const ModelRow& model) {
  Json json = Json::object({{"name", model.names.front()},
                            {"aliases", Json::array({model.names.begin() + 1, model.names.end()})},
                            {"state", model_state_name(model.state)},
                            {"bytes", model.bytes},
                            {"users", model.users},
                            {"idle_seconds", to_seconds(model.idle)},
                            {"pinned", model.is_pinned},
                            {"context_max", model.info.context_max},
                            {"loads", model.loads},
                            {"unloads", model.unloads},
                            {"failures", model.failures}});
  json.set("failure", model.failure.empty() ? Json() : Json(model.failure));
  json.set("warnings",
           Json::array({model.info.warnings.begin(), model.info.warnings.end()}));
  const std::vector<std::string_view> skills = skill_names(model.info);
  const bool is_known = model.info.context_max > 0;  // it has been loaded once
  json.set("capabilities", is_known ? Json::array({skills.begin(), skills.end()}) : Json());
  json.set("requests_running", model.stats.requests_running);
  json.set("requests_waiting", model.stats.requests_waiting);
  json.set("generated_tokens", model.stats.generated_tokens);
  return json;
}

http::Response accepted(const ModelHost& host, ModelHost::ModelIndex model, int status = 202) {
  const auto row = host.row(model);
  if (!row) return render_openai_error(model_not_found(""));  // it has been removed this moment
  return {.status = status, .body = dump(model_json(*row))};
}

http::Response load(ModelHost& host, ModelHost::ModelIndex model) {
  const Result<ModelLease> wish = host.want(model);
  if (wish.is_ok()) return accepted(host, model);
  return render_openai_error(
      model_unavailable(wish.status(), whole_seconds(host.retry_in(model))));
}

http::Response unload(ModelHost& host, ModelHost::ModelIndex model) {
  const Status status = host.unload(model);
  if (status.is_ok()) return accepted(host, model);
  return render_openai_error({.status = 409,
                              .message = "The model '" + host.name(model) +
                                         "' cannot be unloaded now: " + status.message() + ".",
                              .param = "model",
                              .code = "model_is_loading"});
}

// It acts all the same: a server whose folder cannot be written pins as long as it lives.
void warn_not_kept(const std::string& name, const Status& reason, http::Response& response) {
  spdlog::warn("what is pinned of '{}' is not kept for the next start: {}", name, reason.message());
  response.headers.push_back({"warning", "299 quire \"it holds until this process ends: it cannot "
                                         "be kept for the next start; the log says why\""});
}

}  // namespace

http::Response list_quire_models(const ModelHost& host, bool has_repository) {
  Json models = Json::array();
  for (const ModelRow& model : host.rows()) models.push(model_json(model));
  const std::uint64_t bytes_max = host.options().bytes_max;
  const Nanos keep_alive = host.options().keep_alive;
  return {.body = dump(Json::object(
              {{"models", std::move(models)},
               {"has_repository", has_repository},
               {"bytes_max", bytes_max > 0 ? Json(bytes_max) : Json()},
               {"keep_alive_seconds",
                keep_alive == kForever ? Json() : Json(to_seconds(keep_alive))}}))};
}

http::Response load_quire_model(ModelHost& host, std::string_view name) {
  const auto model = host.find(name);
  return model ? load(host, *model) : render_openai_error(model_not_found(name));
}

http::Response unload_quire_model(ModelHost& host, std::string_view name) {
  const auto model = host.find(name);
  return model ? unload(host, *model) : render_openai_error(model_not_found(name));
}

// The book is a file: a worker writes it. The exchange goes back to the I/O thread, where it ends.
void pin_quire_model(const House& house, std::shared_ptr<http::Exchange> exchange,
                     const std::string& name, bool is_pinned) {
  house.to_workers([&house, name, is_pinned, held = std::move(exchange)]() mutable {
    ModelHost& host = house.host;
    const auto model = host.find(name);
    Status kept;
    if (model) {
      kept = house.pins != nullptr ? house.pins->set(host, *model, is_pinned, name)
                                   : host.set_pinned(*model, is_pinned);
    }
    const bool is_here = model && kept.code() != StatusCode::kNotFound;
    http::Response response = is_here ? accepted(host, *model, 200)
                                      : render_openai_error(model_not_found(name));
    if (is_here && !kept.is_ok()) warn_not_kept(host.name(*model), kept, response);
    house.to_io([&house, exchange = std::move(held), response = std::move(response)]() mutable {
      if (exchange->is_gone()) return house.metrics.count_left();
      house.metrics.count_answer(response.status);
      exchange->respond(std::move(response));
    });
  });
}

}  // namespace quire
