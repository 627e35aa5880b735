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
#include "host/repository/files/warmup.h"

namespace quire {
namespace {

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
  ModelConfig own_config;  // of the folder, beside one that came with the request
  bool is_all_or_nothing = false;     // another config than that of those who serve
  struct Failure {
    std::uint64_t version = 0;
    std::string reason;
    bool serves = false;  // its former self does
  };
  std::vector<Failure> failures;      // of versions
  std::vector<VersionFolder> there;   // ascending
  std::vector<Served> stays, comes;   // chosen by the policy
  std::vector<ModelHost::ModelIndex> goes;
  Status failure;                     // the first of those
  std::optional<TrafficPlan> traffic;
  std::uint64_t traffic_stamp = 0;    // of the file
  std::shared_ptr<Traffic> kept;      // where nothing of it has changed
};

const FolderRepository::Served* FolderRepository::find_served(const std::vector<Served>& served,
                                                              std::uint64_t version) {
  const auto is_it = [&](const Served& it) { return it.version.version == version; };
  const auto found = std::find_if(served.begin(), served.end(), is_it);
  return found == served.end() ? nullptr : &*found;
}

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
  const FoundModels found = find_all();
  std::set<std::string> names(options_.first.begin(), options_.first.end());
  if (options_.control != Control::kExplicit || names.contains("*")) {
    {
      const std::lock_guard change(change_mutex_);
      tell_unread(found);
    }
    names.erase("*");
    names.insert(found.names.begin(), found.names.end());
  }
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

// --- orders ---

Status FolderRepository::load(const std::string& name, const std::optional<Json>& config) {
  if (options_.control != Control::kExplicit) {
    return error(StatusCode::kUnavailable, "explicit model load / unload is not allowed if polling "
                                           "is enabled or --model-control-mode is none");
  }
  const std::lock_guard change(change_mutex_);
  return contain([&]() -> Status {
    static_cast<void>(find_all());
    QUIRE_RETURN_IF_ERROR(load_now(name, config));
    return fetch(name);
  });
}

Status FolderRepository::unload(const std::string& name, bool dependents) {
  if (options_.control != Control::kExplicit) {
    return error(StatusCode::kUnavailable, "explicit model load / unload is not allowed if polling "
                                           "is enabled or --model-control-mode is none");
  }
  const std::lock_guard change(change_mutex_);
  return contain([&]() -> Status {
    static_cast<void>(find_all());
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
  models_[name].notes.set(version, state, reason);
}

Status FolderRepository::fail(const std::string& name, const Status& reason) {
  spdlog::error("the model '{}' of the repository stays as it was: {}", name, reason.message());
  const std::lock_guard lock(mutex_);
  models_[name].notes.fail_all(reason.message());
  return reason;
}

Status FolderRepository::load_now(const std::string& name, const std::optional<Json>& config) {
  if (folder_of(name).empty()) {
    const std::string why = why_unsure(options_.folders, name);
    return why.empty() ? not_here(name) : Status(StatusCode::kUnavailable, why);
  }
  Result<Plan> made = plan(name, config);
  if (!made.is_ok()) return fail(name, made.status());
  for (const std::string& warning : made->config.warnings) spdlog::warn("{}: {}", name, warning);
  const Status brought = bring(*made);
  if (!brought.is_ok()) {
    if (!made->failures.empty()) {
      spdlog::error("the model '{}' of the repository stays as it was: {}", name,
                    brought.message());
      return brought;  // its version tells it
    }
    const bool is_over = made->there.empty() && options_.control == Control::kPoll &&
                         !versions(name).empty();
    return is_over ? end_without_versions(name, brought) : fail(name, brought);
  }
  const Status directed = read_traffic(*made);
  if (!directed.is_ok()) {
    give_up(*made, directed.message());
    note_failures(*made);
    return fail(name, directed);
  }
  const Status switched = take_over(*made);
  if (!switched.is_ok()) {
    note_failures(*made);
    return fail(name, switched);
  }
  std::set<std::uint64_t> there;
  for (const VersionFolder& version : made->there) there.insert(version.version);
  {
    const std::lock_guard lock(mutex_);
    models_[name].notes.succeed(made->config_stamp, there);
  }
  note_failures(*made);
  check_ensembles();
  return made->failure;
}

// Nothing of it is there to be served, as where its folder is gone.
Status FolderRepository::end_without_versions(const std::string& name, const Status& why) {
  static_cast<void>(unload_now(name, "it has no version any more").is_ok());
  set_tried(name);
  return why;
}

void FolderRepository::set_tried(const std::string& name) {
  const std::uint64_t now = stamp_of_model(name);
  const std::lock_guard lock(mutex_);
  models_[name].tried = now;
}

Result<FolderRepository::Plan> FolderRepository::plan(const std::string& name,
                                                      const std::optional<Json>& config) {
  Plan plan{.name = name, .folder = folder_of(name)};
  std::string root = find_model_root(options_.folders, name);  // no disk under the lock
  {
    const std::lock_guard lock(mutex_);
    models_[name].root = std::move(root);
  }
  set_tried(name);
  std::string text;
  if (config) {
    text = dump(*config);
    QUIRE_ASSIGN_OR_RETURN(plan.config, model_config_from_json(*config, name));
    plan.is_asked = true;
    Result<ConfigFile> file = read_config_file(plan.folder, name);
    if (file.is_ok()) {
      plan.own_config = std::move(file->config);
      forget_shown_batch(plan.own_config, plan.config);
    }
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

// Of a model that a step names: as it serves, or as it lies there.
Result<ModelConfig> FolderRepository::step_config(const std::string& name,
                                                  std::uint64_t version) const {
  const auto served = config(name);
  if (served != nullptr && has_version(versions(name), version)) return *served;
  const std::string folder = folder_of(name);
  if (folder.empty()) return not_here(name);
  return read_step_config(folder, name, version);
}

// Its mistakes are told first; then what its steps are is brought, as far as it is not served.
Result<EnsembleGraph> FolderRepository::bring_steps(const ModelConfig& config) {
  const StepModels models = [this](const std::string& name, std::uint64_t version) {
    return step_config(name, version);
  };
  QUIRE_RETURN_IF_ERROR(read_ensemble(config, models).status());
  for (const std::string& name : ensemble_models(config)) {
    const bool is_served = !versions(name).empty();
    if (is_served && !(options_.control == Control::kPoll && has_changed(name))) continue;
    const Status loaded = load_now(name, {});
    if (loaded.is_ok() || !versions(name).empty()) continue;  // it may have fallen back
    return error(loaded.code(), "in ensemble '{}', its step's model '{}' cannot be loaded: {}",
                 config.name, name, loaded.message());
  }
  return read_ensemble(config, models);  // of what is served now
}

// Stages, loads and warms one version: nobody is answered by it yet.
Result<FolderRepository::Served> FolderRepository::bring_one(const Plan& plan,
                                                             const VersionFolder& version) {
  const std::string own = version_name(plan.name, version.version);
  if (plan.is_asked) {
    QUIRE_RETURN_IF_ERROR(check_asked_files(version, plan.config, plan.own_config));
  }
  const std::uint64_t stamp = hash_bytes(&version.stamp, sizeof(version.stamp), plan.config_stamp);
  if (!is_folder(version.path)) {
    return error(StatusCode::kUnavailable, "'{}' cannot be looked at", version.path);
  }
  if (!has_engine(plan.config)) {
    QUIRE_ASSIGN_OR_RETURN(auto light,
                           make_light_model(plan.config, plan.graph, version, *catalog_));
    if (options_.warm_light) QUIRE_RETURN_IF_ERROR(options_.warm_light(*light, plan.folder));
    return Served{.version = {version.version, kNoModel, own, std::move(light)},
                  .stamp = stamp, .config_stamp = plan.config_stamp};
  }
  QUIRE_ASSIGN_OR_RETURN(const VersionSource source, find_source(version, plan.config));
  for (const std::string& warning : source.warnings) spdlog::warn("{}: {}", own, warning);
  std::vector<std::string> warnings = plan.config.warnings;
  warnings.insert(warnings.end(), source.warnings.begin(), source.warnings.end());
  const Warmup warmup;
  const auto tap = std::make_shared<VersionTap>(version.version);
  QUIRE_ASSIGN_OR_RETURN(ModelRecipe recipe,
                         catalog_->recipe(source.source, {own}, source.overrides));
  QUIRE_ASSIGN_OR_RETURN(const ModelHost::ModelIndex model,
                         host_->stage(tap->wrap(
                             warmup.wrap(with_warnings(std::move(recipe), warnings)), tap)));
  Result<ModelLease> lease = host_->load_now(model);
  Status outcome = lease.status();
  if (lease.is_ok() && options_.check_engine) {
    outcome = options_.check_engine(plan.config, (*lease)->info);
  }
  if (outcome.is_ok()) outcome = warmup.run(**lease, plan.config.warmups, plan.folder);
  if (!outcome.is_ok()) {
    lease = ModelLease();
    const Status removed = host_->remove(model);
    if (!removed.is_ok()) spdlog::warn("{} stays in memory: {}", own, removed.message());
    return outcome;
  }
  return Served{.version = {version.version, model, own, nullptr}, .stamp = stamp,
                .config_stamp = plan.config_stamp, .tap = tap, .warnings = source.warnings};
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
    return error(StatusCode::kInvalidArgument, "it has no version{}",
                 plan.there.empty() ? "" : " that its policy serves");
  }
  const auto has_other_config = [&](const Served& it) {
    return it.config_stamp != plan.config_stamp;
  };
  plan.is_all_or_nothing = std::any_of(old.begin(), old.end(), has_other_config);
  bring_each(plan, old, chosen);
  const bool is_in_vain = plan.is_all_or_nothing || (plan.comes.empty() && plan.stays.empty());
  if (!plan.failure.is_ok() && is_in_vain) {
    give_up(plan, "another version failed");
    note_failures(plan);
    return plan.failure;
  }
  for (const Served& it : old) {
    const bool stays = find_served(plan.stays, it.version.version) != nullptr;
    if (!stays && it.version.light == nullptr) plan.goes.push_back(it.version.model);
  }
  return ok_status();
}

// From the highest on, until as many are there as were chosen.
void FolderRepository::bring_each(Plan& plan, const std::vector<Served>& old,
                                  const std::vector<std::uint64_t>& chosen) {
  const bool may_fall_back =
      plan.config.versions.kind == VersionPolicy::Kind::kLatest && !plan.is_all_or_nothing;
  std::size_t wanted = chosen.size();
  for (auto version = plan.there.rbegin(); version != plan.there.rend() && wanted > 0; ++version) {
    const std::uint64_t number = version->version;
    const bool is_chosen = std::find(chosen.begin(), chosen.end(), number) != chosen.end();
    if (!is_chosen && !(may_fall_back && !plan.failure.is_ok())) continue;
    const std::uint64_t stamp =
        hash_bytes(&version->stamp, sizeof(version->stamp), plan.config_stamp);
    const Served* former = find_served(old, number);
    if (former != nullptr && former->stamp == stamp) {
      plan.stays.push_back(*former);
      --wanted;
      continue;
    }
    if (former == nullptr) note(plan.name, number, VersionState::kLoading);
    Result<Served> brought = bring_one(plan, *version);
    if (brought.is_ok()) {
      plan.comes.push_back(*brought);
      --wanted;
      continue;
    }
    plan.failures.push_back({number, brought.status().message(), former != nullptr});
    const Status why = error(brought.status().code(), "version {}: {}", number,
                             brought.status().message());
    if (plan.failure.is_ok()) plan.failure = why;
    spdlog::error("{}: {}", plan.name, why.message());
    if (plan.is_all_or_nothing) return;
    if (former == nullptr) continue;
    plan.stays.push_back(*former);
    --wanted;
  }
}

void FolderRepository::note_failures(const Plan& plan) {
  const std::lock_guard lock(mutex_);
  VersionNotes& notes = models_[plan.name].notes;
  if (!plan.failures.empty()) notes.fail_all("");  // it is of versions now
  for (const auto& it : plan.failures) {
    notes.fail(it.version, it.reason, it.serves, plan.config_stamp);
  }
}

// What has come goes again.
void FolderRepository::give_up(const Plan& plan, const std::string& reason) {
  for (const Served& it : plan.comes) {
    if (it.version.light == nullptr) static_cast<void>(host_->remove(it.version.model).is_ok());
    const std::lock_guard lock(mutex_);
    Model& model = models_[plan.name];
    if (find_served(model.served, it.version.version) != nullptr) continue;  // its former self
    model.notes.set(it.version.version, VersionState::kUnavailable, reason);
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
    model.notes.set(it.version.version, VersionState::kUnavailable, "unloaded");
  }
  let_go(model, plan.goes);
  for (const Served& it : serving) model.notes.set(it.version.version, VersionState::kReady);
  spdlog::info("the model '{}' of the repository: version {} serves", plan.name, main);
  model.served = std::move(serving);
  model.main = main;
  model.config = std::make_shared<const ModelConfig>(std::move(plan.config));
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
  const bool is_there = !folder_of(name).empty();
  {
    const std::lock_guard lock(mutex_);
    const auto known = models_.find(name);
    if (known == models_.end()) return is_there ? ok_status() : not_here(name);  // as was wished
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
  let_go(model, change.go);
  model.notes.unload(reason);
  model.soundness = ok_status();
  model.served.clear();
  spdlog::info("the model '{}' of the repository is served no more: {}", name, reason);
  return ok_status();
}

}  // namespace quire
