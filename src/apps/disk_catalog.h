// DiskCatalog: ModelCatalog over this machine: names of the local store and of Ollama's, paths, and
// random:SHAPE.
// What holds for all models of the process (threads, batch, KV) holds for those that come later,
// but for what their overrides say.
// Any thread. Made by serve.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/assemble.h"
#include "host/model_catalog.h"

namespace quire {

struct DiskCatalogOptions {
  ModelArguments common;
  std::shared_ptr<CpuDevice> device;
  MemoryLimit limit;
  LoadListener report;
  bool is_on_demand = false;
};

class DiskCatalog final : public ModelCatalog {
 public:
  explicit DiskCatalog(DiskCatalogOptions options) : options_(std::move(options)) {}

  Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string> names,
                             const ModelOverrides& overrides) const override;
  Result<std::shared_ptr<const Tokenizer>> tokenizer(const std::string& source,
                                                     const std::string& file) const override;
  Result<ModelLook> look(const std::string& source) const override;
  bool has(const std::string& name) const override;
  std::vector<std::string> names() const override;
  bool is_on_demand() const override { return options_.is_on_demand; }

 private:
  DiskCatalogOptions options_;
};

}  // namespace quire
