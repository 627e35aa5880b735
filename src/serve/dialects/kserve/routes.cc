#include "serve/dialects/kserve/routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "serve/dialects/kserve/inference/model_lookup.h"
#include "serve/dialects/kserve/infer_json.h"
#include "serve/dialects/kserve/kserve.h"
#include "serve/dialects/kserve/response_json.h"
#include "serve/dialects/kserve/server_state.h"
#include "serve/house.h"
#include "serve/answer/warning_text.h"
#include "serve/intake/fields.h"

namespace quire {
namespace {

http::Response refuse(const ApiError& error) {
  http::Response response{.status = error.status, .body = kserve_error_body(error)};
  if (error.retry_after_s > 0) {
    response.headers.push_back({"retry-after", std::to_string(error.retry_after_s)});
  }
  return response;
}

constexpr std::string_view kPosted[] = {"/infer", "/generate", "/generate_stream"};

ApiError no_such_path() { return {.status = 404, .message = "Not Found"}; }

http::Response done() { return {.body = ""}; }

// An answer that has no body says in its head what came of no wish.
http::Response done_without(bool has_dependents) {
  http::Response response = done();
  if (!has_dependents) return response;
  response.headers.push_back({"warning", "299 quire \"unload_dependents has no effect: this "
                                         "model is no ensemble\""});
  return response;
}

// And what of a config that was loaded does nothing.
http::Response done_with(const House& house, const RepositoryOrder& order, bool has_dependents) {
  http::Response response = done_without(has_dependents);
  if (!order.is_load) return response;
  const std::vector<std::string> warnings = house.repository->warnings(order.name);
  if (!warnings.empty()) response.headers.push_back({"warning", warning_text(warnings)});
  return response;
}

// A body that may be missing, as an object.
Parsed<Json> optional_body(const http::Request& request) {
  if (request.body.empty()) return Json::object();
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body;
  if (body->is_object()) return body;
  return invalid_value("", "the request body must be a JSON object");
}

std::optional<ApiError> refuse_members(const Json& body, std::string_view known) {
  for (const auto& [name, value] : body.members()) {
    if (name == known) continue;
    return invalid_value(name, fmt::format("the request body has a member {} that is not known",
                                           shown(Json(name))));
  }
  return std::nullopt;
}

Json count_json(const TimeCount& count) {
  return Json::object({{"count", count.count}, {"ns", count.ns}});
}

Json statistics_json(const InferStatistics& model) {
  const TimeCount instant = {model.infer.count, 0};  // of all that are counted, as Triton has it
  Json inner = Json::object({{"success", count_json(model.success)},
                             {"fail", count_json(model.fail)},
                             {"queue", count_json(model.queue)},
                             {"compute_input", count_json(instant)},
                             {"compute_infer", count_json(model.infer)},
                             {"compute_output", count_json(instant)},
                             {"cache_hit", count_json(model.cache_hit)},
                             {"cache_miss", count_json(model.cache_miss)}});
  Json batches = Json::array();
  for (const BatchCount& batch : model.batches) {
    batches.push(Json::object({{"batch_size", batch.size},
                               {"compute_input", count_json({batch.infer.count, 0})},
                               {"compute_infer", count_json(batch.infer)},
                               {"compute_output", count_json({batch.infer.count, 0})}}));
  }
  Json memory = Json::array();
  if (model.bytes > 0) {
    memory.push(Json::object({{"type", "CPU"}, {"id", 0}, {"byte_size", model.bytes}}));
  }
  return Json::object({{"name", model.name},
                       {"version", model.version},
                       {"last_inference", model.last_inference_ms},
                       {"inference_count", model.inferences},
                       {"execution_count", model.executions},
                       {"inference_stats", std::move(inner)},
                       {"response_stats", Json::object()},
                       {"batch_stats", std::move(batches)},
                       {"memory_usage", std::move(memory)}});
}

Json settings_json(const Settings& settings) {
  Json json = Json::object();
  for (const auto& [name, value] : settings) {
    json.set(name, std::visit([](const auto& it) { return Json(it); }, value));
  }
  return json;
}

// Levels are a list; the other settings are texts.
http::Response trace_json() {
  Json json = Json::object();
  for (const auto& [name, value] : trace_settings()) {
    json.set(name, name == "trace_level" ? Json::array({Json(value)}) : Json(value));
  }
  return {.body = dump(json)};
}

std::vector<std::string> texts_of_setting(const Json& value) {
  std::vector<std::string> texts;
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& item : list.items()) {
    if (item.is_string()) texts.push_back(item.as_string());
    else if (!item.is_null()) texts.push_back(dump(item));
  }
  return texts;
}

}  // namespace

