#include "apps/traces/otel_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "apps/version.h"
#include "base/text/ascii.h"

namespace quire {
namespace {

using Variables = std::function<std::optional<std::string>(const std::string& name)>;

constexpr const char* kFlag = "--otlp-traces-endpoint";
constexpr const char* kUnused[] = {
    "OTEL_EXPORTER_OTLP_TIMEOUT",     "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",  "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_INSECURE",    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_BSP_SCHEDULE_DELAY",        "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_EXPORT_TIMEOUT",        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_PROPAGATORS",               "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_METRICS_EXPORTER",          "OTEL_LOGS_EXPORTER"};

std::string text_of(const Variables& value, const char* name) {
  return value(name).value_or(std::string());
}

// "key=value,key=value", as W3C Baggage writes them.
Result<SpanResource> read_pairs(const char* name, std::string_view text) {
  SpanResource pairs;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    if (equals == 0 || equals == item.npos) {
      return error(StatusCode::kInvalidArgument, "{}: expected NAME=VALUE, got '{}'", name, item);
    }
    pairs.emplace_back(percent_decoded(trimmed(item.substr(0, equals))),
                       percent_decoded(trimmed(item.substr(equals + 1))));
  }
  return pairs;
}

Result<TraceSampling> read_sampling(const Variables& value) {
  TraceSampling sampling;
  std::string name = text_of(value, "OTEL_TRACES_SAMPLER");
  const std::string asked = name;
  if (name.empty()) return sampling;
  constexpr std::string_view kParent = "parentbased_";
  sampling.heeds_parent = name.starts_with(kParent);
  if (sampling.heeds_parent) name.erase(0, kParent.size());
  if (name == "always_on") return sampling;
  if (name == "always_off") {
    sampling.share = 0;
    return sampling;
  }
  if (name != "traceidratio") {
    return error(StatusCode::kInvalidArgument,
                 "OTEL_TRACES_SAMPLER: expected always_on, always_off, traceidratio or one of them "
                 "behind parentbased_, got '{}'", asked);
  }
  const std::string text = text_of(value, "OTEL_TRACES_SAMPLER_ARG");
  if (text.empty()) return sampling;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), sampling.share);
  if (failure != std::errc() || end != text.data() + text.size() ||
      !(sampling.share >= 0 && sampling.share <= 1)) {
    return error(StatusCode::kInvalidArgument,
                 "OTEL_TRACES_SAMPLER_ARG: expected a share from 0 to 1, got '{}'", text);
  }
  return sampling;
}

// A password stays out of the log.
std::string shown_url(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  const std::size_t at = url.rfind('@', url.find('/', begin));
  return at == url.npos || at < begin ? url : url.substr(0, begin) + "..." + url.substr(at);
}

// Where spans are posted to: a URL without a path is a collector's, one of the traces' own is meant
// as it stands.
Result<std::string> url_of(const char* name, std::string url, bool is_as_is) {
  const std::size_t scheme = url.find("://");
  const bool is_http = url.starts_with("http://") || url.starts_with("https://");
  if (!is_http || url.size() == scheme + 3) {
    return error(StatusCode::kInvalidArgument,
                 "{}: spans are sent over OTLP/HTTP, to an http:// or https:// address such as "
                 "http://127.0.0.1:4318; got '{}'", name, shown_url(url));
  }
  const std::size_t path = url.find('/', scheme + 3);
  const bool has_path = path != url.npos && path + 1 < url.size();
  if (is_as_is && has_path) return url;
  if (url.ends_with('/')) url.pop_back();
  return is_as_is && name != kFlag ? url : url + "/v1/traces";
}

