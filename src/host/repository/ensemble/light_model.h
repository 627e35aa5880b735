// LightModel: a version of the repository that has no engine: an ensemble, whose steps are other
// models of the repository, a tokenizer, or expressions over tensors. It is its config, read and
// checked, and counts of what it was asked.
// Nothing is hosted for it. Who runs it is serve (dialects/kserve/light).
// Immutable but for its counts; any thread. Made by folder_repository; whoever holds it may go on
// with it after it is served no more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/nanos.h"
#include "base/status.h"
#include "host/model_catalog.h"
#include "host/repository/ensemble/ensemble_graph.h"
#include "host/repository/ensemble/tokenizer_terms.h"
#include "host/repository/expression/expression_terms.h"
#include "host/repository/model_config.h"
#include "host/repository/model_repository.h"
#include "host/repository/version_folder.h"

namespace quire {

// Why a request failed, as Triton's metrics tell it apart: its time was over, or it could not be
// computed; of ensembles always "other".
enum class LightFailure : std::uint8_t { kRejected, kBackend, kOther };
inline constexpr std::size_t kLightFailures = 3;

// What a light model was asked; answers from the response cache are not among it.
struct LightCounts {
  std::uint64_t successes = 0, failures = 0;  // requests
  std::array<std::uint64_t, kLightFailures> failed = {};  // of these, by reason
  std::uint64_t inferences = 0;               // elements of the batches of those that went well
  Nanos success_time{0}, failure_time{0};     // from the request to its answer, of all
  Nanos queue_time{0}, compute_time{0};       // of those that went well
  std::int64_t last_ms = 0;                   // since 1970; 0: none yet
};

struct LightTimes {
  Nanos took{0};
  Nanos queued{0};    // until somebody had time for it
  Nanos computed{0};  // of an ensemble: by its steps, all of them together
};

class LightCounter {
 public:
  void count_success(std::uint64_t inferences, const LightTimes& times);
  void count_failure(LightFailure reason, Nanos took);
  LightCounts counts() const;

 private:
  mutable std::mutex mutex_;
  LightCounts counts_;
};

struct LightModel {
  enum class Kind : std::uint8_t { kEnsemble, kTokenizer, kExpressions };

  // As Triton calls it: "ensemble", or the backend.
  std::string_view platform() const;

  Kind kind = Kind::kEnsemble;
  std::string name;
  std::uint64_t version = 0;
  ModelConfig config;
  // With the batch's dimension, -1, where there is one: [inputs], [outputs].
  std::vector<std::vector<std::int64_t>> input_shapes, output_shapes;
  EnsembleGraph graph;       // of an ensemble; of others there are no steps
  TokenizerTerms tokenizer;  // of a tokenizer
  ExpressionTerms expressions;
  std::uint64_t serial = 0;  // no other one of this process has it
  const std::unique_ptr<LightCounter> counter = std::make_unique<LightCounter>();
};

// "NAME:VERSION", by which the response cache knows it.
std::string own_name_of(const LightModel& model);

// REQUIRES: not has_engine(config). `graph`: of an ensemble. kInvalidArgument and kUnsupported name
// the field; else why a file cannot be read.
Result<std::shared_ptr<const LightModel>> make_light_model(const ModelConfig& config,
                                                           EnsembleGraph graph,
                                                           const VersionFolder& version,
                                                           const ModelCatalog& catalog);

// Those that a repository serves, by name and version.
std::vector<std::shared_ptr<const LightModel>> light_models_of(const ModelRepository& repository);

}  // namespace quire
