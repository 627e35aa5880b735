#include "host/repository/ensemble/light_model.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "base/clock.h"

namespace quire {
namespace {

std::vector<std::vector<std::int64_t>> whole_shapes(const std::vector<ModelTensor>& tensors,
                                                    bool has_batch) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const ModelTensor& tensor : tensors) {
    std::vector<std::int64_t>& shape = shapes.emplace_back();
    if (has_batch) shape.push_back(-1);
    shape.insert(shape.end(), tensor.dims.begin(), tensor.dims.end());
  }
  return shapes;
}

}  // namespace

void LightCounter::count_success(std::uint64_t inferences, const LightTimes& times) {
  const std::lock_guard lock(mutex_);
  ++counts_.successes;
  counts_.inferences += inferences;
  counts_.success_time += times.took;
  counts_.queue_time += times.queued;
  counts_.compute_time += times.computed;
  counts_.last_ms = SteadyClock::unix_seconds() * 1000;
}

void LightCounter::count_failure(LightFailure reason, Nanos took) {
  const std::lock_guard lock(mutex_);
  ++counts_.failures;
  ++counts_.failed[static_cast<std::size_t>(reason)];
  counts_.failure_time += took;
  counts_.last_ms = SteadyClock::unix_seconds() * 1000;
}

LightCounts LightCounter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string_view LightModel::platform() const {
  return kind == Kind::kEnsemble ? std::string_view("ensemble") : std::string_view(config.backend);
}

std::string own_name_of(const LightModel& model) {
  return fmt::format("{}:{}", model.name, model.version);
}

Result<std::shared_ptr<const LightModel>> make_light_model(const ModelConfig& config,
                                                           EnsembleGraph graph,
                                                           const VersionFolder& version,
                                                           const ModelCatalog& catalog) {
  static std::atomic<std::uint64_t> made{0};
  auto model = std::make_shared<LightModel>();
  model->serial = ++made;
  model->name = config.name;
  model->version = version.version;
  model->config = config;
  model->input_shapes = whole_shapes(config.inputs, config.batch_max > 0);
  model->output_shapes = whole_shapes(config.outputs, config.batch_max > 0);
  model->graph = std::move(graph);
  if (config.backend == kTokenizerBackend) {
    model->kind = LightModel::Kind::kTokenizer;
    QUIRE_ASSIGN_OR_RETURN(model->tokenizer, read_tokenizer_terms(config, version, catalog));
  }
  if (config.backend == kExpressionBackend) {
    model->kind = LightModel::Kind::kExpressions;
    QUIRE_ASSIGN_OR_RETURN(model->expressions, read_expression_terms(config));
  }
  return std::shared_ptr<const LightModel>(std::move(model));
}

std::vector<std::shared_ptr<const LightModel>> light_models_of(const ModelRepository& repository) {
  std::vector<std::shared_ptr<const LightModel>> models;
  for (const RepositoryRow& row : repository.known_rows()) {
    if (row.state != VersionState::kReady) continue;
    const Result<ServedVersion> served = repository.resolve(row.name, row.version);
    if (served.is_ok() && served->light != nullptr) models.push_back(served->light);
  }
  return models;
}

}  // namespace quire
