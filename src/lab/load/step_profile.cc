#include "lab/load/step_profile.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace quire {
namespace {

constexpr std::string_view kPhaseSum = "quire_step_phase_seconds_sum{phase=\"";

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// The value of a series, given with its labels; 0 if it is not there.
double value_of(std::string_view metrics, std::string_view series) {
  for (std::size_t at = metrics.find(series); at != metrics.npos;
       at = metrics.find(series, at + 1)) {
    const bool is_line_start = at == 0 || metrics[at - 1] == '\n';
    const std::string_view rest = metrics.substr(at + series.size());
    if (is_line_start && rest.starts_with(' ')) return number_of(rest.substr(1)).value_or(0);
  }
  return 0;
}

// The names of phases in a text of /metrics.
std::vector<std::string> phases_in(std::string_view metrics) {
  std::vector<std::string> names;
  for (std::size_t at = metrics.find(kPhaseSum); at != metrics.npos;
       at = metrics.find(kPhaseSum, at + 1)) {
    const std::string_view rest = metrics.substr(at + kPhaseSum.size());
    names.emplace_back(rest.substr(0, rest.find('"')));
  }
  return names;
}

}  // namespace

double StepProfile::busy_seconds() const {
  double sum = 0;
  for (const Phase& phase : phases) sum += phase.seconds;
  return sum;
}

double StepProfile::host_seconds() const {
  double sum = io_seconds;
  for (const Phase& phase : phases) sum += phase.name == "model" ? 0 : phase.seconds;
  return sum;
}

Result<StepProfile> step_profile(std::string_view before, std::string_view after) {
  const auto growth = [&](std::string_view series) {
    return value_of(after, series) - value_of(before, series);
  };
  StepProfile profile;
  profile.steps = growth("quire_step_seconds_count");
  profile.io_seconds = growth("quire_io_thread_cpu_seconds_total");
  for (std::string& name : phases_in(after)) {
    const double seconds = growth(fmt::format("{}{}\"}}", kPhaseSum, name));
    if (name == "turn") continue;  // other models' time
    if (name == "idle") {
      profile.idle_seconds = seconds;
    } else {
      profile.phases.push_back({std::move(name), seconds});
    }
  }
  if (profile.phases.empty() || profile.steps <= 0) {
    return error(StatusCode::kUnsupported, "the server's /metrics tell no phases of steps");
  }
  return profile;
}

std::string profile_table(const StepProfile& profile) {
  const double busy = profile.busy_seconds();
  std::string text = fmt::format("profile   {:.0f} steps of {:.3f} ms; {:.2f} s asleep\n",
                                 profile.steps, busy / profile.steps * 1e3, profile.idle_seconds);
  const auto add = [&](std::string_view name, double seconds) {
    text += fmt::format("  {:<24}{:>10.4f} ms{:>9.2f} %\n", name, seconds / profile.steps * 1e3,
                        100 * seconds / busy);
  };
  for (const StepProfile::Phase& phase : profile.phases) add(phase.name, phase.seconds);
  add("HTTP thread, beside it", profile.io_seconds);
  add("all but the model", profile.host_seconds());
  return text;
}

Json profile_json(const StepProfile& profile) {
  Json phases = Json::object();
  for (const StepProfile::Phase& phase : profile.phases) phases.set(phase.name, phase.seconds);
  return Json::object({{"steps", profile.steps},
                       {"idle_seconds", profile.idle_seconds},
                       {"busy_seconds", profile.busy_seconds()},
                       {"phase_seconds", std::move(phases)},
                       {"http_thread_seconds", profile.io_seconds},
                       {"host_seconds", profile.host_seconds()},
                       {"host_share", profile.host_seconds() / profile.busy_seconds()}});
}

}  // namespace quire
