// LightModel: a version of the repository that has no engine: an ensemble, whose steps are other
// models of the repository, a tokenizer, or expressions over tensors. It is its config, read and
// checked, and counts of what it was asked.
// Nothing is hosted for it. Who runs it is serve (dialects/kserve/light).
// Immutable but for its counts; any thread. Made by folder_repository; whoever holds it may go on
// with it after it is served no more.
#pragma once

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
#include "host/repository/version_folder.h"

namespace quire {

// What a light model was asked.
struct LightCounts {
  std::uint64_t successes = 0, failures = 0;  // requests
  std::uint64_t inferences = 0;               // elements of the batches of those that went well
  Nanos success_time{0}, failure_time{0};     // from the request to its answer, of all
  std::int64_t last_ms = 0;                   // since 1970; 0: none yet
};

class LightCounter {
 public:
  void count(bool is_success, std::uint64_t inferences, Nanos took);
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
  const std::unique_ptr<LightCounter> counter = std::make_unique<LightCounter>();
};

// REQUIRES: not has_engine(config). `graph`: of an ensemble. kInvalidArgument and kUnsupported name
// the field; else why a file cannot be read.
Result<std::shared_ptr<const LightModel>> make_light_model(const ModelConfig& config,
                                                           EnsembleGraph graph,
                                                           const VersionFolder& version,
                                                           const ModelCatalog& catalog);

}  // namespace quire
