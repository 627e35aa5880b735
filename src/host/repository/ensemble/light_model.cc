#include "host/repository/ensemble/light_model.h"

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

void LightCounter::count(bool is_success, std::uint64_t inferences, Nanos took) {
  const std::lock_guard lock(mutex_);
  ++(is_success ? counts_.successes : counts_.failures);
  (is_success ? counts_.success_time : counts_.failure_time) += took;
  if (is_success) counts_.inferences += inferences;
  counts_.last_ms = SteadyClock::unix_seconds() * 1000;
}

LightCounts LightCounter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string_view LightModel::platform() const {
  return kind == Kind::kEnsemble ? std::string_view("ensemble") : std::string_view(config.backend);
}

Result<std::shared_ptr<const LightModel>> make_light_model(const ModelConfig& config,
                                                           EnsembleGraph graph,
                                                           const VersionFolder& version,
                                                           const ModelCatalog& catalog) {
  auto model = std::make_shared<LightModel>();
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

}  // namespace quire
