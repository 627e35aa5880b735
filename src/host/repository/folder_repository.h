// FolderRepository: ModelRepository over folders of this machine: FOLDER/NAME/{config.pbtxt, 1, 2,
// ...}. One change at a time: what the config and its policy choose is compared with what is
// served, new versions are staged, loaded and warmed, and one switch of names ends it.
//
// What goes wrong. A config that any version fails with changes nothing where versions serve.
// Otherwise a version that cannot be loaded is passed over for the next lower one, as far as the
// policy is "latest"; of "all" and "specific" those that can be loaded are served; and where its
// former self serves, that goes on. index() tells the reason. A version that failed is tried again
// when something in its folder or in the config has changed, or when it is loaded by hand.
//
// An ensemble and other models without an engine are LightModels: nothing is hosted for them. What
// an ensemble's steps name is loaded with it, as far as it is not served, and looked at with it.
// Whether an ensemble still fits is asked anew whenever a model is switched.
//
// Polling looks at names, sizes and times of files every poll_period, on the repository's thread. A
// model whose folder is gone, or all of its versions, is unloaded; but for one that cannot be
// looked at, be it its folder or the whole repository: that serves on. index() looks at names
// itself; who must not wait for a disk asks known_rows().
// Bounds: kModelsMax models. Any thread. Made by apps (serve).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "host/repository/ensemble/ensemble_graph.h"
#include "host/repository/ensemble/step_book.h"
#include "host/repository/files/canary_book.h"
#include "host/repository/files/model_folders.h"
#include "host/repository/files/version_notes.h"
#include "host/repository/model_repository.h"
#include "host/repository/traffic.h"
#include "host/repository/version_folder.h"

namespace quire {

struct RepositoryOptions {
  std::vector<std::string> folders;  // of two models with one name the first folder's is served
  ModelRepository::Control control = ModelRepository::Control::kNone;
  std::vector<std::string> first;    // explicit: loaded at the start; "*": all that are there
  Nanos poll_period = std::chrono::seconds(15);
  std::string canary_folder;         // of what canaries have come to; empty: they begin anew
  bool keeps_answers = false;        // the server has a response cache; else configs that want it
                                     // are told that it does nothing
  // Answers the warm-up of a model without an engine, whose folder this is, before it is served;
  // empty: there is none. Not ok: the version is not served.
  std::function<Status(const LightModel& model, const std::string& folder)> warm_light = {};
  // Whether what the config of a model with an engine says of its tensors can be true; empty:
  // nobody asks. Not ok: the version is not served.
  std::function<Status(const ModelConfig& config, const ModelInfo& info)> check_engine = {};
  std::function<void()> when_changed = {};  // other versions are served now; must not wait
};

class FolderRepository final : public ModelRepository, public TrafficSource {
 public:
  static constexpr std::size_t kModelsMax = kFolderModelsMax;

  FolderRepository(RepositoryOptions options, ModelHost& host, const ModelCatalog& catalog);
  FolderRepository(const FolderRepository&) = delete;
  FolderRepository& operator=(const FolderRepository&) = delete;
  ~FolderRepository() override;

  // Loads what the mode of control says and begins to poll. Not ok: the folder is none, or a model
  // cannot be loaded; those that can are served all the same.
  Status start();
  // One look, as polling has them: loads and unloads what has changed.
  void look();

  Control control() const override { return options_.control; }
  std::vector<RepositoryRow> index() const override;  // after a look at the names that are there
  std::vector<RepositoryRow> known_rows() const override;
  bool has(std::string_view name) const override;  // as of the last look
  Status load(const std::string& name, const std::optional<Json>& config = {}) override;
  Status unload(const std::string& name, bool dependents = false) override;
  Status later(std::function<void()> work) override;
  std::shared_ptr<const ModelConfig> config(std::string_view name) const override;
  bool has_response_cache(std::string_view name) const override;
  std::vector<ServedVersion> versions(std::string_view name) const override;
  std::vector<std::string> warnings(std::string_view name) const override;
  Status soundness(std::string_view name) const override;
  std::vector<TrafficRow> traffic() const override;
  Result<ServedVersion> resolve(std::string_view name, std::uint64_t version) const override;

 private:
  struct Served {
    ServedVersion version;
    std::uint64_t stamp = 0;  // of its folder and of the config that it was loaded with
    std::uint64_t config_stamp = 0;
    std::shared_ptr<VersionTap> tap;  // null: a light one
    std::vector<std::string> warnings;  // of its files
  };
  struct Model {
    std::shared_ptr<const ModelConfig> config;  // of what is served; null: nothing ever was
    std::vector<Served> served;  // ascending
    std::uint64_t main = 0;      // the version that the bare name means; but for traffic's
    std::shared_ptr<Traffic> traffic;  // null: there is no traffic.json
    std::uint64_t traffic_stamp = 0;
    VersionNotes notes;
    std::vector<ServedVersion> leaving;  // go when their users have finished
    Status soundness;            // of an ensemble
    std::string root;            // of the repository's folders, the one where it was tried
    std::uint64_t tried = 0;     // the stamp of all at the last try; 0: none
  };
  struct Plan;

  static const Served* find_served(const std::vector<Served>& served, std::uint64_t version);
  void let_go(Model& model, const std::vector<ModelHost::ModelIndex>& goes) const;
  Status end_without_versions(const std::string& name, const Status& why);
  Status load_now(const std::string& name, const std::optional<Json>& config);
  Status unload_now(const std::string& name, const char* reason);
  Status fetch(const std::string& name);
  Result<Plan> plan(const std::string& name, const std::optional<Json>& config);
  Status bring(Plan& plan);
  void bring_each(Plan& plan, const std::vector<Served>& old,
                  const std::vector<std::uint64_t>& chosen);
  Result<Served> bring_one(const Plan& plan, const VersionFolder& version);
  Result<EnsembleGraph> bring_steps(const ModelConfig& config);
  void give_up(const Plan& plan, const std::string& reason);
  void note_failures(const Plan& plan);
  void check_ensembles();
  Result<ModelConfig> step_config(const std::string& name, std::uint64_t version) const;
  Status read_traffic(Plan& plan);
  Status carry_out(const ModelSwitch& change);
  Status take_over(Plan& plan);
  void direct(Plan& plan, const std::vector<Served>& serving);
  Status fail(const std::string& name, const Status& reason);
  void note(const std::string& name, std::uint64_t version, VersionState state,
            const std::string& reason = "");
  FoundModels find_all() const;
  void find_hidden(FoundModels& found) const;
  void tell_unread(const FoundModels& found);
  std::string folder_of(std::string_view name) const {  // empty: there is none
    return find_model_folder(options_.folders, name);
  }
  std::uint64_t stamp_of_model(const std::string& name) const;
  void set_tried(const std::string& name);
  bool has_changed(const std::string& name) const;  // since it was tried
  void keep();  // the thread

  RepositoryOptions options_;
  ModelHost* host_;
  const ModelCatalog* catalog_;
  CanaryBook canaries_{options_.canary_folder};

  std::mutex change_mutex_;  // one change at a time; before mutex_
  std::set<std::string> told_;  // under change_mutex_: what a look said, and says once
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;
  bool is_polling_ = false;
  std::deque<std::function<void()>> orders_;
  StepBook steps_;
  mutable FoundModels found_;  // by the last look, at names at least
  std::map<std::string, Model, std::less<>> models_;  // that were ever tried

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace quire
