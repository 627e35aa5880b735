#include "serve/answer/argument_types.h"

#include "base/text/ascii.h"

namespace quire {
namespace {

constexpr int kSchemaDepthMax = 32;  // of references and alternatives

struct Allowed {
  bool text = false, other = false;
};

void add_type(std::string_view type, Allowed& allowed) {
  (type == "string" ? allowed.text : allowed.other) = true;
}

void add_schema(const Json& schema, const Json& root, int depth, Allowed& allowed) {
  if (!schema.is_object() || depth > kSchemaDepthMax) {
    allowed = {true, true};
    return;
  }
  if (const Json* type = schema.find("type")) {
    if (type->is_string()) return add_type(type->as_string(), allowed);
    if (type->is_array()) {
      for (const Json& one : type->items()) {
        if (one.is_string()) add_type(one.as_string(), allowed);
      }
      return;
    }
  }
  const auto add_value = [&](const Json& value) {
    (value.is_string() ? allowed.text : allowed.other) = true;
  };
  if (const Json* constant = schema.find("const")) return add_value(*constant);
  if (const Json* values = schema.find("enum"); values != nullptr && values->is_array()) {
    for (const Json& value : values->items()) add_value(value);
    return;
  }
  for (const char* key : {"anyOf", "oneOf", "allOf"}) {
    const Json* options = schema.find(key);
    if (options == nullptr || !options->is_array()) continue;
    for (const Json& option : options->items()) add_schema(option, root, depth + 1, allowed);
    return;
  }
  const Json* reference = schema.find("$ref");
  const Json* target = reference != nullptr && reference->is_string()
                           ? find_reference(root, reference->as_string())
                           : nullptr;
  if (target != nullptr) return add_schema(*target, root, depth + 1, allowed);
  allowed = {true, true};
}

std::string member_name(std::string_view written) {  // of a JSON pointer: ~1 is /, ~0 is ~
  std::string name;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const bool is_escape = written[i] == '~' && i + 1 < written.size();
    if (is_escape) ++i;
    name += is_escape ? (written[i] == '1' ? '/' : '~') : written[i];
  }
  return name;
}

}  // namespace

const Json* find_reference(const Json& root, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  reference.remove_prefix(1);
  const Json* place = &root;
  while (!reference.empty() && place != nullptr) {
    if (reference.front() != '/') return nullptr;
    reference.remove_prefix(1);
    const std::size_t end = std::min(reference.find('/'), reference.size());
    place = place->find(member_name(reference.substr(0, end)));
    reference.remove_prefix(end);
  }
  return place;
}

ArgumentKind kind_of_schema(const Json& schema, const Json& root) {
  Allowed allowed;
  add_schema(schema, root, 0, allowed);
  if (allowed.text == allowed.other) return ArgumentKind::kEither;
  return allowed.text ? ArgumentKind::kText : ArgumentKind::kJson;
}

ArgumentTypes::ArgumentTypes(const std::vector<Tool>& tools) {
  for (const Tool& tool : tools) {
    auto& kinds = tools_[tool.name];
    const Result<Json> schema = parse_json(tool.parameters);
    if (!schema.is_ok()) continue;
    const Json* properties = schema->find("properties");
    if (properties == nullptr || !properties->is_object()) continue;
    for (const auto& [name, property] : properties->members()) {
      kinds[name] = kind_of_schema(property, *schema);
    }
  }
}

bool ArgumentTypes::has_tool(std::string_view tool) const {
  return tools_.contains(std::string(tool));
}

ArgumentKind ArgumentTypes::kind(std::string_view tool, std::string_view argument) const {
  const auto found = tools_.find(std::string(tool));
  if (found == tools_.end()) return ArgumentKind::kEither;
  const auto kind = found->second.find(std::string(argument));
  return kind == found->second.end() ? ArgumentKind::kEither : kind->second;
}

std::string json_of_written(std::string_view written, ArgumentKind kind) {
  std::string text;
  if (kind != ArgumentKind::kText) {
    const std::size_t begin = written.find_first_not_of(" \t\r\n");
    const std::size_t end = written.find_last_not_of(" \t\r\n");
    const std::string_view bare =
        begin == std::string_view::npos ? "" : written.substr(begin, end + 1 - begin);
    if (bare == "True" || bare == "False") return lower_ascii(bare);
    if (bare == "None") return "null";
    const Result<Json> value = parse_json(bare);
    if (value.is_ok()) return std::string(bare);
  }
  append_json_string(written, text);
  return text;
}

}  // namespace quire
