#include "host/repository/files/version_notes.h"

#include <algorithm>

namespace quire {

void VersionNotes::fail(std::uint64_t version, const std::string& reason, bool serves,
                        std::uint64_t config) {
  const VersionState state = serves ? VersionState::kReady : VersionState::kUnavailable;
  notes_[version] = {state, reason, true, config};
}

void VersionNotes::succeed(std::uint64_t config, const std::set<std::uint64_t>& there) {
  problem_.clear();
  unloaded_.clear();
  std::erase_if(notes_, [&](const auto& it) {
    const auto& [version, note] = it;
    const bool is_over = note.config != config || !there.contains(version);
    return note.has_failed && note.state != VersionState::kReady && is_over;
  });
}

void VersionNotes::unload(const std::string& reason) {
  problem_.clear();
  unloaded_ = reason;
  std::erase_if(notes_, [](const auto& it) {
    return it.second.has_failed && it.second.state != VersionState::kReady;
  });
  for (auto& [_, note] : notes_) {
    if (note.state == VersionState::kReady) note = {VersionState::kUnavailable, reason, false, 0};
  }
}

std::vector<RepositoryRow> VersionNotes::rows(const std::string& name) const {
  std::vector<RepositoryRow> rows;
  for (const auto& [version, note] : notes_) {
    RepositoryRow& row = rows.emplace_back();
    row = {name, version, note.state, note.reason, note.has_failed};
    if (problem_.empty() || note.has_failed || note.state == VersionState::kUnavailable) continue;
    row.reason = problem_;
    row.has_failed = true;
  }
  const auto tells = [](const RepositoryRow& row) { return row.has_failed; };
  if (!problem_.empty() && !rows.empty() && std::none_of(rows.begin(), rows.end(), tells)) {
    rows.back().reason = problem_;  // none serves
    rows.back().has_failed = true;
  }
  if (rows.empty()) {
    rows.push_back({name, 0, VersionState::kUnavailable, problem_.empty() ? unloaded_ : problem_,
                    !problem_.empty()});
  }
  return rows;
}

}  // namespace quire
