// The table of architectures: one row for each kind of model. To add one, write model/arch/x.cc and
// add a row (docs/add_a_model.md). Pure functions; any thread. Called when files are opened, and at
// start-up by runtime/make_executor.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "formats/checkpoint.h"
#include "model/architecture.h"

namespace quire {

std::span<const Architecture* const> all_architectures();

// The row whose files carry this name; where kinds share one, the fields tell which. An unknown one
// is refused with the list of known.
Result<const Architecture*> find_architecture(std::string_view file_name,
                                              const ConfigFields* fields = nullptr);

// Asks the checkpoint's fields and adds to the facts what its words say.
Result<Design> design_of_checkpoint(const Checkpoint& checkpoint);

// The design of a named random shape; an unknown name is refused with the list.
Result<Design> design_of_shape(std::string_view name);
std::span<const std::string_view> random_shapes();
const RandomShape* find_shape(std::string_view name);  // null: unknown

// The same of a configuration in the words of config.json, for tests: `architecture` is a row's.
Result<Design> design_of_json(std::string_view architecture, std::string_view config,
                              Naming naming);

// Loads every weight into the backend. REQUIRES: a design that was built, and a finder.
Result<std::unique_ptr<Model>> make_model(const Design& design, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress = {});

}  // namespace quire
