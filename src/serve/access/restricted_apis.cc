#include "serve/access/restricted_apis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/text/ascii.h"

namespace quire {
namespace {

constexpr std::size_t kRulesMax = 64;
constexpr std::size_t kRuleSizeMax = 4096;  // bytes
constexpr std::string_view kGrpcPrefix = "triton-grpc-protocol-";
constexpr std::string_view kService = "/inference.GRPCInferenceService/";

constexpr std::string_view kGroups[] = {"health",       "metadata",         "inference",
                                        "shared-memory", "model-config",    "model-repository",
                                        "statistics",   "trace",            "logging"};

struct Words {
  std::string_view word, group;
};

// Of a pattern behind /v2; the first that fits, by its end or by its beginning.
constexpr Words kEnds[] = {{"/infer", "inference"},          {"/generate", "inference"},
                           {"/generate_stream", "inference"}, {"/trace/setting", "trace"},
                           {"/config", "model-config"},      {"/stats", "statistics"},
                           {"/ready", "health"}};
constexpr Words kBeginnings[] = {{"/health/", "health"},
                                 {"/repository/", "model-repository"},
                                 {"/systemsharedmemory/", "shared-memory"},
                                 {"/cudasharedmemory/", "shared-memory"},
                                 {"/logging", "logging"},
                                 {"/", "metadata"}};
// Of a method's name, by a part of it.
constexpr Words kMethods[] = {{"SharedMemory", "shared-memory"}, {"Repository", "model-repository"},
                              {"Infer", "inference"},            {"Statistics", "statistics"},
                              {"Config", "model-config"},        {"Trace", "trace"},
                              {"Log", "logging"},                {"Metadata", "metadata"},
                              {"Live", "health"},                {"Ready", "health"}};

std::string_view group_of(std::string_view pattern) {
  if (pattern.starts_with("/grpc.health.")) return "health";
  if (pattern.starts_with(kService)) {
    pattern.remove_prefix(kService.size());
    for (const auto& [word, group] : kMethods) {
      if (pattern.find(word) != std::string_view::npos) return group;
    }
    return {};
  }
  // The same orders by our own names.
  const bool is_of_model = pattern.starts_with("/quire/models/");
  if (is_of_model || pattern.starts_with("/quire/repository")) return "model-repository";
  if (pattern == "/v2") return "metadata";
  if (!pattern.starts_with("/v2/")) return {};
  pattern.remove_prefix(3);
  for (const auto& [word, group] : kBeginnings) {
    if (word != "/" && pattern.starts_with(word)) return group;
  }
  for (const auto& [word, group] : kEnds) {
    if (pattern.ends_with(word)) return group;
  }
  return "metadata";
}

// Takes as long whatever is wrong with it.
bool is_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other);
  }
  return difference == 0;
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kOthers = "-_.!#$%&'*+^`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    return is_word || kOthers.find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<RestrictedApis> RestrictedApis::from(const std::vector<std::string>& rules,
                                            const char* flag, std::string_view prefix) {
  RestrictedApis made;
  if (rules.size() > kRulesMax) {
    return error(StatusCode::kInvalidArgument, "{}: at most {} rules", flag, kRulesMax);
  }
  for (const std::string& rule : rules) {
    const std::size_t colon = rule.find(':'), equals = rule.find('=', colon + 1);
    const bool is_rule = rule.size() <= kRuleSizeMax && colon != std::string::npos &&
                         equals != std::string::npos && equals + 1 < rule.size();
    const std::string name =
        is_rule ? lower_ascii(std::string_view(rule).substr(colon + 1, equals - colon - 1)) : "";
    if (!is_header_name(name)) {  // the rule is not shown: it has a secret
      return error(StatusCode::kInvalidArgument,
                   "{}: expected GROUP[,GROUP...]:HEADER=VALUE, such as "
                   "model-repository,logging:admin-key=secret", flag);
    }
    std::string_view groups = std::string_view(rule).substr(0, colon);
    while (true) {
      const std::string_view group = groups.substr(0, groups.find(','));
      if (std::find(std::begin(kGroups), std::end(kGroups), group) == std::end(kGroups)) {
        return error(StatusCode::kInvalidArgument, "{}: there is no group '{}'; there are {}", flag,
                     group, fmt::join(kGroups, ", "));
      }
      for (const Rule& other : made.rules_) {
        if (other.group != group) continue;
        return error(StatusCode::kInvalidArgument, "{}: '{}' is in two rules", flag, group);
      }
      made.rules_.push_back({std::string(group), std::string(prefix) + name,
                             rule.substr(equals + 1)});
      if (group.size() == groups.size()) break;
      groups.remove_prefix(group.size() + 1);
    }
  }
  return made;
}

Result<RestrictedApis> RestrictedApis::of_http(const std::vector<std::string>& rules) {
  return from(rules, "--http-restricted-api", "");
}

Result<RestrictedApis> RestrictedApis::of_grpc(const std::vector<std::string>& rules) {
  QUIRE_ASSIGN_OR_RETURN(RestrictedApis made,
                         from(rules, "--grpc-restricted-protocol", kGrpcPrefix));
  made.thing_ = "protocol";
  return made;
}

std::string RestrictedApis::refusal(std::string_view pattern, const http::Request& head) const {
  if (rules_.empty()) return {};
  const std::string_view group = group_of(pattern);
  for (const Rule& rule : rules_) {
    if (rule.group != group) continue;
    const std::string* given = head.count(rule.header) == 1 ? head.find(rule.header) : nullptr;
    if (given != nullptr && is_secret(*given, rule.value)) return {};
    return fmt::format("This {} is restricted, expecting header '{}'", thing_, rule.header);
  }
  return {};
}

}  // namespace quire
