#include "host/served_names.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace quire {
namespace {

// Empty: the name is of another kind.
std::string_view bare_of(std::string_view own) {
  const auto parts = version_parts(own);
  return parts ? parts->name : std::string_view();
}

bool has_bare_name(const ModelRow& row) { return !bare_name(row.names).empty(); }

// Who has a bare name comes to where the first of its versions stands.
std::vector<ModelRow> with_served_first(std::vector<ModelRow> rows) {
  std::map<std::string, std::size_t> holders;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (has_bare_name(rows[i])) holders.emplace(bare_of(rows[i].names.front()), i);
  }
  std::vector<ModelRow> sorted;
  std::vector<bool> is_there(rows.size());
  const auto take = [&](std::size_t i) {
    if (!is_there[i]) sorted.push_back(std::move(rows[i]));
    is_there[i] = true;
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_there[i]) continue;
    const auto holder = holders.find(std::string(bare_of(rows[i].names.front())));
    if (holder != holders.end()) take(holder->second);
    take(i);
  }
  return sorted;
}

}  // namespace

std::optional<VersionParts> version_parts(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon == name.npos) return std::nullopt;
  const VersionParts parts{name.substr(0, colon), name.substr(colon + 1)};
  constexpr std::size_t kDigitsMax = 19;  // of 64 bits
  const bool is_number = !parts.version.empty() && parts.version.size() <= kDigitsMax &&
                         parts.version.front() != '0' &&
                         parts.version.find_first_not_of("0123456789") == name.npos;
  return is_number ? std::optional(parts) : std::nullopt;
}

std::string_view bare_name(const std::vector<std::string>& names) {
  const std::string_view bare = names.empty() ? std::string_view() : bare_of(names.front());
  return std::find(names.begin(), names.end(), bare) != names.end() ? bare : std::string_view();
}

std::vector<ModelRow> served_rows(const ModelHost& host) {
  return with_served_first(host.rows());
}

std::vector<std::string> served_names(const ModelRow& row) {
  std::vector<std::string> names;
  if (has_bare_name(row)) names.emplace_back(bare_of(row.names.front()));
  for (const std::string& name : row.names) {
    const bool is_there = std::find(names.begin(), names.end(), name) != names.end();
    if (name != kAnyName && !is_there) names.push_back(name);
  }
  return names;
}

std::optional<std::string> first_served_name(const ModelHost& host) {
  const std::vector<ModelRow> rows = served_rows(host);
  if (rows.empty()) return std::nullopt;
  return served_names(rows.front()).front();
}

std::optional<std::string> only_served_name(const ModelHost& host) {
  const std::vector<ModelRow> rows = served_rows(host);
  if (rows.empty()) return std::nullopt;
  const ModelRow& first = rows.front();
  const bool is_only = std::all_of(rows.begin() + 1, rows.end(), [&](const ModelRow& row) {
    return has_bare_name(first) && bare_of(row.names.front()) == bare_of(first.names.front());
  });
  return is_only ? std::optional(served_names(first).front()) : std::nullopt;
}

}  // namespace quire
