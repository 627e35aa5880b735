// Architecture: a row of the table of model kinds (registry.cc), and Design: one model of that
// kind, ready to be built. A file model/arch/x.cc has a Config of its own, three functions
//   read(fields) -> Config        what the file says, every number with its range
//   tensors(config) -> rules      names, shapes and roles of all tensors
//   facts(config) -> ModelFacts   what the rest of the house may know
// a Model, which load(loader) gives its weights and which is the forward pass, and one row that
// ties them (design_of). Nothing outside model/arch sees a Config.
// Plain values and functions; any thread.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "formats/config/fields.h"
#include "model/model.h"
#include "model/model_facts.h"
#include "model/tensor_rules.h"
#include "model/weights.h"

namespace quire {

struct Design {
  ModelFacts facts;
  TensorRules tensors;
  std::function<Result<std::unique_ptr<Model>>(WeightLoader&, Backend&, const ModelOptions&)> build;
};

// A configuration with a name, for benchmarks and tests without files: as a config.json says it.
struct RandomShape {
  std::string_view name;
  std::string_view config;
  Naming naming = Naming::kHuggingFace;  // decides how the rows of queries and keys lie
};

struct Architecture {
  std::string_view name;        // ours, in messages
  std::string_view files[6];    // model_type, general.architecture; may be equal to the name
  std::string_view classes[12];  // of `architectures` in config.json; none: any causal model
  Result<Design> (*design)(const ConfigFields& fields, int vocab);
  RandomShape shapes[8]{};
  // Whether a file that carries a later name of `files`, which another row has as well, is of this
  // kind; null: all that are called so.
  bool (*is_meant)(const ConfigFields& fields) = nullptr;

  bool is_called(std::string_view file_name) const {
    for (const std::string_view name_of_file : files) {
      if (!name_of_file.empty() && name_of_file == file_name) return true;
    }
    return false;
  }
};

// What a file has in one; `read` reports errors through the fields.
template <auto read, auto tensors, auto facts, typename M>
Result<Design> design_of(const ConfigFields& fields, int vocab) {
  auto config = read(fields, vocab);
  QUIRE_RETURN_IF_ERROR(fields.check_all_used());
  Design design;
  design.facts = facts(config);
  design.tensors = tensors(config);
  design.build = [config = std::move(config)](WeightLoader& loader, Backend& backend,
                                              const ModelOptions& options)
      -> Result<std::unique_ptr<Model>> {
    auto model = std::make_unique<M>(config, backend, options);
    QUIRE_RETURN_IF_ERROR(model->load(loader));
    return std::unique_ptr<Model>(std::move(model));
  };
  return design;
}

}  // namespace quire
