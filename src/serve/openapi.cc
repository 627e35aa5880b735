#include "serve/openapi.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/text/ascii.h"
#include "base/json.h"
#include "serve/intake/field_notes.h"
#include "serve/intake/document/field_shapes.h"
#include "serve/intake/skills.h"

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

// What a model has to be able to do for routes that have the word in their path.
constexpr std::pair<std::string_view, Skill> kNeeds[] = {
    {"/embeddings", Skill::kEmbed}, {"/pooling", Skill::kPool}, {"/classify", Skill::kClassify},
    {"score", Skill::kScore}, {"rerank", Skill::kScore}, {"/v1/", Skill::kGenerate}};

bool may_answer(const ModelInfo& info, std::string_view pattern) {
  if (info.context_max == 0) return true;  // it has not been loaded: nobody knows
  for (const auto& [word, skill] : kNeeds) {
    if (pattern.find(word) != pattern.npos) return has_skill(info, skill);
  }
  return true;
}

// The names of those that can be asked, unless any name can.
Json model_schema(const ModelHost& host, std::string_view pattern) {
  std::vector<Json> names;
  bool is_any = false;
  for (const ModelRow& model : host.rows()) {
    if (!may_answer(model.info, pattern)) continue;
    for (const std::string& name : model.names) {
      is_any |= name == kAnyName;
      if (name != kAnyName) names.emplace_back(name);
    }
  }
  Json schema = Json::object({{"type", "string"}});
  if (!names.empty()) schema.set(is_any ? "examples" : "enum", Json::array(std::move(names)));
  return schema;
}

Json schema_of(const House& house, const Route& route, const FieldNote& note) {
  if (note.name == "model") return model_schema(house.host, route.pattern);
  const bool is_plain = note.kind == FieldKind::kAny || note.kind == FieldKind::kText;
  const FieldShape* shape = is_plain ? find_shape(route.pattern, note.name) : nullptr;
  if (shape != nullptr) return *parse_json(shape->schema);
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
  std::vector<Json> required;
  if (route.endpoint.parse != nullptr) {
    FieldNotes notes;
    const DialectContext context{.models = {.host = &house.host}, .house = &house};
    const http::Request empty{.method = std::string(route.method), .body = "{}"};
    (void)route.endpoint.parse(context, empty);
    for (const FieldNote& note : notes.all()) {
      properties.set(note.name, schema_of(house, route, note));
    }
    for (const FieldNote& note : notes.all()) {
      const FieldShape* shape = find_shape(route.pattern, note.name);
      const bool is_needed = note.is_required || (shape != nullptr && shape->is_required);
      // A conversation in place of a text.
      const bool has_other = properties.find("messages") != nullptr &&
                             (properties.find("prompt") != nullptr ||
                              properties.find("input") != nullptr);
      const bool is_one_of_two = has_other && note.name != "model";
      if (is_needed && !is_one_of_two) required.emplace_back(note.name);
    }
  }
  const bool is_open = properties.members().empty();
  Json schema = Json::object({{"type", "object"}, {"properties", std::move(properties)}});
  if (!required.empty()) schema.set("required", Json::array(std::move(required)));
  if (!is_open) schema.set("additionalProperties", false);
  return schema;
}

std::string path_of(std::string_view pattern) {
  std::string path(pattern);
  for (std::size_t dots; (dots = path.find("...}")) != std::string::npos;) path.erase(dots, 3);
  return path;
}

Json parameter(std::string_view name, const char* place, Json schema) {
  return Json::object({{"name", name}, {"in", place}, {"required", place[0] == 'p'},
                       {"schema", std::move(schema)}});
}

