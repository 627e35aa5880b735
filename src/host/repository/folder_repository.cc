#include "host/repository/folder_repository.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "host/repository/config_text.h"
#include "host/repository/ensemble/light_model.h"
#include "host/repository/files/config_file.h"
#include "host/repository/files/model_folders.h"
#include "host/repository/warmup.h"

namespace quire {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr int kSwitchTriesMax = 100;

std::string version_name(const std::string& name, std::uint64_t version) {
  return fmt::format("{}:{}", name, version);
}

Status not_here(std::string_view name) {
  return error(StatusCode::kNotFound, "the repository has no model '{}'", name.substr(0, 128));
}

bool has_version(const std::vector<ServedVersion>& served, std::uint64_t version) {
  const auto is_it = [&](const auto& it) { return version == 0 || it.version == version; };
  return std::any_of(served.begin(), served.end(), is_it);
}

// What a file makes of its readers ends no thread.
Status contain(const std::function<Status()>& work) try {
  return work();
} catch (const std::exception& failure) {
  return error(StatusCode::kInternal, "{}", failure.what());
}

}  // namespace

// What a change of one model comes to.
struct FolderRepository::Plan {
  std::string name, folder;
  ModelConfig config;
  std::uint64_t config_stamp = 0;
  bool is_asked = false;  // by a config that came with the request
  EnsembleGraph graph;    // of an ensemble
  std::vector<VersionFolder> there;   // ascending
  std::vector<Served> stays, comes;   // chosen by the policy
  std::vector<ModelHost::ModelIndex> goes;
  Status failure;                     // of one that was chosen
  std::optional<TrafficPlan> traffic;
  std::uint64_t traffic_stamp = 0;    // of the file
  std::shared_ptr<Traffic> kept;      // where nothing of it has changed
};

FolderRepository::FolderRepository(RepositoryOptions options, ModelHost& host,
                                   const ModelCatalog& catalog)
    : options_(std::move(options)),
      host_(&host),
      catalog_(&catalog),
      thread_([this] { keep(); }) {}

FolderRepository::~FolderRepository() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (auto& [name, model] : models_) {
    if (model.traffic) model.traffic->end();
  }
}

Status FolderRepository::start() {
  for (const std::string& folder : options_.folders) {
    if (!is_folder(folder)) {
      return error(StatusCode::kNotFound, "--model-repository '{}' is no folder", folder);
    }
  }
  std::set<std::string> names(options_.first.begin(), options_.first.end());
  if (options_.control != Control::kExplicit || names.contains("*")) names = names_there();
  Status first_failure;
  for (const std::string& name : names) {
    const std::lock_guard change(change_mutex_);
    const Status loaded = load_now(name, {});
    if (!loaded.is_ok() && first_failure.is_ok()) {
      first_failure = error(loaded.code(), "the model '{}' of the repository: {}", name,
                            loaded.message());
    }
  }
  {
    const std::lock_guard lock(mutex_);
    is_polling_ = options_.control == Control::kPoll;
  }
  changed_.notify_all();
  return first_failure;
}

// Orders as they come; between them, where it polls, a look every so often.
void FolderRepository::keep() {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return is_ending_ || !orders_.empty(); };
  while (!is_ending_) {
    if (!orders_.empty()) {
      std::function<void()> work = std::move(orders_.front());
      orders_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    } else if (!is_polling_) {
      changed_.wait(lock);
    } else if (!changed_.wait_for(lock, options_.poll_period, has_work)) {
      lock.unlock();
      const Status looked = contain([this] { return look(), ok_status(); });
      if (!looked.is_ok()) spdlog::error("The repository goes on: {}", looked.message());
      lock.lock();
    }
  }
}

Status FolderRepository::later(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (orders_.size() >= kOrdersMax) {
      return error(StatusCode::kResourceExhausted, "{} orders wait already", kOrdersMax);
    }
    orders_.push_back(std::move(work));
  }
  changed_.notify_all();
  return ok_status();
}

void FolderRepository::look() {
  const std::lock_guard change(change_mutex_);
  const std::set<std::string> there = names_there();
  std::map<std::string, std::uint64_t> known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, model] : models_) known.emplace(name, model.tried);
  }
  for (const auto& [name, tried] : known) {
    if (tried == 0 || there.contains(name)) continue;
    static_cast<void>(unload_now(name, "its folder is gone").is_ok());
  }
  for (const std::string& name : there) {
    const auto tried = known.find(name);
    if (tried != known.end() && !has_changed(name)) continue;
    static_cast<void>(load_now(name, {}).is_ok());  // the log and index() say why
  }
}

