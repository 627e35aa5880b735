#include "serve/dialects/quire/models.h"

#include "base/json.h"
#include "serve/dialects/openai/errors.h"
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

http::Response pin_quire_model(ModelHost& host, std::string_view name, bool is_pinned) {
  const auto model = host.find(name);
  const bool is_here = model && host.set_pinned(*model, is_pinned).is_ok();
  return is_here ? accepted(host, *model, 200) : render_openai_error(model_not_found(name));
}

}  // namespace quire
