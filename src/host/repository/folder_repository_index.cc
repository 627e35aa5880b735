#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "host/repository/ensemble/ensemble_graph.h"
#include "host/repository/ensemble/light_model.h"
#include "host/repository/folder_repository.h"

namespace quire {
namespace {

// A version that serves, as the host has it: in memory, or not just now.
void tell_state(const std::optional<ModelRow>& model, RepositoryRow& row) {
  if (!model || model->state == ModelState::kReady) return;
  if (model->state == ModelState::kWanted || model->state == ModelState::kLoading) {
    row.state = VersionState::kLoading;
    return;
  }
  row.state = VersionState::kUnavailable;
  row.reason = "unloaded: the next request or order loads it";
  if (model->state == ModelState::kUnloading) {
    row.state = VersionState::kUnloading;
    row.reason = "unloading: it takes no new requests";
  } else if (!model->failure.empty()) {
    row.reason = model->failure;
    row.has_failed = true;
  }
}

}  // namespace

// --- looks at the folder ---

void FolderRepository::look() {
  const std::lock_guard change(change_mutex_);
  FoundModels found = find_all();
  find_hidden(found);
  tell_unread(found);
  struct Known {
    std::uint64_t tried = 0;
    bool is_hidden = false;  // nothing is known of it, or it is past the bound
  };
  std::map<std::string, Known> known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models_) {
      const bool is_hidden = found.unread.contains(model.root) || found.hidden.contains(name) ||
                             found.refused.contains(name);
      known.emplace(name, Known{model.tried, is_hidden});
    }
  }
  for (const auto& [name, model] : known) {
    if (model.tried == 0 || model.is_hidden || found.names.contains(name)) continue;
    static_cast<void>(unload_now(name, "its folder is gone").is_ok());
  }
  for (const std::string& name : found.names) {
    const auto tried = known.find(name);
    if (tried != known.end() && (tried->second.is_hidden || !has_changed(name))) continue;
    static_cast<void>(load_now(name, {}).is_ok());  // the log and index() say why
  }
}

FoundModels FolderRepository::find_all() const {
  FoundModels found = find_models(options_.folders);
  const std::lock_guard lock(mutex_);
  found_ = found;
  return found;
}

// Of those that were tried: an entry that cannot be looked at is not one that has gone, nor is one
// that nobody tells of because there are too many.
void FolderRepository::find_hidden(FoundModels& found) const {
  std::map<std::string, std::string> roots;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models_) {
      const bool is_readable = model.tried != 0 && !found.unread.contains(model.root);
      if (is_readable && !model.root.empty()) roots.emplace(name, model.root);
    }
  }
  for (const auto& [name, root] : roots) {
    std::string why = why_unseen(root, name);
    const bool is_past = why.empty() && !found.names.contains(name) &&
                         find_model_root({root}, name) == root;
    if (is_past) why = "there are more models than are looked at";
    if (!why.empty()) found.hidden.emplace(name, std::move(why));
  }
}

// What cannot be read or be a model is said once, and again when it comes back.
void FolderRepository::tell_unread(const FoundModels& found) {
  std::set<std::string> now;
  for (const auto& [folder, why] : found.unread) {
    if (!told_.contains(*now.insert("the repository '" + folder + "'").first)) {
      spdlog::error("The repository '{}' cannot be read: {}. Its models serve on.", folder, why);
    }
  }
  for (const auto& [name, why] : found.refused) {
    if (!told_.contains(*now.insert("the folder '" + name + "'").first)) {
      spdlog::warn("The folder '{}' of the repository is passed over: {}", name, why);
    }
  }
  for (const auto& [name, why] : found.hidden) {
    if (!told_.contains(*now.insert("the folder of '" + name + "'").first)) {
      spdlog::error("The folder of the model '{}' cannot be looked at: {}. What serves of it "
                    "serves on.", name, why);
    }
  }
  for (const std::string& what : told_) {
    if (!now.contains(what)) spdlog::info("What was told of {} is over", what);
  }
  told_ = std::move(now);
}

// Of an ensemble also those of its steps: what they are decides whether it is sound.
std::uint64_t FolderRepository::stamp_of_model(const std::string& name) const {
  return steps_.stamp(name, [this](const std::string& one) { return stamp_of(folder_of(one)); });
}

bool FolderRepository::has_changed(const std::string& name) const {
  const std::uint64_t now = stamp_of_model(name);
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  return known == models_.end() || known->second.tried != now;
}

bool FolderRepository::has(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  if (found_.names.contains(std::string(name))) return true;
  const auto known = models_.find(name);
  return known != models_.end() && !known->second.served.empty();
}

// --- what becomes of what is served ---

// Under the lock. Those are served no more, and are told of until their users have finished.
void FolderRepository::let_go(Model& model, const std::vector<ModelHost::ModelIndex>& goes) const {
  std::erase_if(model.leaving, [&](const auto& it) { return host_->users(it.model) == 0; });
  for (const Served& it : model.served) {
    const bool is_going = it.version.light == nullptr &&
                          std::find(goes.begin(), goes.end(), it.version.model) != goes.end();
    if (is_going) model.leaving.push_back(it.version);
  }
}

