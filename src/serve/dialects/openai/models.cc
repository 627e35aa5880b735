#include "serve/dialects/openai/models.h"

#include "base/json.h"
#include "serve/dialects/openai/errors.h"
#include "serve/intake/model_lease.h"

namespace quire {
namespace {

// Until a model has been loaded once nobody knows its context.
Json model_json(const ModelRow& model, std::string_view name) {
  std::vector<Json> warnings(model.info.warnings.begin(), model.info.warnings.end());
  const std::uint32_t context_max = model.info.context_max;
  return Json::object({{"id", name}, {"object", "model"}, {"created", model.info.created},
                       {"owned_by", "quire"}, {"root", model.names.front()}, {"parent", Json()},
                       {"max_model_len", context_max > 0 ? Json(context_max) : Json()},
                       {"state", model_state_name(model.state)},
                       {"warnings", Json::array(std::move(warnings))}});
}

}  // namespace

http::Response list_openai_models(const ModelHost& host) {
  Json data = Json::array();
  for (const ModelRow& model : host.rows()) {
    for (const std::string& name : model.names) data.push(model_json(model, name));
  }
  return {.body = dump(Json::object({{"object", "list"}, {"data", std::move(data)}}))};
}

http::Response show_openai_model(const ModelHost& host, std::string_view name) {
  const auto model = host.find(name);
  if (!model) return render_openai_error(model_not_found(name));
  return {.body = dump(model_json(host.rows()[*model], name))};
}

}  // namespace quire