// --- what is there ---

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

bool FolderRepository::has(std::string_view name) const { return !folder_of(name).empty(); }

// --- orders ---

Status FolderRepository::load(const std::string& name, const std::optional<Json>& config) {
  if (options_.control != Control::kExplicit) {
    return error(StatusCode::kUnavailable, "explicit model load / unload is not allowed if polling "
                                           "is enabled or --model-control-mode is none");
  }
  const std::lock_guard change(change_mutex_);
  return contain([&] { return load_now(name, config); });
}

Status FolderRepository::unload(const std::string& name, bool dependents) {
  if (options_.control != Control::kExplicit) {
    return error(StatusCode::kUnavailable, "explicit model load / unload is not allowed if polling "
                                           "is enabled or --model-control-mode is none");
  }
  const std::lock_guard change(change_mutex_);
  return contain([&]() -> Status {
    const std::vector<std::string> steps = steps_.below(name);
    QUIRE_RETURN_IF_ERROR(unload_now(name, "unloaded"));
    for (const std::string& step : steps) {
      if (dependents && !steps_.is_step(step)) QUIRE_RETURN_IF_ERROR(unload_now(step, "unloaded"));
    }
    return ok_status();
  });
}

void FolderRepository::note(const std::string& name, std::uint64_t version, VersionState state,
                            const std::string& reason) {
  const std::lock_guard lock(mutex_);
  models_[name].notes[version] = {state, reason};
}

Status FolderRepository::fail(const std::string& name, const Status& reason) {
  spdlog::error("the model '{}' of the repository stays as it was: {}", name, reason.message());
  const std::lock_guard lock(mutex_);
  models_[name].problem = reason.message();
  return reason;
}

Status FolderRepository::load_now(const std::string& name, const std::optional<Json>& config) {
  if (folder_of(name).empty()) return not_here(name);
  Result<Plan> made = plan(name, config);
  if (!made.is_ok()) return fail(name, made.status());
  for (const std::string& warning : made->config.warnings) spdlog::warn("{}: {}", name, warning);
  const Status brought = bring(*made);
  if (!brought.is_ok()) return fail(name, brought);
  const Status directed = read_traffic(*made);
  if (!directed.is_ok()) {
    give_up(*made, directed.message());
    return fail(name, directed);
  }
  const Status switched = take_over(*made);
  if (!switched.is_ok()) return fail(name, switched);
  if (!made->failure.is_ok()) return fail(name, made->failure);
  const std::lock_guard lock(mutex_);
  models_[name].problem.clear();
  return ok_status();
}

void FolderRepository::set_tried(const std::string& name) {
  const std::uint64_t now = stamp_of_model(name);
  const std::lock_guard lock(mutex_);
  models_[name].tried = now;
}

Result<FolderRepository::Plan> FolderRepository::plan(const std::string& name,
                                                      const std::optional<Json>& config) {
  Plan plan{.name = name, .folder = folder_of(name)};
  set_tried(name);
  std::string text;
  if (config) {
    text = dump(*config);
    QUIRE_ASSIGN_OR_RETURN(plan.config, model_config_from_json(*config, name));
    plan.is_asked = true;
  } else {
    QUIRE_ASSIGN_OR_RETURN(ConfigFile file, read_config_file(plan.folder, name));
    text = std::move(file.text);
    plan.config = std::move(file.config);
  }
  steps_.set_tried(name, ensemble_models(plan.config));
  if (is_ensemble(plan.config)) {
    QUIRE_ASSIGN_OR_RETURN(plan.graph, bring_steps(plan.config));
  }
  set_tried(name);
  if (plan.config.has_response_cache && !options_.keeps_answers) {
    plan.config.warnings.push_back("'response_cache' does nothing: this server has no cache "
                                   "(--cache-config local,size=BYTES)");
  }
  QUIRE_RETURN_IF_ERROR(read_labels(plan.folder, plan.config));
  plan.config_stamp = hash_bytes(text.data(), text.size(), 0);
  QUIRE_ASSIGN_OR_RETURN(plan.there, find_versions(plan.folder));
  return plan;
}

