#include "host/repository/traffic_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <utility>

namespace quire {
namespace {

constexpr std::int64_t kVersionMax = std::int64_t{1} << 62;
constexpr std::size_t kStepsMax = 20;

template <typename... Args>
Status bad_plan(fmt::format_string<Args...> format, Args&&... args) {
  return Status(StatusCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

Status check_fields(const Json& json, std::string_view where,
                    std::initializer_list<std::string_view> known) {
  if (!json.is_object()) return bad_plan("'{}' must be an object", where);
  for (const auto& [name, value] : json.members()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return bad_plan("'{}' of '{}' is not known", name.substr(0, 64), where);
    }
  }
  return ok_status();
}

template <typename T>
Status read_integer(const Json& json, const char* name, std::int64_t least, std::int64_t most,
                    T& out) {
  const Json* value = json.find(name);
  if (value == nullptr) return ok_status();
  if (!value->is_int() || value->as_int() < least || value->as_int() > most) {
    return bad_plan("'{}' must be an integer from {} to {}", name, least, most);
  }
  out = static_cast<T>(value->as_int());
  return ok_status();
}

Status read_real(const Json& json, const char* name, double least, double most, double& out) {
  const Json* value = json.find(name);
  if (value == nullptr) return ok_status();
  if (!value->is_number() || value->as_double() < least || value->as_double() > most) {
    return bad_plan("'{}' must be a number from {} to {}", name, least, most);
  }
  out = value->as_double();
  return ok_status();
}

Status read_version(const Json& json, const char* where, std::uint64_t& version) {
  QUIRE_RETURN_IF_ERROR(read_integer(json, "version", 1, kVersionMax, version));
  return version > 0 ? ok_status() : bad_plan("'{}' names no 'version'", where);
}

Status read_canary(const Json& json, CanaryPlan& canary) {
  QUIRE_RETURN_IF_ERROR(check_fields(
      json, "canary", {"version", "steps", "requests", "mirror_percent", "bounds"}));
  QUIRE_RETURN_IF_ERROR(read_version(json, "canary", canary.version));
  QUIRE_RETURN_IF_ERROR(read_integer(json, "requests", 1, 1'000'000, canary.requests));
  QUIRE_RETURN_IF_ERROR(read_integer(json, "mirror_percent", 0, 100, canary.mirror_percent));
  if (const Json* steps = json.find("steps")) {
    canary.steps.clear();
    const bool is_list = steps->is_array() && steps->items().size() <= kStepsMax;
    if (!is_list) return bad_plan("'steps' must be a list of at most {} percentages", kStepsMax);
    for (const Json& step : steps->items()) {
      const std::int64_t above = canary.steps.empty() ? 0 : canary.steps.back();
      if (!step.is_int() || step.as_int() <= above || step.as_int() > 100) {
        return bad_plan("'steps' must be integers from 1 to 100, ascending");
      }
      canary.steps.push_back(static_cast<std::uint32_t>(step.as_int()));
    }
    if (canary.steps.empty() || canary.steps.back() != 100) {
      return bad_plan("'steps' must end with 100");
    }
  }
  const Json* bounds = json.find("bounds");
  if (bounds == nullptr) return ok_status();
  QUIRE_RETURN_IF_ERROR(check_fields(*bounds, "bounds", {"errors", "latency", "divergence"}));
  QUIRE_RETURN_IF_ERROR(read_real(*bounds, "errors", 0, 1, canary.bounds.errors));
  QUIRE_RETURN_IF_ERROR(read_real(*bounds, "latency", 1, 1000, canary.bounds.latency));
  return read_real(*bounds, "divergence", 0, 1, canary.bounds.divergence);
}

Status read_split(const Json& json, TrafficPlan& plan) {
  if (!json.is_object()) return bad_plan("'split' must be an object");
  std::uint64_t sum = 0;
  for (const auto& [name, weight] : json.members()) {
    std::uint64_t version = 0;
    const char* end = name.data() + name.size();
    const auto read = std::from_chars(name.data(), end, version);
    const bool is_number = read.ec == std::errc() && read.ptr == end;
    if (!is_number || version == 0 || name.front() == '0') {
      return bad_plan("'split' names '{}', which is no version", name.substr(0, 64));
    }
    if (!weight.is_int() || weight.as_int() < 0 || weight.as_int() > 10'000) {
      return bad_plan("'split' gives version {} a weight that is no integer from 0 to 10000",
                      version);
    }
    plan.split.emplace(version, static_cast<std::uint32_t>(weight.as_int()));
    sum += weight.as_uint();
  }
  return sum > 0 ? ok_status() : bad_plan("'split' gives no version a weight");
}

}  // namespace

Result<TrafficPlan> read_traffic_plan(const Json& json) {
  TrafficPlan plan;
  QUIRE_RETURN_IF_ERROR(
      check_fields(json, "traffic.json", {"stable", "split", "canary", "shadow"}));
  QUIRE_RETURN_IF_ERROR(read_integer(json, "stable", 1, kVersionMax, plan.stable));
  if (plan.stable == 0) {
    return bad_plan("'stable' is missing: the version that the bare name means");
  }
  if (const Json* split = json.find("split")) QUIRE_RETURN_IF_ERROR(read_split(*split, plan));
  if (const Json* canary = json.find("canary")) {
    QUIRE_RETURN_IF_ERROR(read_canary(*canary, plan.canary.emplace()));
    if (!plan.split.empty()) return bad_plan("'canary' excludes 'split'");
    if (plan.canary->version == plan.stable) return bad_plan("'canary' is the stable version");
  }
  if (const Json* shadow = json.find("shadow")) {
    QUIRE_RETURN_IF_ERROR(check_fields(*shadow, "shadow", {"version", "percent"}));
    ShadowPlan& to = plan.shadow.emplace();
    QUIRE_RETURN_IF_ERROR(read_version(*shadow, "shadow", to.version));
    QUIRE_RETURN_IF_ERROR(read_integer(*shadow, "percent", 1, 100, to.percent));
    if (to.version == plan.stable) return bad_plan("'shadow' is the stable version");
    if (plan.canary) return bad_plan("'shadow' excludes 'canary', which mirrors by itself");
  }
  return plan;
}

}  // namespace quire
