#include "serve/dialects/anthropic/request.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {
namespace {

constexpr std::size_t kStopsMax = 64;
constexpr std::size_t kStopSizeMax = 4096;    // bytes
constexpr std::size_t kUserIdSizeMax = 1024;  // bytes; the service's 256 is too few for its agents

// What the service hosts beside a model. An empty list is no wish.
constexpr std::string_view kHosted[] = {"container", "context_management", "diagnostics",
                                        "inference_geo", "mcp_servers"};

// Betas that ask for nothing, or for what is always on here.
constexpr std::string_view kBetas[] = {
    "claude-code-", "context-1m-", "extended-cache-ttl-", "fine-grained-tool-streaming-",
    "interleaved-thinking-", "max-tokens-", "message-batches-", "oauth-", "output-128k-",
    "prompt-caching-", "token-counting-", "token-efficient-tools-"};

void read_stops(Fields& fields, SamplingParams& params) {
  const Json* stops = fields.any("stop_sequences");
  if (stops == nullptr) return;
  if (!stops->is_array() || stops->items().size() > kStopsMax) {
    return fields.fail(bad_field("stop_sequences", fmt::format("expected a list of at most {} "
                                                               "strings", kStopsMax)));
  }
  for (std::size_t i = 0; i < stops->items().size(); ++i) {
    const Json& stop = stops->items()[i];
    if (!stop.is_string() || stop.as_string().empty() || stop.as_string().size() > kStopSizeMax) {
      return fields.fail(bad_field(fmt::format("stop_sequences.{}", i),
                                   fmt::format("expected a string of 1 to {} bytes, got {}",
                                               kStopSizeMax, shown(stop))));
    }
    params.stop_strings.push_back(stop.as_string());
  }
}

void read_metadata(Fields& fields) {
  const Json* metadata = fields.any("metadata");
  if (metadata == nullptr) return;
  if (!metadata->is_object()) return fields.fail(bad_field("metadata", "expected an object"));
  const Json* user = metadata->find("user_id");
  const bool is_good = user == nullptr || user->is_null() ||
                       (user->is_string() && user->as_string().size() <= kUserIdSizeMax);
  if (is_good) return;
  fields.fail(bad_field("metadata.user_id",
                        fmt::format("expected a string of at most {} bytes", kUserIdSizeMax)));
}

void read_service_tier(Fields& fields) {
  const std::string* tier = fields.text("service_tier", kStopSizeMax);
  if (tier == nullptr || *tier == "auto" || *tier == "standard_only") return;
  fields.fail(bad_field("service_tier", "expected auto or standard_only"));
}

// "fast" is a wish that there is nothing to do for.
void read_speed(Fields& fields, AnthropicWarnings& notes) {
  const std::string* speed = fields.text("speed", kStopSizeMax);
  if (speed == nullptr || *speed == "standard") return;
  if (*speed != "fast") return fields.fail(bad_field("speed", "expected standard or fast"));
  notes.add("ignored_parameter", "speed", "There is one speed here.");
}

// How hard to think is a wish.
void read_output_config(Fields& fields, AnthropicWarnings& notes) {
  const Json* config = fields.any("output_config");
  if (config == nullptr) return;
  if (!config->is_object()) return fields.fail(bad_field("output_config", "expected an object"));
  for (const auto& [name, value] : config->members()) {
    if (value.is_null()) continue;
    if (name == "format" || name == "effort") continue;  // read elsewhere
    const std::string path = "output_config." + name;
    notes.add("ignored_parameter", path, "It changes nothing here.");
  }
}

// "a, b" or several headers: their names, blanks around them cut off.
std::vector<std::string> beta_names(const http::Request& request) {
  std::vector<std::string> names;
  for (const http::Header& header : request.headers) {
    if (header.name != "anthropic-beta") continue;
    for (std::size_t at = 0; at < header.value.size();) {
      const std::size_t end = std::min(header.value.find(',', at), header.value.size());
      const std::string_view name = std::string_view(header.value).substr(at, end - at);
      const std::size_t first = name.find_first_not_of(" \t");
      if (first != std::string_view::npos) {
        names.emplace_back(name.substr(first, name.find_last_not_of(" \t") + 1 - first));
      }
      at = end + 1;
    }
  }
  return names;
}

void read_betas(const http::Request& request, AnthropicWarnings& notes) {
  for (const std::string& name : beta_names(request)) {
    const bool is_known = std::any_of(std::begin(kBetas), std::end(kBetas),
                                      [&](std::string_view begin) {
                                        return name.starts_with(begin);
                                      });
    if (is_known) continue;
    notes.add("unknown_beta", "anthropic-beta: " + name.substr(0, kNameShown),
              "This beta is not known here and was ignored.");
  }
}

}  // namespace