// Its mistakes are told first; then what its steps are is brought, as far as it is not served.
Result<EnsembleGraph> FolderRepository::bring_steps(const ModelConfig& config) {
  const StepModels models = [this](const std::string& name,
                                   std::uint64_t version) -> Result<ModelConfig> {
    const std::string folder = folder_of(name);
    if (folder.empty()) return not_here(name);
    if (has_version(versions(name), version)) return this->config(name);
    return read_step_config(folder, name, version);
  };
  QUIRE_RETURN_IF_ERROR(read_ensemble(config, models).status());
  for (const std::string& name : ensemble_models(config)) {
    const bool is_served = !versions(name).empty();
    if (is_served && !(options_.control == Control::kPoll && has_changed(name))) continue;
    const Status loaded = load_now(name, {});
    if (loaded.is_ok() || is_served) continue;
    return error(loaded.code(), "in ensemble '{}', its step's model '{}' cannot be loaded: {}",
                 config.name, name, loaded.message());
  }
  return read_ensemble(config, models);  // of what is served now
}

// Stages, loads and warms one version: nobody is answered by it yet.
Result<FolderRepository::Served> FolderRepository::bring_one(const Plan& plan,
                                                             const VersionFolder& version) {
  const std::string own = version_name(plan.name, version.version);
  if (plan.is_asked) QUIRE_RETURN_IF_ERROR(check_asked_files(version, plan.config));
  const std::uint64_t stamp = hash_bytes(&version.stamp, sizeof(version.stamp), plan.config_stamp);
  if (!has_engine(plan.config)) {
    QUIRE_ASSIGN_OR_RETURN(auto light,
                           make_light_model(plan.config, plan.graph, version, *catalog_));
    if (options_.warm_light) QUIRE_RETURN_IF_ERROR(options_.warm_light(*light, plan.folder));
    return Served{{version.version, kNoModel, own, std::move(light)}, stamp, nullptr};
  }
  QUIRE_ASSIGN_OR_RETURN(const VersionSource source, find_source(version, plan.config));
  for (const std::string& warning : source.warnings) spdlog::warn("{}: {}", own, warning);
  const Warmup warmup;
  const auto tap = std::make_shared<VersionTap>(version.version);
  QUIRE_ASSIGN_OR_RETURN(ModelRecipe recipe,
                         catalog_->recipe(source.source, {own}, source.overrides));
  QUIRE_ASSIGN_OR_RETURN(const ModelHost::ModelIndex model,
                         host_->stage(tap->wrap(warmup.wrap(std::move(recipe)), tap)));
  Result<ModelLease> lease = host_->load_now(model);
  Status outcome = lease.status();
  if (lease.is_ok()) outcome = warmup.run(**lease, plan.config.warmups, plan.folder);
  if (!outcome.is_ok()) {
    lease = ModelLease();
    const Status removed = host_->remove(model);
    if (!removed.is_ok()) spdlog::warn("{} stays in memory: {}", own, removed.message());
    return outcome;
  }
  return Served{{version.version, model, own, nullptr}, stamp, tap};
}

