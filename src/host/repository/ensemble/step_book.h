// StepBook: which models the ensembles of a repository stand on: of what is served, for whoever
// unloads one, and of what was tried last, for whoever looks whether something has changed.
// Bounds: of steps, those of ensemble_graph. Any thread. Used by folder_repository.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace quire {

class StepBook {
 public:
  // None: it is no ensemble.
  void set_tried(const std::string& name, std::vector<std::string> steps);
  void set_served(const std::string& name, std::vector<std::string> steps);

  // The models of a served ensemble's steps, and of those that are ensembles, theirs; each once.
  std::vector<std::string> below(const std::string& name) const;
  // Whether an ensemble that is served uses it.
  bool is_step(const std::string& name) const;

  // Of a model and of those that it stands on, as it was tried last; `own` says one's. Never 0.
  std::uint64_t stamp(const std::string& name,
                      const std::function<std::uint64_t(const std::string&)>& own) const;

 private:
  using Steps = std::map<std::string, std::vector<std::string>>;
  static std::vector<std::string> below_in(const Steps& all, const std::string& name);

  mutable std::mutex mutex_;
  Steps tried_, served_;
};

}  // namespace quire
