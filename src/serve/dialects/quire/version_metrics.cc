#include "serve/dialects/quire/version_metrics.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "host/repository/traffic_rows.h"

namespace quire {
namespace {

struct VersionFamily {
  const char* name;
  const char* help;
  const char* type;
  double (*value)(const TrafficRow& version);
};

constexpr std::array kFamilies = {
    VersionFamily{"quire_version_share_percent", "Of the requests to a model's bare name", "gauge",
                  [](const TrafficRow& row) { return row.percent; }},
    VersionFamily{"quire_version_requests_total", "Requests that a version has got", "counter",
                  [](const TrafficRow& row) { return static_cast<double>(row.requests); }},
    VersionFamily{"quire_version_failures_total", "Of those, that failed", "counter",
                  [](const TrafficRow& row) { return static_cast<double>(row.failed); }},
    VersionFamily{"quire_version_mirrored_total", "Copies of requests, whose answers go nowhere",
                  "counter",
                  [](const TrafficRow& row) { return static_cast<double>(row.mirrored); }},
    VersionFamily{"quire_version_differences_total", "Of those, that were answered otherwise",
                  "counter",
                  [](const TrafficRow& row) { return static_cast<double>(row.different); }},
    VersionFamily{"quire_version_token_seconds", "Computing time for a token", "gauge",
                  [](const TrafficRow& row) { return row.token_s; }},
};

// A value of a label, as the format wants it.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"' || c == '\n') out += '\\';
    out += c == '\n' ? 'n' : c;
  }
  return out;
}

}  // namespace

std::string version_metrics(const ModelRepository* repository) {
  const auto* source = dynamic_cast<const TrafficSource*>(repository);
  const std::vector<TrafficRow> rows =
      source == nullptr ? std::vector<TrafficRow>() : source->traffic();
  std::string out;
  if (rows.empty()) return out;
  for (const VersionFamily& family : kFamilies) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family.name, family.help, family.name,
                       family.type);
    for (const TrafficRow& row : rows) {
      out += fmt::format("{}{{model=\"{}\",version=\"{}\"}} {}\n", family.name, escaped(row.name),
                         row.version, family.value(row));
    }
  }
  return out;
}

}  // namespace quire
