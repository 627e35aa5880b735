#include "serve/trace/otlp_json.h"

namespace quire {
namespace {

constexpr int kStatusError = 2;

Json value_json(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kBool: return Json::object({{"boolValue", value}});
    case Json::Kind::kInt: return Json::object({{"intValue", std::to_string(value.as_int())}});
    case Json::Kind::kDouble: return Json::object({{"doubleValue", value}});
    case Json::Kind::kString: return Json::object({{"stringValue", value}});
    case Json::Kind::kArray: {
      Json values = Json::array();
      for (const Json& item : value.items()) values.push(value_json(item));
      return Json::object({{"arrayValue", Json::object({{"values", std::move(values)}})}});
    }
    default: return Json::object({{"stringValue", dump(value)}});  // larger than the protocol's
  }
}

Json attribute_json(const std::string& key, const Json& value) {
  return Json::object({{"key", key}, {"value", value_json(value)}});
}

Json span_json(const TraceSpan& span) {
  Json out = Json::object({{"traceId", span.trace_id}, {"spanId", span.span_id}});
  if (!span.trace_state.empty()) out.set("traceState", span.trace_state);
  if (!span.parent_id.empty()) out.set("parentSpanId", span.parent_id);
  out.set("name", span.name);
  out.set("kind", static_cast<int>(span.kind));
  out.set("startTimeUnixNano", std::to_string(span.begin_ns));
  out.set("endTimeUnixNano", std::to_string(span.end_ns));
  Json attributes = Json::array();
  for (const auto& [key, value] : span.attributes) attributes.push(attribute_json(key, value));
  out.set("attributes", std::move(attributes));
  if (!span.failure.empty()) {
    out.set("status", Json::object({{"code", kStatusError}, {"message", span.failure}}));
  }
  return out;
}

}  // namespace

std::string otlp_body(const SpanResource& resource, std::span<const TraceSpan> spans) {
  Json of_resource = Json::array();
  for (const auto& [key, value] : resource) of_resource.push(attribute_json(key, value));
  Json list = Json::array();
  for (const TraceSpan& span : spans) list.push(span_json(span));
  Json scope = Json::object({{"scope", Json::object({{"name", "quire"}})},
                             {"spans", std::move(list)}});
  Json group = Json::object(
      {{"resource", Json::object({{"attributes", std::move(of_resource)}})},
       {"scopeSpans", Json::array({std::move(scope)})}});
  return dump(Json::object({{"resourceSpans", Json::array({std::move(group)})}}));
}

}  // namespace quire