Status FolderRepository::bring(Plan& plan) {
  std::vector<Served> old;
  {
    const std::lock_guard lock(mutex_);
    old = models_[plan.name].served;
  }
  std::vector<std::uint64_t> numbers;
  for (const VersionFolder& version : plan.there) numbers.push_back(version.version);
  std::vector<std::uint64_t> chosen = plan.config.versions.choose(numbers);
  if (chosen.empty()) {
    return error(StatusCode::kInvalidArgument, "it has no version that its policy serves");
  }
  const bool may_fall_back =
      old.empty() && plan.config.versions.kind == VersionPolicy::Kind::kLatest;
  std::size_t wanted = chosen.size();
  for (auto version = plan.there.rbegin(); version != plan.there.rend() && wanted > 0; ++version) {
    const std::uint64_t number = version->version;
    const bool is_chosen = std::find(chosen.begin(), chosen.end(), number) != chosen.end();
    if (!is_chosen && !(may_fall_back && !plan.failure.is_ok())) continue;
    const std::uint64_t stamp =
        hash_bytes(&version->stamp, sizeof(version->stamp), plan.config_stamp);
    const auto served = std::find_if(old.begin(), old.end(), [&](const Served& it) {
      return it.version.version == number && it.stamp == stamp;
    });
    if (served != old.end()) {
      plan.stays.push_back(*served);
      --wanted;
      continue;
    }
    const bool is_replaced = std::any_of(
        old.begin(), old.end(), [&](const Served& it) { return it.version.version == number; });
    if (!is_replaced) note(plan.name, number, VersionState::kLoading);
    Result<Served> brought = bring_one(plan, *version);
    if (brought.is_ok()) {
      plan.comes.push_back(*brought);
      --wanted;
      continue;
    }
    const Status why = error(brought.status().code(), "version {}: {}", number,
                             brought.status().message());
    if (!is_replaced) {
      note(plan.name, number, VersionState::kUnavailable, brought.status().message());
    }
    if (plan.failure.is_ok()) plan.failure = why;
    if (!old.empty()) break;  // the old ones serve on, all of them
    spdlog::error("{}: {}", plan.name, why.message());
  }
  const bool changes_nothing = !plan.failure.is_ok() && (!old.empty() || plan.comes.empty());
  if (!changes_nothing) {
    for (const Served& it : old) {
      const auto is_it = [&](const auto& one) { return one.version.version == it.version.version; };
      const bool stays = std::any_of(plan.stays.begin(), plan.stays.end(), is_it);
      if (!stays && it.version.light == nullptr) plan.goes.push_back(it.version.model);
    }
    return ok_status();
  }
  give_up(plan, "another version failed");
  return plan.failure;
}

// What has come goes again.
void FolderRepository::give_up(const Plan& plan, const std::string& reason) {
  for (const Served& it : plan.comes) {
    if (it.version.light == nullptr) static_cast<void>(host_->remove(it.version.model).is_ok());
    note(plan.name, it.version.version, VersionState::kUnavailable, reason);
  }
}

// One that goes may be on its way into memory, because somebody wants it just now.
Status FolderRepository::carry_out(const ModelSwitch& change) {
  Status switched = host_->change(change);
  for (int i = 0; i < kSwitchTriesMax && switched.code() == StatusCode::kUnavailable; ++i) {
    for (const auto model : change.go) static_cast<void>(host_->load_now(model).is_ok());
    switched = host_->change(change);
  }
  return switched;
}

Status FolderRepository::take_over(Plan& plan) {
  std::vector<Served> serving = plan.stays;
  ModelSwitch change;
  change.go = plan.goes;
  for (const Served& it : plan.comes) {
    if (it.version.light == nullptr) change.come.push_back(it.version.model);
    serving.push_back(it);
  }
  std::sort(serving.begin(), serving.end(), [](const Served& a, const Served& b) {
    return a.version.version < b.version.version;
  });
  std::uint64_t main = serving.back().version.version;
  if (plan.traffic) main = plan.kept ? plan.kept->main() : plan.traffic->stable;
  for (const Served& it : serving) {
    if (it.version.version != main || it.version.light != nullptr) continue;
    change.names = {{plan.name, it.version.model}};
  }
  const Status switched = carry_out(change);
  if (!switched.is_ok()) {
    give_up(plan, switched.message());
    return switched;
  }
  direct(plan, serving);
  if (options_.when_changed) options_.when_changed();
  steps_.set_served(plan.name, ensemble_models(plan.config));
  const std::lock_guard lock(mutex_);
  Model& model = models_[plan.name];
  for (const Served& it : model.served) {
    model.notes[it.version.version] = {VersionState::kUnavailable, "unloaded"};
  }
  for (const Served& it : serving) {
    model.notes[it.version.version] = {VersionState::kReady, ""};
  }
  spdlog::info("the model '{}' of the repository: version {} serves", plan.name, main);
  model.served = std::move(serving);
  model.main = main;
  model.config = std::move(plan.config);
  return ok_status();
}

