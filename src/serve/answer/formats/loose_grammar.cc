#include "serve/answer/formats/loose_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "serve/answer/argument_types.h"

namespace quire {
namespace {

constexpr int kDepthMax = 48;

constexpr std::array<std::string_view, 17> kUnderstood = {
    "type",        "enum",  "const",   "properties", "required", "items",
    "anyOf",       "oneOf", "$ref",    "$defs",      "title",    "additionalProperties",
    "description", "default", "examples", "definitions", "$schema"};

constexpr std::string_view kEscapes =
    R"(\\([^xuUN\n]|x[0-9a-fA-F]{2}|u([0-9a-cA-Ce-fE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))";

bool is_required(const Json& schema, std::string_view name) {
  const Json* required = schema.find("required");
  return required != nullptr && required->is_array() &&
         std::ranges::any_of(required->items(), [&](const Json& one) {
           return one.is_string() && one.as_string() == name;
         });
}

}  // namespace

std::string lark_list(LarkWriter& out, const std::vector<ListMember>& members,
                      std::string_view separator) {
  std::string first = "\"\"", next = "\"\"";  // what may follow when none, or some, have come
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    std::string begun = fmt::format("{} {}", member->body, next);
    std::string followed = fmt::format("{} {} {}", separator, member->body, next);
    if (!member->is_required) {
      begun += " | " + first;
      followed += " | " + next;
    }
    first = out.rule("list", begun);
    next = out.rule("list", followed);
  }
  return first;
}

Status LooseGrammar::check_keywords(const Json& schema, const std::string& path) {
  for (const auto& member : schema.members()) {
    if (std::ranges::find(kUnderstood, member.first) != kUnderstood.end()) continue;
    Status unkept = error(StatusCode::kInvalidArgument,
                          "parameters {}/{}: not supported where arguments are written as {}", path,
                          member.first, is_python() ? "Python's" : "Gemma's");
    if (spelling_.is_strict) return unkept;
    if (passed_over_.is_ok()) passed_over_ = std::move(unkept);
  }
  return ok_status();
}

Result<std::string> LooseGrammar::arguments(const Json& schema) {
  return members(schema, "", true);
}

std::string LooseGrammar::key(std::string_view name, bool is_call) const {
  if (is_call) {
    return LarkWriter::quoted(name) + " WS? " + LarkWriter::quoted(spelling_.assigns);
  }
  if (!is_python()) return LarkWriter::quoted(std::string(name) + ":");
  return constant(Json(name)) + " WS? \":\"";
}

Result<std::string> LooseGrammar::members(const Json& schema, const std::string& path,
                                          bool is_call) {
  QUIRE_RETURN_IF_ERROR(check_keywords(schema, path));
  const Json* properties = schema.find("properties");
  const bool is_open = properties == nullptr || !properties->is_object();
  const Json* more = schema.find("additionalProperties");
  const bool is_closed = more != nullptr && more->is_bool() && !more->as_bool();
  if (is_open || (properties->members().empty() && !is_closed)) {
    if (is_closed) return std::string("\"\"");
    return any_members(is_call);
  }
  std::vector<ListMember> list;
  for (const auto& [name, property] : properties->members()) {
    QUIRE_ASSIGN_OR_RETURN(const std::string body,
                           value(property, path + "/properties/" + name));
    list.push_back({out_.rule("member", key(name, is_call) + " WS? " + body),
                    is_required(schema, name)});
  }
  return lark_list(out_, list, "WS? \",\" WS?");
}

Result<std::string> LooseGrammar::value(const Json& schema, const std::string& path) {
  if (depth_ > kDepthMax) {
    return error(StatusCode::kInvalidArgument, "parameters {}: nested too deep", path);
  }
  if (!schema.is_object()) return any_value();
  QUIRE_RETURN_IF_ERROR(check_keywords(schema, path));
  ++depth_;
  const auto found = [&]() -> Result<std::string> {
    if (const Json* target = schema.find("$ref"); target != nullptr && target->is_string()) {
      return reference(target->as_string(), path);
    }
    if (const Json* one = schema.find("const")) return constant(*one);
    if (const Json* all = schema.find("enum"); all != nullptr && all->is_array()) {
      std::string options;
      for (const Json& one : all->items()) {
        options += (options.empty() ? "" : " | ") + constant(one);
      }
      return out_.rule("value", options);
    }
    for (const char* name : {"anyOf", "oneOf"}) {
      const Json* options = schema.find(name);
      if (options != nullptr && options->is_array() && !options->items().empty()) {
        return alternatives(*options, path + "/" + name);
      }
    }
    const Json* type = schema.find("type");
    if (type != nullptr && type->is_string()) return value_of_type(type->as_string(), schema, path);
    if (type == nullptr || !type->is_array() || type->items().empty()) return any_value();
    std::string options;
    for (const Json& one : type->items()) {
      if (!one.is_string()) continue;
      QUIRE_ASSIGN_OR_RETURN(const std::string body, value_of_type(one.as_string(), schema, path));
      options += (options.empty() ? "" : " | ") + body;
    }
    return out_.rule("value", options);
  }();
  --depth_;
  return found;
}

