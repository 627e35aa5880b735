// VersionNotes: what is told of the versions of one model of a repository, by number: on their way,
// serving, gone, or why they could not be had; and what is wrong with the model as a whole. Of a
// version that failed while its former self serves on, both is told: READY, and the reason.
// Plain value; its owner's lock. Used by folder_repository.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/repository/model_repository.h"

namespace quire {

class VersionNotes {
 public:
  void set(std::uint64_t version, VersionState state, const std::string& reason = "") {
    notes_[version] = {state, reason, false, 0};
  }
  // `serves`: its former self does. `config`: the stamp of that which it failed with.
  void fail(std::uint64_t version, const std::string& reason, bool serves, std::uint64_t config);
  // Of the model as a whole: nothing could be tried. Until a load goes well.
  void fail_all(const std::string& reason) { problem_ = reason; }
  // A load went well, with this config. What failed with another one is told no more, nor of which
  // nothing is there any more; what is still as it was, is.
  void succeed(std::uint64_t config, const std::set<std::uint64_t>& there);
  void unload(const std::string& reason);  // of the model: why nothing of it serves

  bool is_empty() const { return notes_.empty(); }
  // By version; where there is none, one of version 0.
  std::vector<RepositoryRow> rows(const std::string& name) const;

 private:
  struct Note {
    VersionState state = VersionState::kUnknown;
    std::string reason;
    bool has_failed = false;
    std::uint64_t config = 0;
  };
  std::map<std::uint64_t, Note> notes_;
  std::string problem_;
  std::string unloaded_;
};

}  // namespace quire
