#include "serve/openapi.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/text/ascii.h"
#include "base/json.h"
#include "serve/intake/field_notes.h"

namespace quire {
namespace {

// JSON has no integers beyond these in which every reader agrees.
constexpr double kExactMax = 9007199254740991.0;

Json number_or_integer(double value) {
  const bool is_whole = value == std::floor(value) && std::abs(value) <= kExactMax;
  return is_whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

Json nullable(const char* type) { return Json::array({Json(type), Json("null")}); }

Json bounded(const char* type, const FieldNote& note) {
  Json schema = Json::object({{"type", nullable(type)}});
  if (std::abs(note.min) <= kExactMax) schema.set("minimum", number_or_integer(note.min));
  if (std::abs(note.max) <= kExactMax) schema.set("maximum", number_or_integer(note.max));
  return schema;
}

Json schema_of(const FieldNote& note) {
  switch (note.kind) {
    case FieldKind::kAny: return Json::object();
    case FieldKind::kBoolean: return Json::object({{"type", nullable("boolean")}});
    case FieldKind::kInteger: return bounded("integer", note);
    case FieldKind::kNumber: return bounded("number", note);
    case FieldKind::kText: return Json::object({{"type", nullable("string")}});
    case FieldKind::kNeutral: break;
  }
  Json accepted = Json::array({Json()});
  const Result<Json> neutral = parse_json(note.neutral);
  if (neutral.is_ok() && !neutral->is_null()) accepted.push(*neutral);
  return Json::object({{"enum", std::move(accepted)},
                       {"description", "Known, and refused where it would ask for anything."}});
}

// What the parser of the route asks of an empty body, which it refuses.
Json body_schema(const House& house, const Route& route) {
  Json properties = Json::object();
  if (route.endpoint.parse != nullptr) {
    FieldNotes notes;
    const DialectContext context{.models = {.host = &house.host}, .house = &house};
    const http::Request empty{.method = std::string(route.method), .body = "{}"};
    (void)route.endpoint.parse(context, empty);
    for (const FieldNote& note : notes.all()) properties.set(note.name, schema_of(note));
  }
  return Json::object({{"type", "object"}, {"properties", std::move(properties)}});
}

std::string path_of(std::string_view pattern) {
  std::string path(pattern);
  for (std::size_t dots; (dots = path.find("...}")) != std::string::npos;) path.erase(dots, 3);
  return path;
}

Json parameters_of(std::string_view pattern) {
  Json parameters = Json::array();
  for (std::size_t at = pattern.find('{'); at != pattern.npos; at = pattern.find('{', at + 1)) {
    std::string_view name = pattern.substr(at + 1, pattern.find('}', at) - at - 1);
    if (name.ends_with("...")) name.remove_suffix(3);
    parameters.push(Json::object({{"name", name}, {"in", "path"}, {"required", true},
                                  {"schema", Json::object({{"type", "string"},
                                                           {"minLength", 1}})}}));
  }
  return parameters;
}

Json response(const char* what) { return Json::object({{"description", what}}); }

Json responses_of(const Route& route) {
  Json all = Json::object({{"200", response("The answer.")}});
  if (route.endpoint.quick != nullptr) all.set("202", response("It has begun."));
  for (const auto& [status, what] :
       {std::pair{"400", "Refused; the error names the field."},
        {"401", "The API key is missing or wrong."},
        {"403", "Not from here, or closed by the operator."},
        {"404", "There is no such thing."},
        {"405", "Not with this method."},
        {"408", "The request did not arrive in time."},
        {"409", "Not now."},
        {"413", "The request is too large."},
        {"415", "Not in this content type or encoding."},
        {"429", "Too many requests wait."},
        {"501", "No such method here."},
        {"503", "Draining, asleep, loading or overloaded; retry-after says when."}}) {
    all.set(status, response(what));
  }
  return all;
}

Json operation_of(const House& house, const Dialect& dialect, const Route& route) {
  Json operation = Json::object({{"tags", Json::array({Json(dialect.name)})},
                                 {"operationId", std::string(route.method) + " " +
                                                     std::string(route.pattern)}});
  if (!route.endpoint.summary.empty()) operation.set("summary", route.endpoint.summary);
  const Json parameters = parameters_of(route.pattern);
  if (!parameters.items().empty()) operation.set("parameters", parameters);
  if (route.body == BodyKind::kJson || route.body == BodyKind::kLooseJson) {
    const Json body = Json::object({{"schema", body_schema(house, route)}});
    operation.set("requestBody",
                  Json::object({{"required", true},
                                {"content", Json::object({{"application/json", body}})}}));
  } else if (route.body == BodyKind::kForm) {
    const Json form = Json::object({{"schema", Json::object({{"type", "object"}})}});
    operation.set("requestBody",
                  Json::object({{"required", true},
                                {"content", Json::object({{"multipart/form-data", form}})}}));
  }
  operation.set("responses", responses_of(route));
  if (route.access != Access::kOpen) {
    operation.set("security", Json::array({Json::object({{"key", Json::array()}})}));
  }
  return operation;
}

}  // namespace

std::string openapi_document(const House& house) {
  std::vector<std::pair<std::string, Json>> paths;  // in the order of the tables
  for (const Dialect* dialect : house.dialects) {
    for (const Route& route : dialect->routes) {
      const std::string path = path_of(route.pattern);
      auto known = std::find_if(paths.begin(), paths.end(),
                                [&](const auto& other) { return other.first == path; });
      if (known == paths.end()) known = paths.insert(paths.end(), {path, Json::object()});
      const std::string method = lower_ascii(route.method);
      // Two protocols on one path: the first one's words stand for both.
      if (known->second.find(method) == nullptr) {
        known->second.set(method, operation_of(house, *dialect, route));
      }
    }
  }
  Json all = Json::object();
  for (auto& [path, operations] : paths) all.set(path, std::move(operations));
  const Json key = Json::object({{"type", "http"}, {"scheme", "bearer"}});
  return dump(Json::object(
      {{"openapi", "3.1.0"},
       {"info", Json::object({{"title", "Quire"}, {"version", house.version}})},
       {"paths", std::move(all)},
       {"components", Json::object({{"securitySchemes", Json::object({{"key", key}})}})}}));
}

}  // namespace quire
