// KnownState: what a repository tells without a look at its folders, which may be of a disk that
// does not answer: the rows of its index as of the last look, and the configs of what serves as
// they are, not copied. For probes, and for what the I/O thread asks for each request.
// Any thread; nothing waits. FolderRepository is one. Used by serve.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "host/repository/model_repository.h"

namespace quire {

class KnownState {
 public:
  virtual std::vector<RepositoryRow> known_rows() const = 0;
  // Null: it is not served.
  virtual std::shared_ptr<const ModelConfig> served_config(std::string_view name) const = 0;

 protected:
  ~KnownState() = default;
};

inline std::vector<RepositoryRow> known_rows(const ModelRepository& repository) {
  const auto* state = dynamic_cast<const KnownState*>(&repository);
  return state != nullptr ? state->known_rows() : repository.index();
}

inline std::shared_ptr<const ModelConfig> served_config(const ModelRepository& repository,
                                                        std::string_view name) {
  if (const auto* state = dynamic_cast<const KnownState*>(&repository)) {
    return state->served_config(name);
  }
  Result<ModelConfig> config = repository.config(name);
  return config.is_ok() ? std::make_shared<const ModelConfig>(std::move(*config)) : nullptr;
}

}  // namespace quire