http::Response render_kserve_error(const ApiError& error, const http::Request&) {
  ApiError told = error;
  if (told.message == kQueueFull) told.status = 503;  // as its users know it
  return refuse(told);
}

http::Response show_kserve_server(const DialectContext& context, const http::Request&) {
  const auto extensions = server_extensions();
  return {.body = dump(Json::object(
              {{"name", kServerName}, {"version", context.house->version},
               {"extensions", Json::array({extensions.begin(), extensions.end()})}}))};
}

http::Response show_kserve_live(const DialectContext& context, const http::Request&) {
  const bool is_live = is_server_live(*context.house);
  return {.status = is_live ? 200 : 400, .body = dump(Json::object({{"live", is_live}}))};
}

http::Response show_kserve_ready(const DialectContext& context, const http::Request&) {
  const bool is_ready = is_server_ready(*context.house);
  return {.status = is_ready ? 200 : 400,
          .body = dump(Json::object({{"live", true}, {"ready", is_ready}}))};
}

http::Response show_kserve_model_ready(const DialectContext& context, const http::Request&) {
  const std::string_view name = context.path["model"];
  if (const auto fault = find_path_fault(context)) return refuse(*fault);
  if (const auto fault = find_unready(context, name, context.path["version"])) {
    return refuse(*fault);
  }
  return {.body = dump(Json::object({{"name", name}, {"ready", true}}))};
}

http::Response show_kserve_statistics(const DialectContext& context, const http::Request&) {
  const std::string_view name = context.path["model"];
  if (!name.empty()) {
    if (const auto fault = find_path_fault(context)) return refuse(*fault);
  }
  auto statistics = infer_statistics(context, name, context.path["version"]);
  if (!statistics.is_ok()) return refuse(statistics.error());
  Json list = Json::array();
  for (const InferStatistics& one : *statistics) list.push(statistics_json(one));
  return {.body = dump(Json::object({{"model_stats", std::move(list)}}))};
}

Parsed<Call> parse_kserve_index(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = optional_body(request);
  if (!body.is_ok()) return body.error();
  if (auto fault = refuse_members(*body, "ready")) return *fault;
  const Json* ready = body->find("ready");
  if (ready != nullptr && !ready->is_bool()) {
    return invalid_value("ready", "unable to parse 'ready': expected a bool, got " +
                                      shown(*ready));
  }
  Json list = Json::array();
  const bool only_ready = ready != nullptr && ready->as_bool();
  for (const RepositoryEntry& entry : repository_index(*context.house, only_ready)) {
    Json one = Json::object({{"name", entry.name}});
    if (!entry.version.empty()) one.set("version", entry.version);
    if (!entry.state.empty()) {
      one.set("state", entry.state);
      one.set("reason", entry.reason);
    }
    list.push(std::move(one));
  }
  return ready_call({.body = dump(list)});
}

namespace {

// What a body's parameters say.
Parsed<RepositoryOrder> read_order(const DialectContext& context, const http::Request& request,
                                   bool is_load) {
  RepositoryOrder order{.is_load = is_load, .name = std::string(context.path["model"])};
  Parsed<Json> body = optional_body(request);
  if (!body.is_ok()) return body.error();
  if (auto fault = refuse_members(*body, "parameters")) return *fault;
  const Json* parameters = body->find("parameters");
  if (parameters == nullptr || parameters->is_null()) return order;
  if (!parameters->is_object()) {
    return invalid_value("parameters", "unable to parse 'parameters': expected an object");
  }
  for (const auto& [name, value] : parameters->members()) {
    const std::string* text = value.is_string() ? &value.as_string() : nullptr;
    const bool flag = value.is_bool() && value.as_bool();
    auto fault = read_order_parameter(name, text, value.is_bool() ? &flag : nullptr, order);
    if (fault) return *fault;
  }
  const bool is_ours = !is_for_repository(*context.house, order.name);
  if (is_ours && order.config) {
    return unsupported_parameter("config", "parameter 'config' is not supported: this model is not "
                                           "from a model repository");
  }
  return order;
}

void answer_at(const House& house, http::Exchange& exchange, http::Response response) {
  if (exchange.is_gone()) return house.metrics.count_left();
  house.metrics.count_answer(response.status);
  exchange.respond(std::move(response));
}

// Of a model that no repository has: its load is awaited like anybody's.
Parsed<Call> parse_load(const DialectContext& context, const http::Request&) {
  const std::string_view name = context.path["model"];
  if (!find_served(context.models, name)) {
    return nothing_to_load(name);
  }
  auto model = lease_model(context.models, name);
  if (!model.is_ok()) return model.error();
  return ready_call(done());
}

void change_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange,
                  bool is_load) {
  const House& house = *context.house;
  auto order = read_order(context, exchange->request(), is_load);
  if (!order.is_ok()) return answer_at(house, *exchange, refuse(order.error()));
  const bool has_wish = order->has_dependents && !find_light(context, order->name, "");
  if (is_for_repository(house, order->name)) {
    const RepositoryOrder given = *order;
    const auto end = [&house, exchange, has_wish, given](std::optional<ApiError> fault) {
      answer_at(house, *exchange, fault ? refuse(*fault) : done_with(house, given, has_wish));
    };
    return give_order(house, std::move(*order), end);
  }
  if (is_load) return context.house->service.answer(exchange, kKserveDialect, parse_load, context);
  const auto fault = unload_for(context, order->name);
  answer_at(house, *exchange, fault ? refuse(*fault) : done_without(has_wish));
}

}  // namespace

