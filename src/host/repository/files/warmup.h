// Warmup: the first requests of a model, which nobody sent: they are answered before it takes the
// names over, and their events go nowhere else. Its engine's sink is wrapped for that.
// wrap() before the model is opened, run() by whoever has loaded it; any thread.
// Used by folder_repository.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/model_host.h"
#include "host/repository/model_config.h"

namespace quire {

class Warmup {
 public:
  Warmup();

  ModelRecipe wrap(ModelRecipe recipe) const;

  // So many requests as the config says, one after the other. `folder`: of the model, for files of
  // prompts. An error is why one of them was not answered.
  Status run(const HostedModel& model, const std::vector<ModelWarmup>& warmups,
             const std::string& folder) const;

 private:
  struct State;

  std::shared_ptr<State> state_;  // the sink has it too
};

// The model says these, too, to whoever looks at it, behind those of its own files.
ModelRecipe with_warnings(ModelRecipe recipe, const std::vector<std::string>& warnings);

}  // namespace quire
