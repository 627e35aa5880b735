#include "host/served_names.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace quire {
namespace {

// Of "NAME:VERSION"; empty: the name is of another kind.
std::string_view bare_of(std::string_view own) {
  const std::size_t colon = own.rfind(':');
  if (colon == own.npos || colon + 1 == own.size()) return {};
  const bool is_number = own.find_first_not_of("0123456789", colon + 1) == own.npos;
  return is_number ? own.substr(0, colon) : std::string_view();
}

bool has_bare_name(const ModelRow& row) { return !bare_name(row.names).empty(); }

}  // namespace

std::string_view bare_name(const std::vector<std::string>& names) {
  const std::string_view bare = names.empty() ? std::string_view() : bare_of(names.front());
  return std::find(names.begin(), names.end(), bare) != names.end() ? bare : std::string_view();
}

void put_served_first(std::vector<ModelRow>& rows) {
  for (auto row = rows.begin(); row != rows.end(); ++row) {
    const std::string_view bare = bare_of(row->names.front());
    if (bare.empty() || has_bare_name(*row)) continue;
    const auto holder = std::find_if(std::next(row), rows.end(), [&](const ModelRow& other) {
      return has_bare_name(other) && bare_of(other.names.front()) == bare;
    });
    if (holder != rows.end()) std::rotate(row, holder, std::next(holder));
  }
}

std::vector<ModelRow> served_rows(const ModelHost& host) {
  std::vector<ModelRow> rows = host.rows();
  put_served_first(rows);
  return rows;
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
