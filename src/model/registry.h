// The table of architectures: one row maps a name that files carry to the function that builds the
// model. To add one, write model/arch/x.cc and add a row (docs/add_a_model.md). Called at start-up
// by runtime/make_executor.
#pragma once

#include <memory>
#include <string>

#include "model/model.h"

namespace quire {

// Loads every weight into the backend. An unknown architecture is refused with the list of known.
Result<std::unique_ptr<Model>> make_model(const ModelConfig& config, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress = {});

}  // namespace quire
