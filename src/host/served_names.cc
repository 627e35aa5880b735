#include "host/served_names.h"

#include <algorithm>
#include <map>
#include <numeric>
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
  std::map<std::string, std::size_t> firsts;  // where the first version of each bare name stands
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string bare(bare_of(rows[i].names.front()));
    if (!bare.empty()) firsts.emplace(bare, i);
  }
  std::vector<std::size_t> places(rows.size());  // of each row: its own, the holder's the first
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_holder = has_bare_name(rows[i]);
    places[i] = 2 * (is_holder ? firsts[std::string(bare_of(rows[i].names.front()))] : i) +
                (is_holder ? 0 : 1);
  }
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  std::vector<ModelRow> sorted;
  sorted.reserve(rows.size());
  for (const std::size_t i : order) sorted.push_back(std::move(rows[i]));
  rows = std::move(sorted);
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
