// An ensemble as Triton has it: steps, each a model whose inputs and outputs are called by names of
// tensors of the whole. Read from its config, and checked against the models that it names: every
// tensor comes from one place before anybody needs it, and is of one type and shape to all. What is
// wrong is told with the step and the tensor. Used by folder_repository and by who runs it (serve).
// Bounds: kEnsembleStepsMax steps, kEnsembleTensorsMax tensors, kEnsembleHeightMax ensembles within
// each other. Plain values; pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "host/repository/model_config.h"

namespace quire {

inline constexpr std::size_t kEnsembleStepsMax = 64;
inline constexpr std::size_t kEnsembleTensorsMax = 1024;
inline constexpr std::size_t kEnsembleHeightMax = 8;  // an ensemble of models is 1 high

struct EnsembleStep {
  using Mapping = std::pair<std::string, std::string>;  // the model's tensor, the ensemble's
  std::string model;
  std::uint64_t version = 0;                            // 0: the one that the bare name means
  std::vector<Mapping> inputs, outputs;
};

struct EnsembleGraph {
  std::vector<EnsembleStep> steps;   // as written
  std::vector<std::size_t> order;    // of steps: each behind those that it needs
};

// Whether a config is an ensemble's.
bool is_ensemble(const ModelConfig& config);

// The models that its steps name, each once; none: it is no ensemble.
std::vector<std::string> ensemble_models(const ModelConfig& config);

// The config of a model that a step names, of that version or with 0 of any; or why there is none.
using StepModels =
    std::function<Result<ModelConfig>(const std::string& model, std::uint64_t version)>;

// REQUIRES: is_ensemble. kInvalidArgument: what is wrong. Of a model whose config names no tensors
// these are not checked. Steps may be ensembles, unless one leads back to itself.
Result<EnsembleGraph> read_ensemble(const ModelConfig& config, const StepModels& models);

}  // namespace quire