// The file beside the config, and whether what it wants goes on already.
Status FolderRepository::read_traffic(Plan& plan) {
  const std::string path = plan.folder + "/traffic.json";
  if (!is_file(path)) return ok_status();
  if (!has_engine(plan.config)) {
    return error(StatusCode::kUnsupported, "traffic.json is not supported for a model without an "
                                           "engine");
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kConfigBytesMax));
  const Result<Json> json = parse_json(text);
  Result<TrafficPlan> traffic = json.is_ok() ? read_traffic_plan(*json) : json.status();
  if (!traffic.is_ok()) {
    return error(StatusCode::kInvalidArgument, "traffic.json: {}", traffic.status().message());
  }
  std::set<std::uint64_t> missing = {traffic->stable};
  for (const auto& [version, _] : traffic->split) missing.insert(version);
  if (traffic->canary) missing.insert(traffic->canary->version);
  if (traffic->shadow) missing.insert(traffic->shadow->version);
  plan.traffic_stamp = hash_bytes(text.data(), text.size(), 0);
  bool begins_anew = false;
  for (const Served& it : plan.comes) {
    begins_anew |= missing.erase(it.version.version) > 0;  // it is another model
  }
  for (const Served& it : plan.stays) missing.erase(it.version.version);
  if (!missing.empty()) {
    return error(StatusCode::kInvalidArgument,
                 "traffic.json: version {} is not among those that the policy serves",
                 *missing.begin());
  }
  plan.traffic = std::move(*traffic);
  const std::lock_guard lock(mutex_);
  const Model& model = models_[plan.name];
  const bool is_same = model.traffic && model.traffic_stamp == plan.traffic_stamp;
  if (is_same && !begins_anew) plan.kept = model.traffic;
  return ok_status();
}

// After the switch: shares are given to versions that serve.
void FolderRepository::direct(Plan& plan, const std::vector<Served>& serving) {
  std::shared_ptr<Traffic> fresh = plan.kept, former;
  if (plan.traffic && !plan.kept) {
    std::map<std::uint64_t, ModelHost::ModelIndex> models;
    for (const Served& it : serving) models.emplace(it.version.version, it.version.model);
    fresh = std::make_shared<Traffic>(
        plan.name, *plan.traffic, std::move(models), *host_,
        canaries_.remember(plan.folder, plan.traffic_stamp, *plan.traffic, serving));
  }
  {
    const std::lock_guard lock(mutex_);
    Model& model = models_[plan.name];
    if (model.traffic != fresh) former = std::exchange(model.traffic, fresh);
    model.traffic_stamp = plan.traffic_stamp;
  }
  if (former) former->end();
  for (const Served& it : serving) {
    if (it.tap != nullptr) it.tap->follow(fresh);
  }
  if (fresh) fresh->apply();
}

Status FolderRepository::unload_now(const std::string& name, const char* reason) {
  std::vector<Served> served;
  std::shared_ptr<Traffic> traffic;
  {
    const std::lock_guard lock(mutex_);
    const auto known = models_.find(name);
    if (known == models_.end()) {
      return has(name) ? ok_status() : not_here(name);  // it is not served, as was wished
    }
    served = known->second.served;
    traffic = std::move(known->second.traffic);
    known->second.tried = 0;
  }
  if (traffic) traffic->end();
  ModelSwitch change;
  for (const Served& it : served) {
    if (it.version.light == nullptr) change.go.push_back(it.version.model);
  }
  QUIRE_RETURN_IF_ERROR(carry_out(change));
  steps_.set_served(name, {});
  const std::lock_guard lock(mutex_);
  Model& model = models_[name];
  for (const Served& it : model.served) {
    model.notes[it.version.version] = {VersionState::kUnavailable, reason};
  }
  model.served.clear();
  model.problem = reason;
  spdlog::info("the model '{}' of the repository is served no more: {}", name, reason);
  return ok_status();
}

// --- what is served ---

std::vector<RepositoryRow> FolderRepository::index() const {
  std::set<std::string> there = names_there();
  std::vector<RepositoryRow> rows;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    if (there.contains(name) || !model.notes.empty()) there.insert(name);
  }
  for (const std::string& name : there) {
    const auto known = models_.find(name);
    if (known == models_.end() || known->second.notes.empty()) {
      const std::string reason = known == models_.end() ? "" : known->second.problem;
      rows.push_back({name, 0, VersionState::kUnavailable, reason});
      continue;
    }
    for (const auto& [version, note] : known->second.notes) {
      rows.push_back({name, version, note.state, note.reason});
    }
  }
  return rows;
}

Result<ModelConfig> FolderRepository::config(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  if (known == models_.end() || known->second.served.empty()) return not_here(name);
  return known->second.config;
}

bool FolderRepository::has_response_cache(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto known = models_.find(name);
  return known != models_.end() && known->second.config.has_response_cache;
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
               version, name.substr(0, kNameBytesMax));
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
