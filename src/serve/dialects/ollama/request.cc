#include "serve/dialects/ollama/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/times.h"
#include "serve/intake/skills.h"
#include "serve/intake/tools/answer_shape.h"
#include "serve/intake/tools/thinking.h"

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 512;  // bytes
constexpr int kTopLogprobsMax = 20;

ApiError not_found(std::string_view name) {
  return {.status = 404, .message = fmt::format("model '{}' not found", name), .param = "model",
          .code = "model_not_found"};
}

void read_keep_alive(Fields& fields, OllamaRequest& request) {
  const Json* value = fields.any("keep_alive");
  if (value == nullptr) return;
  request.keep_alive = parse_keep_alive(*value);
  if (request.keep_alive) return;
  fields.fail(invalid_value("keep_alive", "invalid keep_alive: " + shown(*value) +
                                              "; expected seconds or a duration such as \"5m\""));
}

void read_think(Fields& fields, OllamaRequest& request) {
  const Json* value = fields.any("think");
  if (value == nullptr) return;
  if (value->is_bool()) {
    request.thinks = value->as_bool();
    return;
  }
  constexpr std::string_view kLevels[] = {"low", "medium", "high", "max"};
  const bool is_level = value->is_string() &&
                        std::find(std::begin(kLevels), std::end(kLevels), value->as_string()) !=
                            std::end(kLevels);
  if (!is_level) {
    return fields.fail(invalid_value("think", "invalid think value: " + shown(*value) +
                                                  " (must be \"high\", \"medium\", \"low\", "
                                                  "\"max\", true, or false)"));
  }
  request.thinks = true;
  request.effort = value->as_string();
}

// A model without thoughts is not asked for any.
void check_think(Fields& fields, OllamaRequest& request) {
  if (request.model == nullptr) return;
  const bool has_thoughts = format_of(*request.model).thoughts != nullptr;
  if (request.thinks.value_or(false) && !has_thoughts) {
    return fields.fail(unsupported_parameter(
        "think", fmt::format("\"{}\" does not support thinking", request.model_name)));
  }
  if (!has_thoughts) request.thinks.reset();
  if (has_thoughts && !request.thinks) request.thinks = true;
}

void read_format(Fields& fields, OllamaRequest& request) {
  const Json* value = fields.any("format");
  if (value == nullptr) return;
  const bool is_known = value->is_object() ||
                        (value->is_string() &&
                         (value->as_string().empty() || value->as_string() == "json"));
  if (!is_known) {
    return fields.fail(invalid_value("format", "invalid format: " + shown(*value) +
                                                   "; expected \"json\" or a valid JSON Schema "
                                                   "object"));
  }
  auto grammar = read_ollama_format(*value, "format");
  if (!grammar.is_ok()) return fields.fail(grammar.error());
  request.grammar = std::move(*grammar);
}

void read_logprobs(Fields& fields, OllamaRequest& request) {
  constexpr std::int64_t kAny = std::numeric_limits<std::int32_t>::max();
  const bool wants = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", -kAny, kAny);
  if (top && (*top < 0 || *top > kTopLogprobsMax)) {
    fields.fail(invalid_value("top_logprobs", "top_logprobs must be between 0 and 20"));
  }
  if (wants) request.params.logprobs = static_cast<int>(top.value_or(0));
  if (wants || top.value_or(0) == 0) return;
  add_warning(request.warned, {"no_effect", "top_logprobs", "It asks for logprobs: true."});
}

void read_options(Fields& fields, OllamaRequest& request) {
  const HostedModel* model = request.model.get();
  request.options = default_options(model);
  if (model != nullptr && model->dress != nullptr) {
    take_own_options(model->dress->parameters, model, request.options, request.warned);
  }
  if (const Json* asked = fields.any("options")) {
    if (auto error = take_options(*asked, model, request.options, request.warned)) {
      fields.fail(std::move(*error));
    }
  }
  settle_options(request.options, request.warned);
  request.params = request.options.params;
  request.tokens_max = request.options.tokens_max;
}

}  // namespace

StayOfModel::StayOfModel(ModelHost& host, std::string model, std::optional<Nanos> stay)
    : host_(host), model_(std::move(model)), stay_(stay) {}

StayOfModel::~StayOfModel() {
  const auto model = host_.has_name(model_) ? host_.find(model_) : std::nullopt;
  if (!model) return;
  if (stay_) host_.set_keep_alive(*model, stay_);
  if (stay_ != Nanos{0}) return;
  const auto row = host_.row(*model);
  if (row && !row->is_pinned) static_cast<void>(host_.unload(*model));
}

Parsed<ModelLease> lease_ollama_model(const DialectContext& context, std::string_view name) {
  Parsed<ModelLease> lease = lease_model(context.models, name);
  if (!lease.is_ok() && lease.error().code == "model_not_found") return not_found(name);
  return lease;
}

std::string read_model_name(Fields& fields) {
  const std::string* name = fields.text("model", kNameSizeMax);
  const std::string* before = fields.text("name", kNameSizeMax);
  if (name == nullptr || name->empty()) name = before;
  if (name != nullptr && !name->empty()) return *name;
  fields.fail({.message = "model is required", .param = "model",
               .code = "missing_required_parameter"});
  return {};
}

OllamaRequest read_ollama_request(Fields& fields, const DialectContext& context, bool is_chat) {
  OllamaRequest request;
  request.is_chat = is_chat;
  request.arrived = context.arrived;
  request.model_name = read_model_name(fields);
  if (!request.model_name.empty()) {
    Parsed<ModelLease> model = lease_ollama_model(context, request.model_name);
    if (model.is_ok()) request.model = *model;
    if (!model.is_ok()) fields.fail(model.error());
  }
  request.loaded = SteadyClock::now();
  if (request.model != nullptr && !has_skill(request.model->info, Skill::kGenerate)) {
    fields.fail({.message = fmt::format("\"{}\" does not support {}", request.model_name,
                                        is_chat ? "chat" : "generate"),
                 .param = "model", .code = "unsupported_parameter"});
    request.model = nullptr;
  }
  read_options(fields, request);
  request.is_stream = fields.boolean("stream").value_or(true);
  read_keep_alive(fields, request);
  read_think(fields, request);
  read_format(fields, request);
  read_logprobs(fields, request);
  request.truncates = fields.boolean("truncate").value_or(true);
  const std::optional<bool> shifts = fields.boolean("shift");
  request.shifts = shifts.value_or(true);
  if (shifts == true) {
    add_warning(request.warned, {"capped", "shift", "An answer goes on behind num_ctx, but ends "
                                                    "with the model's own context."});
  }
  request.shows_prompt = fields.boolean("_debug_render_only").value_or(false);
  check_think(fields, request);
  return request;
}

void warn_of_unknown(Fields& fields, std::vector<Warning>& warned) {
  for (const std::string& name : fields.unknown()) {
    add_warning(warned, {"unknown_parameter", name.substr(0, kNameShown),
                         "This field is not known here and was ignored."});
  }
}

Parsed<Call> load_or_unload(const DialectContext& context, const OllamaRequest& request,
                            Json::Member text) {
  const StayOfModel stay(*context.models.host, request.model->name(), request.keep_alive);
  const bool leaves = request.keep_alive == Nanos{0};
  Json body = Json::object({{"model", request.model_name},
                            {"created_at", rfc3339(SteadyClock::unix_nanos())}});
  body.set(text.first, std::move(text.second));
  body.set("done", true);
  body.set("done_reason", leaves ? "unload" : "load");
  set_warnings(request.warned, body);
  return ready_call(body);
}

}  // namespace quire