// Calls take(name) for each name of "a,b".
template <typename Take>
void each_name(std::string_view list, Take take) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    take(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

Json parameters_of(const Route& route) {
  Json parameters = Json::array();
  const std::string_view pattern = route.pattern;
  for (std::size_t at = pattern.find('{'); at != pattern.npos; at = pattern.find('{', at + 1)) {
    std::string_view name = pattern.substr(at + 1, pattern.find('}', at) - at - 1);
    if (name.ends_with("...")) name.remove_suffix(3);
    parameters.push(parameter(name, "path", Json::object({{"type", "string"},
                                                          {"minLength", 1}})));
  }
  each_name(route.endpoint.query, [&](std::string_view name) {
    const bool is_count = name == "limit" || name == "starting_after";
    Json schema = Json::object({{"type", is_count ? "integer" : "string"}});
    if (is_count) schema.set("minimum", 0);
    parameters.push(parameter(name, "query", std::move(schema)));
  });
  return parameters;
}

Json response(const char* what, const std::vector<std::string_view>& types) {
  Json content = Json::object();
  for (const std::string_view type : types) content.set(std::string(type), Json::object());
  return Json::object({{"description", what}, {"content", std::move(content)}});
}

constexpr std::pair<const char*, const char*> kRefusals[] = {
    {"400", "Refused; the error names the field."},
    {"401", "The API key is missing or wrong."},
    {"403", "Not from here, or closed by the operator."},
    {"404", "There is no such thing."},
    {"405", "Not with this method."},
    {"408", "The request did not arrive in time."},
    {"409", "Not now."},
    {"411", "The length is missing."},
    {"413", "The request is too large."},
    {"414", "The path is too long."},
    {"415", "Not in this content type or encoding."},
    {"417", "No such expectation."},
    {"422", "A value is not allowed, or not of its type."},
    {"424", "It failed while it was made."},
    {"429", "Too many requests wait."},
    {"431", "The head is too large."},
    {"500", "It failed; the log says why."},
    {"501", "No such method here."},
    {"503", "Draining, asleep, loading or overloaded; retry-after says when."},
    {"507", "The store is full."},
};

Json responses_of(const Route& route, bool can_stream) {
  std::vector<std::string_view> types;
  each_name(route.endpoint.types, [&](std::string_view type) { types.push_back(type); });
  if (can_stream) types.push_back("text/event-stream");
  Json all = Json::object({{"200", response("The answer.", types)}});
  if (route.endpoint.quick != nullptr) all.set("202", response("It has begun.", types));
  std::vector<std::string_view> of_errors = {"application/json"};
  for (const std::string_view type : types) {
    if (type != of_errors.front() && type != "text/event-stream") of_errors.push_back(type);
  }
  for (const auto& [status, what] : kRefusals) all.set(status, response(what, of_errors));
  return all;
}

constexpr std::string_view kForm =
    R"({"type":"object","required":["file","purpose"],"properties":{"file":{"type":"string",)"
    R"("format":"binary"},"purpose":{"enum":["assistants","batch","evals","fine-tune","vision",)"
    R"("user_data"]}}})";

Json operation_of(const House& house, const Dialect& dialect, const Route& route) {
  Json operation = Json::object({{"tags", Json::array({Json(dialect.name)})},
                                 {"operationId", std::string(route.method) + " " +
                                                     std::string(route.pattern)}});
  if (!route.endpoint.summary.empty()) operation.set("summary", route.endpoint.summary);
  const Json parameters = parameters_of(route);
  bool can_stream = false;
  if (!parameters.items().empty()) operation.set("parameters", parameters);
  if (route.body == BodyKind::kJson || route.body == BodyKind::kLooseJson) {
    const Json body = Json::object({{"schema", body_schema(house, route)}});
    can_stream = body.find("schema")->find("properties")->find("stream") != nullptr;
    operation.set("requestBody",
                  Json::object({{"required", true},
                                {"content", Json::object({{"application/json", body}})}}));
  } else if (route.body == BodyKind::kForm) {
    const Json form = Json::object({{"schema", *parse_json(kForm)}});
    operation.set("requestBody",
                  Json::object({{"required", true},
                                {"content", Json::object({{"multipart/form-data", form}})}}));
  } else if (route.body == BodyKind::kFile) {
    const Json bytes = Json::object({{"schema", Json::object({{"type", "string"},
                                                              {"format", "binary"}})}});
    operation.set("requestBody",
                  Json::object({{"required", true},
                                {"content", Json::object({{"application/octet-stream", bytes}})}}));
  }
  operation.set("responses", responses_of(route, can_stream));
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
