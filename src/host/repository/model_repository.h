// ModelRepository: a folder of models with numbered versions, as users of Triton keep it, served by
// a ModelHost: what is there, what is served, and the orders of those who operate it. A version is
// a model of the host whose own name is "NAME:VERSION"; the bare name means the highest version
// that is served. A new version is loaded and warmed beside the old one and takes the names over at
// one moment; where that fails, the old one serves on and index() says why.
// Any thread; load() and unload() wait for what they order, which may take minutes: whoever must
// not wait has them done later(). index() looks at folders, which takes as long as their disk does;
// the others do not wait. Made by apps (FolderRepository); House
// has it, null where there is none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/model_host.h"
#include "host/repository/model_config.h"

namespace quire {

enum class VersionState : std::uint8_t { kUnknown, kReady, kUnavailable, kLoading, kUnloading };
// "READY", "UNAVAILABLE", ...
std::string_view version_state_name(VersionState state);

struct RepositoryRow {
  std::string name;
  std::uint64_t version = 0;  // 0: nothing of this model was ever loaded
  VersionState state = VersionState::kUnknown;
  std::string reason;         // why it is not ready, or not the newest that there is; empty: nobody
                              // asked for it
  bool has_failed = false;    // somebody did, and could not have it, whatever serves meanwhile
};

struct LightModel;

// A version that answers requests: a model of the host, or a light one, which has no engine.
struct ServedVersion {
  std::uint64_t version = 0;
  ModelHost::ModelIndex model = 0;  // of a light one kNoModel
  std::string host_name;  // by which it can be leased: "NAME:VERSION"
  std::shared_ptr<const LightModel> light;  // null: it is a model of the host
};
inline constexpr auto kNoModel = static_cast<ModelHost::ModelIndex>(-1);

class ModelRepository {
 public:
  enum class Control : std::uint8_t { kNone, kPoll, kExplicit };

  virtual ~ModelRepository() = default;

  virtual Control control() const = 0;

  // Every version that is or was served, and every model that is there; by name, then version.
  virtual std::vector<RepositoryRow> index() const = 0;
  // The same without a look at the folders, whose disk may not answer: as of the last look.
  virtual std::vector<RepositoryRow> known_rows() const = 0;

  virtual bool has(std::string_view name) const = 0;  // there is such a model, or it is served

  // Loads what the policy chooses, or what has changed since, or has left the memory. `config`: in
  // place of config.pbtxt.
  // kUnavailable: not in this mode of control. kNotFound: no such model. kInvalidArgument and
  // kUnsupported: its config. Else why its versions cannot be served; those before serve on.
  virtual Status load(const std::string& name, const std::optional<Json>& config = {}) = 0;

  // Its versions are found no more and go when their users have finished. `dependents`: of an
  // ensemble, the models of its steps go too, but for those that another one served uses.
  // kUnavailable and kNotFound as above.
  virtual Status unload(const std::string& name, bool dependents = false) = 0;

  // Runs it on the repository's own thread, one after the other. kResourceExhausted: kOrdersMax
  // wait already.
  static constexpr std::size_t kOrdersMax = 64;
  virtual Status later(std::function<void()> work) = 0;

  // Of the model as it is served, not copied. Null: it is not.
  virtual std::shared_ptr<const ModelConfig> config(std::string_view name) const = 0;
  virtual bool has_response_cache(std::string_view name) const = 0;  // what its config says of that
  virtual std::vector<ServedVersion> versions(std::string_view name) const = 0;  // ascending
  // What of the config and the files of what is served does nothing here.
  virtual std::vector<std::string> warnings(std::string_view name) const = 0;
  // Not ok: an ensemble that serves, whose steps' models have changed so that it fits no more.
  virtual Status soundness(std::string_view name) const = 0;

  // Who answers: that version, or with 0 the one that the bare name means. kNotFound.
  virtual Result<ServedVersion> resolve(std::string_view name, std::uint64_t version) const = 0;
};

}  // namespace quire