// Of what was loaded already and has left the memory since: an order to load wants it there.
Status FolderRepository::fetch(const std::string& name) {
  for (const ServedVersion& it : versions(name)) {
    if (it.light != nullptr) continue;
    const std::optional<ModelRow> row = host_->row(it.model);
    if (row && row->state == ModelState::kReady) continue;
    const Status loaded = host_->load_now(it.model).status();
    if (loaded.is_ok()) continue;
    return error(loaded.code(), "version {}: {}", it.version, loaded.message());
  }
  return ok_status();
}

// Under change_mutex_: who has been switched may be a step of theirs. Where a step's model is not
// served at all, whoever asks is told so.
void FolderRepository::check_ensembles() {
  std::vector<std::shared_ptr<const ModelConfig>> ensembles;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [_, model] : models_) {
      if (!model.served.empty() && is_ensemble(*model.config)) ensembles.push_back(model.config);
    }
  }
  const StepModels models = [this](const std::string& name, std::uint64_t version) {
    return step_config(name, version);
  };
  for (const auto& config : ensembles) {
    const ModelConfig& ensemble = *config;
    bool is_whole = true;
    for (const std::string& step : ensemble_models(ensemble)) is_whole &= !versions(step).empty();
    const Status sound = is_whole ? read_ensemble(ensemble, models).status() : ok_status();
    const std::lock_guard lock(mutex_);
    Model& model = models_[ensemble.name];
    if (!sound.is_ok() && model.soundness.is_ok()) {
      spdlog::error("the ensemble '{}' fits its steps no more: {}", ensemble.name, sound.message());
    }
    model.soundness = sound;
  }
}

// --- what is served ---

std::vector<RepositoryRow> FolderRepository::index() const {
  static_cast<void>(find_all());
  return known_rows();
}

std::vector<RepositoryRow> FolderRepository::known_rows() const {
  const bool is_awaited = options_.control != Control::kExplicit;
  std::vector<RepositoryRow> rows;
  std::map<std::size_t, ModelHost::ModelIndex> serving, leaving;  // by row
  {
    const std::lock_guard lock(mutex_);
    std::set<std::string> names = found_.names;
    for (const auto& [name, model] : models_) {
      if (!model.notes.is_empty()) names.insert(name);
    }
    for (const auto& [name, _] : found_.refused) names.insert(name);
    for (const std::string& name : names) {
      const auto known = models_.find(name);
      const auto refused = found_.refused.find(name);
      const bool serves = known != models_.end() && !known->second.served.empty();
      if (refused != found_.refused.end() && !serves) {
        rows.push_back({name, 0, VersionState::kUnavailable, refused->second, is_awaited});
        continue;
      }
      if (known == models_.end()) {
        rows.push_back({name, 0, VersionState::kUnavailable, ""});
        continue;
      }
      const Model& model = known->second;
      for (RepositoryRow& row : model.notes.rows(name)) {
        const Served* served = find_served(model.served, row.version);
        if (served != nullptr && served->version.light == nullptr) {
          serving.emplace(rows.size(), served->version.model);
        } else if (served != nullptr && !model.soundness.is_ok()) {
          row = {name, row.version, VersionState::kUnavailable, model.soundness.message(), true};
        }
        for (const ServedVersion& it : model.leaving) {
          const bool leaves = served == nullptr && it.version == row.version;
          if (leaves) leaving.emplace(rows.size(), it.model);
        }
        rows.push_back(std::move(row));
      }
    }
  }
  for (const auto& [i, model] : serving) tell_state(host_->row(model), rows[i]);
  for (const auto& [i, model] : leaving) {
    if (host_->users(model) > 0) rows[i].state = VersionState::kUnloading;
  }
  return rows;
}

std::vector<std::string> FolderRepository::warnings(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  if (known == models_.end() || known->second.served.empty()) return {};
  std::vector<std::string> warnings = known->second.config->warnings;
  const std::vector<std::string>& own = known->second.served.back().warnings;
  warnings.insert(warnings.end(), own.begin(), own.end());
  return warnings;
}

Status FolderRepository::soundness(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  return known == models_.end() ? ok_status() : known->second.soundness;
}

std::shared_ptr<const ModelConfig> FolderRepository::config(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  if (known == models_.end() || known->second.served.empty()) return nullptr;
  return known->second.config;
}

bool FolderRepository::has_response_cache(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  return known != models_.end() && known->second.config != nullptr &&
         known->second.config->has_response_cache;
}

std::vector<ServedVersion> FolderRepository::versions(std::string_view name) const {
  std::vector<ServedVersion> versions;
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  if (known == models_.end()) return versions;
  for (const Served& it : known->second.served) versions.push_back(it.version);
  return versions;
}

Result<ServedVersion> FolderRepository::resolve(std::string_view name,
                                                std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  if (known != models_.end()) {
    const Model& model = known->second;
    const std::uint64_t main = model.traffic ? model.traffic->main() : model.main;
    for (const Served& it : model.served) {
      if (it.version.version == (version == 0 ? main : version)) return it.version;
    }
  }
  return error(StatusCode::kNotFound, "the repository serves no version {} of a model '{}'",
               version, name.substr(0, 128));
}

std::vector<TrafficRow> FolderRepository::traffic() const {
  std::vector<TrafficRow> rows;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    if (!model.traffic) continue;
    for (TrafficRow& row : model.traffic->rows()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace quire
