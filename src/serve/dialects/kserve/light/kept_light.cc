#include "serve/dialects/kserve/light/kept_light.h"

#include <fmt/format.h>

#include <set>

#include "serve/house.h"

namespace quire {
namespace {

// Each model once, however many steps lead to it.
void append_steps(const House& house, const LightModel& model, std::set<std::string>& seen,
                  std::string& text) {
  for (const EnsembleStep& step : model.graph.steps) {
    const std::string name = fmt::format("{}:{}", step.model, step.version);
    if (!seen.insert(name).second) continue;
    const Result<ServedVersion> served = house.repository->resolve(step.model, step.version);
    if (!served.is_ok()) {
      text += fmt::format("{} is gone;", name);
    } else if (served->light == nullptr) {
      const auto row = house.host.row(served->model);
      text += fmt::format("{} is {} of load {}, {};", name, served->model, row ? row->loads : 0,
                          row ? row->unloads : 0);
    } else {
      text += fmt::format("{} is light {};", name, served->light->serial);
      append_steps(house, *served->light, seen, text);
    }
  }
}

}  // namespace

std::string steps_fingerprint(const House& house, const LightModel& model) {
  std::set<std::string> seen;
  std::string text;
  append_steps(house, model, seen, text);
  return text;
}

std::optional<CacheQuestion> light_cache_question(const DialectContext& context,
                                                  const std::shared_ptr<const LightModel>& model,
                                                  const InferRequest& request,
                                                  const InferTerms& terms) {
  const House* house = context.house;
  const bool is_kept = house != nullptr && house->responses != nullptr &&
                       house->repository != nullptr && model->config.has_response_cache;
  if (!is_kept) return std::nullopt;
  // Of an ensemble the steps' models may have queues, whose settings change what answers tell.
  const bool is_ensemble = model->kind == LightModel::Kind::kEnsemble;
  return CacheQuestion{.cache = house->responses,
                       .edition = {own_name_of(*model), model,
                                   steps_fingerprint(*house, *model)},
                       .text = question_text(context, request, terms, is_ensemble)};
}

}  // namespace quire