Result<std::string> LooseGrammar::alternatives(const Json& options, const std::string& path) {
  std::string all;
  for (std::size_t i = 0; i < options.items().size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(const std::string one,
                           value(options.items()[i], fmt::format("{}/{}", path, i)));
    all += (all.empty() ? "" : " | ") + one;
  }
  return out_.rule("value", all);
}

// A reference may lead back to where it stands: its rule is named before it is written.
Result<std::string> LooseGrammar::reference(std::string_view target, const std::string& path) {
  const auto known = references_.find(std::string(target));
  if (known != references_.end()) return known->second;
  const Json* schema = find_reference(root_, target);
  if (schema == nullptr) {
    return error(StatusCode::kInvalidArgument, "parameters {}/$ref: {} is nowhere", path, target);
  }
  const std::string name = out_.reserve("reference");
  references_.emplace(target, name);
  QUIRE_ASSIGN_OR_RETURN(const std::string body, value(*schema, path + "/$ref"));
  out_.define(name, body);
  return name;
}

Result<std::string> LooseGrammar::value_of_type(std::string_view type, const Json& schema,
                                                const std::string& path) {
  if (type == "string") return text();
  if (type == "integer") return out_.rule("value", "/-?(0|[1-9][0-9]{0,15})/");
  if (type == "number") {
    return out_.rule("value", R"(/-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?/)");
  }
  if (type == "boolean") {
    return out_.rule("value", is_python() ? R"("True" | "False" | "true" | "false")"
                                          : R"("true" | "false")");
  }
  if (type == "null") return out_.rule("value", is_python() ? R"("None" | "null")" : R"("null")");
  if (type == "array") {
    const Json* items = schema.find("items");
    QUIRE_ASSIGN_OR_RETURN(const std::string item,
                           value(items == nullptr ? Json() : *items, path + "/items"));
    return out_.rule("value",
                     fmt::format(R"("[" WS? ({0} (WS? "," WS? {0})*)? WS? "]")", item));
  }
  if (type == "object") {
    QUIRE_ASSIGN_OR_RETURN(const std::string body, members(schema, path, false));
    return out_.rule("value", fmt::format(R"("{{" WS? {} WS? "}}")", body));
  }
  return any_value();
}

std::string LooseGrammar::text() {
  if (is_python()) {
    return out_.rule("text", fmt::format(R"(/"([^"\\\n]|{0})*"/ | /'([^'\\\n]|{0})*'/)", kEscapes));
  }
  return out_.rule("text", out_.spelled(spelling_.quote) + " " + out_.text_until(spelling_.quote));
}

std::string LooseGrammar::any_members(bool is_call) {
  const std::string name = is_call || !is_python() ? "/[A-Za-z_][A-Za-z0-9_\\-]{0,63}/" : text();
  const std::string assigns = is_call ? std::string(spelling_.assigns) : ":";
  const std::string one =
      out_.rule("member", name + " WS? " + LarkWriter::quoted(assigns) + " WS? " + any_value());
  return out_.rule("members", fmt::format(R"(({0} (WS? "," WS? {0})*)?)", one));
}

std::string LooseGrammar::any_value() {
  const auto known = references_.find("any");
  if (known != references_.end()) return known->second;
  const std::string name = out_.reserve("any");
  references_.emplace("any", name);
  const Json open = Json::object();
  std::string all = text();
  for (const char* type : {"number", "boolean", "null", "array", "object"}) {
    all += " | " + value_of_type(type, open, "").value();
  }
  out_.define(name, all);
  return name;
}

std::string LooseGrammar::constant(const Json& value) const {
  if (value.is_string()) {
    if (!is_python()) {
      return fmt::format("{0} {1} {0}", out_.spelled(spelling_.quote),
                         LarkWriter::quoted(value.as_string()));
    }
    const std::string json = dump(value);
    std::string single;
    for (const char byte : json.substr(1, json.size() - 2)) {
      single += byte == '\'' ? std::string("\\'") : std::string(1, byte);
    }
    return fmt::format("({} | {})", LarkWriter::quoted(json),
                       LarkWriter::quoted("'" + single + "'"));
  }
  if (!is_python()) return LarkWriter::quoted(dump(value));
  if (value.is_bool()) return LarkWriter::quoted(value.as_bool() ? "True" : "False");
  if (value.is_null()) return LarkWriter::quoted("None");
  return LarkWriter::quoted(dump(value));
}

}  // namespace quire
