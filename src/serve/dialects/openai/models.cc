#include "serve/dialects/openai/models.h"

#include "base/json.h"
#include "host/served_names.h"
#include "serve/dialects/openai/errors.h"
#include "serve/intake/model_lease.h"
#include "serve/intake/names/model_names.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

// What it can be asked for, beside what OpenAI says of a model.
void add_skills(const ModelInfo& info, Json& model) {
  const std::vector<std::string_view> names = skill_names(info);
  model.set("capabilities", Json::array({names.begin(), names.end()}));
  const PooledInfo& pooled = info.pooled;
  if (pooled.width == 0) return;
  if (pooled.labels > 0) {
    model.set("labels", Json::array({pooled.words.labels.begin(), pooled.words.labels.end()}));
    return;
  }
  model.set("embedding_dimensions", pooled.width);
  Json prompts = Json::array();
  for (const auto& [name, text] : pooled.words.prompts) prompts.push(name);
  model.set("prompt_names", std::move(prompts));
}

// Until a model has been loaded once nobody knows its context.
Json model_json(const ModelRow& model, std::string_view name) {
  std::vector<Json> warnings(model.info.warnings.begin(), model.info.warnings.end());
  const std::uint32_t context_max = model.info.context_max;
  Json json = Json::object({{"id", name}, {"object", "model"}, {"created", model.info.created},
                            {"owned_by", "quire"}, {"root", model.names.front()},
                            {"parent", Json()},
                            {"max_model_len", context_max > 0 ? Json(context_max) : Json()},
                            {"state", model_state_name(model.state)},
                            {"warnings", Json::array(std::move(warnings))}});
  if (context_max > 0) add_skills(model.info, json);
  return json;
}

}  // namespace

http::Response list_openai_models(const ModelHost& host) {
  Json data = Json::array();
  for (const ModelRow& model : served_rows(host)) {
    for (const std::string& name : served_names(model)) data.push(model_json(model, name));
  }
  return {.body = dump(Json::object({{"object", "list"}, {"data", std::move(data)}}))};
}

http::Response show_openai_model(const ModelHost& host, std::string_view name) {
  const auto meant = served_name(host, name);
  const auto model = meant ? host.find(*meant) : std::nullopt;
  const auto row = model ? host.row(*model) : std::nullopt;
  if (!row) return render_openai_error(model_not_found(name));
  return {.body = dump(model_json(*row, name))};
}

}  // namespace quire