void load_kserve_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  change_model(context, std::move(exchange), true);
}

void unload_kserve_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  change_model(context, std::move(exchange), false);
}

http::Response show_kserve_log(const DialectContext&, const http::Request&) {
  return {.body = dump(settings_json(log_settings()))};
}

http::Response change_kserve_log(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = optional_body(request);
  if (!body.is_ok()) return refuse(body.error());
  Settings changes;
  for (const auto& [name, value] : body->members()) {
    const auto setting = parameter_of(value);
    if (!setting) return refuse(invalid_value(name, fmt::format("log setting {} must be a bool, a "
                                                                "number or a string",
                                                                shown(Json(name)))));
    changes.emplace_back(name, *setting);
  }
  if (const auto fault = change_log(changes, context.is_operable)) return refuse(*fault);
  return show_kserve_log(context, request);
}

http::Response show_kserve_trace(const DialectContext& context, const http::Request&) {
  const std::string_view name = context.path["model"];
  if (!name.empty()) {
    auto found = find_model(context, name, "");
    if (!found.is_ok()) return refuse(found.error());
  }
  return trace_json();
}

http::Response change_kserve_trace(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = optional_body(request);
  if (!body.is_ok()) return refuse(body.error());
  for (const auto& [name, value] : body->members()) {
    if (const auto fault = check_trace(name, texts_of_setting(value))) return refuse(*fault);
  }
  return show_kserve_trace(context, request);
}

http::Response list_kserve_regions(const DialectContext& context, const http::Request&) {
  const std::string_view region = context.path["region"];
  if (!region.empty()) return refuse(no_such_region(region));
  return {.body = "[]"};
}

http::Response refuse_kserve_regions(const DialectContext&, const http::Request&) {
  return refuse(no_shared_memory());
}

http::Response refuse_kserve_repository(const DialectContext&, const http::Request&) {
  return refuse({.status = 501, .message = "'repository_name' specification is not supported"});
}

std::optional<ApiError> find_path_fault(const DialectContext& context) {
  const std::string_view version = context.path["version"];
  if (version.find_first_not_of("0123456789") != version.npos) return no_such_path();
  auto found = find_model(context, context.path["model"], version);
  return found.is_ok() ? std::nullopt : std::optional(found.error());
}

namespace {

// Of a path that is nothing but a model's (GET): 405 with the method that it takes, 404, or why
// there is no such model.
std::optional<http::Response> refuse_bare_path(const DialectContext& context,
                                               const http::Request& request) {
  std::optional<ApiError> fault = find_path_fault(context);
  if (!fault) return std::nullopt;
  const std::string_view name = context.path["model"];
  if (!context.path["version"].empty()) return render_kserve_error(*fault, request);
  for (const std::string_view verb : kPosted) {
    if (!name.ends_with(verb)) continue;
    fault = {.status = 405,
             .message = fmt::format("Not allowed ({} {})", request.method, request.path)};
    http::Response response = render_kserve_error(*fault, request);
    response.headers.push_back({"allow", "POST"});
    return response;
  }
  const bool is_rest = name.ends_with('/') || name.ends_with("/versions");
  return render_kserve_error(is_rest ? no_such_path() : *fault, request);
}

}  // namespace

Parsed<Call> parse_kserve_metadata(const DialectContext& context, const http::Request& request) {
  if (auto refusal = refuse_bare_path(context, request)) return ready_call(std::move(*refusal));
  auto face = find_face(context, context.path["model"], context.path["version"]);
  if (!face.is_ok()) return face.error();
  return ready_call({.body = dump(metadata_json(*face))});
}

Parsed<Call> parse_kserve_config(const DialectContext& context, const http::Request&) {
  if (auto fault = find_path_fault(context)) return *fault;
  auto face = find_face(context, context.path["model"], context.path["version"]);
  if (!face.is_ok()) return face.error();
  return ready_call({.body = dump(config_of(*context.house, *face))});
}

}  // namespace quire
