#include "serve/dialects/openai_models.h"

#include "base/json.h"
#include "serve/dialects/openai_common.h"

namespace quire {
namespace {

Json model_json(const HostedModel& model, std::string_view name) {
  return Json::object({{"id", name}, {"object", "model"}, {"created", model.info.created},
                       {"owned_by", "quire"}, {"root", model.name()}, {"parent", Json()},
                       {"max_model_len", model.info.context_max}});
}

}  // namespace

HttpResponse list_openai_models(const ModelHost& host) {
  Json data = Json::array();
  for (const auto& model : host.models()) {
    for (const std::string& name : model->names) data.push(model_json(*model, name));
  }
  return {.body = dump(Json::object({{"object", "list"}, {"data", std::move(data)}}))};
}

HttpResponse show_openai_model(const ModelHost& host, std::string_view name) {
  const HostedModel* model = host.find(name);
  if (model == nullptr) return render_openai_error(model_not_found(name));
  return {.body = dump(model_json(*model, name))};
}

}  // namespace quire