ApiError required_field(std::string path) {
  ApiError error = bad_field(std::move(path), "Field required");
  error.code = "missing_required_parameter";
  return error;
}

ApiError bad_field(std::string path, std::string_view why) {
  std::string message = fmt::format("{}: {}", path, why);
  return invalid_value(std::move(path), std::move(message));
}

void read_anthropic_model(Fields& fields, const DialectContext& context, Generation& generation) {
  const Json* name = fields.any("model");
  if (name == nullptr) return fields.fail(required_field("model"));
  if (!name->is_string()) return fields.fail(bad_field("model", "Input should be a valid string"));
  Parsed<ModelLease> model = lease_model(context.models, name->as_string());
  if (!model.is_ok()) return fields.fail(model.error());
  generation.model = *model;
  generation.model_name = name->as_string();
}

void read_anthropic_sampling(Fields& fields, AnthropicRequest& request) {
  SamplingParams& params = request.params;
  params = default_sampling(request.model.get());
  request.tokens_max = fields.integer("max_tokens", 0, kInt32Max);
  if (fields.any("max_tokens") == nullptr) fields.fail(required_field("max_tokens"));
  request.is_warming = request.tokens_max == 0;
  request.is_stream = fields.boolean("stream").value_or(false);
  const auto read = [&](const char* name, Range range, float& param) {
    if (const auto asked = fields.number(name, range)) param = static_cast<float>(*asked);
  };
  read("temperature", {0, 2}, params.temperature);
  read("top_p", {0, 1}, params.top_p);
  if (const auto top_k = fields.integer("top_k", 0, kInt32Max)) {
    params.top_k = static_cast<int>(*top_k);
  }
  read_stops(fields, params);
}

void check_thinking_budget(Fields& fields, const AnthropicRequest& request) {
  const Json* thinking = fields.any("thinking");
  const Json* budget = thinking != nullptr ? thinking->find("budget_tokens") : nullptr;
  if (budget == nullptr || !budget->is_int() || !request.tokens_max) return;
  if (budget->as_int() < *request.tokens_max) return;
  fields.fail(bad_field("max_tokens", "`max_tokens` must be greater than "
                                      "`thinking.budget_tokens`"));
}

std::optional<AskedGrammar> read_output_format(Fields& fields) {
  std::optional<AskedGrammar> grammar;
  const auto read = [&](const Json* format, const std::string& path) {
    if (format == nullptr || format->is_null()) return;
    auto asked = read_format(*format, path);
    if (!asked.is_ok()) return fields.fail(bad_field(path, asked.error().message));
    if (grammar && *asked) {
      return fields.fail(bad_field(path, "'" + grammar->field + "' says so already"));
    }
    if (*asked) grammar = std::move(*asked);
  };
  read(fields.any("output_format"), "output_format");
  const Json* config = fields.any("output_config");
  read(config != nullptr ? config->find("format") : nullptr, "output_config.format");
  return grammar;
}

void read_anthropic_rest(Fields& fields, const http::Request& request, AnthropicWarnings& notes) {
  read_metadata(fields);
  read_service_tier(fields);
  read_speed(fields, notes);
  fields.text("user_profile_id", kUserIdSizeMax);
  read_output_config(fields, notes);
  for (const std::string_view name : kHosted) {
    const Json* value = fields.any(name);
    if (value == nullptr || (value->is_array() && value->items().empty())) continue;
    notes.add("ignored_parameter", std::string(name),
              "This server has nothing of the kind; the field was ignored.");
  }
  read_betas(request, notes);
  for (const std::string& name : fields.unknown()) {
    notes.add("unknown_parameter", name.substr(0, kNameShown),
              "This field is not known here and was ignored.");
  }
}

}  // namespace quire