void say_what_does_nothing(const Variables& value, std::vector<std::string>& said) {
  for (const char* name : kUnused) {
    if (const auto text = value(name); text && !text->empty()) {
      said.push_back(fmt::format("{}={} does nothing here", name, *text));
    }
  }
  if (const std::string text = text_of(value, "OTEL_TRACES_EXPORTER");
      !text.empty() && text != "otlp") {
    said.push_back(fmt::format("OTEL_TRACES_EXPORTER={}: spans are sent by otlp", text));
  }
  for (const char* name : {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}) {
    const std::string text = text_of(value, name);
    if (text.empty() || text == "http/json") continue;
    said.push_back(fmt::format("{}={}: spans are sent as http/json", name, text));
  }
}

struct Endpoint {
  const char* name = nullptr;  // of the flag or variable; null: there is none
  std::string url;
  bool is_as_is = true;
};

Endpoint find_endpoint(const std::string& flag, const Variables& value) {
  if (!flag.empty()) return {kFlag, flag, true};
  const bool is_off = lower_ascii(text_of(value, "OTEL_SDK_DISABLED")) == "true" ||
                      text_of(value, "OTEL_TRACES_EXPORTER") == "none";
  if (is_off) return {};
  constexpr const char* kTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  constexpr const char* kAll = "OTEL_EXPORTER_OTLP_ENDPOINT";
  if (std::string url = text_of(value, kTraces); !url.empty()) return {kTraces, url, true};
  if (std::string url = text_of(value, kAll); !url.empty()) return {kAll, url, false};
  return {};
}

Result<SpanResource> read_resource(const std::string& flag, const Variables& value) {
  constexpr const char* kAttributes = "OTEL_RESOURCE_ATTRIBUTES";
  QUIRE_ASSIGN_OR_RETURN(SpanResource resource,
                         read_pairs(kAttributes, text_of(value, kAttributes)));
  const auto set = [&](const char* key, std::string text, bool overrules) {
    const auto known = std::find_if(resource.begin(), resource.end(),
                                    [&](const auto& pair) { return pair.first == key; });
    if (known == resource.end()) {
      resource.emplace_back(key, std::move(text));
    } else if (overrules) {
      known->second = std::move(text);
    }
  };
  const std::string name = flag.empty() ? text_of(value, "OTEL_SERVICE_NAME") : flag;
  set("service.name", name.empty() ? "quire" : name, !name.empty());
  set("service.version", QUIRE_VERSION, false);
  return resource;
}

// Those of the traces' own, else those of all signals.
Result<std::vector<std::string>> read_headers(const Variables& value) {
  const char* name = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
  if (text_of(value, name).empty()) name = "OTEL_EXPORTER_OTLP_HEADERS";
  QUIRE_ASSIGN_OR_RETURN(const SpanResource pairs, read_pairs(name, text_of(value, name)));
  std::vector<std::string> headers;
  for (const auto& [key, text] : pairs) {
    headers.push_back(key + ": " + text);
    if (headers.back().find_first_of("\r\n") != std::string::npos) {
      return error(StatusCode::kInvalidArgument, "{}: a line break in '{}'", name, key);
    }
  }
  return headers;
}

}  // namespace

Result<TraceSetup> read_trace_setup(const TraceArguments& arguments, const Variables& value) {
  TraceSetup setup;
  const Endpoint found = find_endpoint(arguments.endpoint, value);
  if (found.name == nullptr) return setup;
  SpanExporterOptions exporter;
  QUIRE_ASSIGN_OR_RETURN(exporter.url, url_of(found.name, found.url, found.is_as_is));
  QUIRE_ASSIGN_OR_RETURN(exporter.resource, read_resource(arguments.service_name, value));
  QUIRE_ASSIGN_OR_RETURN(exporter.headers, read_headers(value));
  QUIRE_ASSIGN_OR_RETURN(setup.sampling, read_sampling(value));
  setup.said.push_back(fmt::format("traces are told to {} ({})", shown_url(exporter.url),
                                   found.name));
  if (exporter.url.find(":4317") != std::string::npos) {
    setup.said.emplace_back("collectors usually speak gRPC at port 4317, and OTLP/HTTP at 4318");
  }
  say_what_does_nothing(value, setup.said);
  setup.exporter = std::move(exporter);
  return setup;
}

}  // namespace quire
