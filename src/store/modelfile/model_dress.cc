#include "store/modelfile/model_dress.h"

#include <algorithm>
#include <cctype>

namespace quire::store {
namespace {

Status bad(std::string_view field) {
  return error(StatusCode::kCorrupt, "'{}' of the Modelfile is not what it should be", field);
}

// Absent is empty.
Status take_text(const Json& json, const char* name, std::string& into) {
  const Json* value = json.find(name);
  if (value == nullptr || value->is_null()) return ok_status();
  if (!value->is_string() || value->as_string().size() > ModelDress::kTextMax) return bad(name);
  into = value->as_string();
  return ok_status();
}

bool is_message(const Json& message) {
  const Json* role = message.find("role");
  const Json* content = message.find("content");
  return role != nullptr && role->is_string() && content != nullptr && content->is_string() &&
         content->as_string().size() <= ModelDress::kTextMax;
}

std::string quoted(const std::string& text) {
  const bool has_break = text.find_first_of("\r\n") != text.npos;
  const bool has_edge = !text.empty() && (text.front() == ' ' || text.front() == '\t' ||
                                          text.back() == ' ' || text.back() == '\t');
  if (!has_break && !has_edge && !text.starts_with('"') && !text.empty()) return text;
  return text.find('"') != text.npos ? "\"\"\"" + text + "\"\"\"" : "\"" + text + "\"";
}

std::string value_text(const Json& value) {
  return value.is_string() ? quoted(value.as_string()) : dump(value);
}

}  // namespace

Json dress_json(const ModelDress& dress) {
  Json json = Json::object();
  const auto set = [&](const char* name, const std::string& text) {
    if (!text.empty()) json.set(name, text);
  };
  set("from", dress.from);
  set("template", dress.chat_template);
  set("system", dress.system);
  if (!dress.parameters.members().empty()) json.set("parameters", dress.parameters);
  if (!dress.messages.empty()) json.set("messages", Json::array(dress.messages));
  if (!dress.licenses.empty()) {
    json.set("licenses", Json::array({dress.licenses.begin(), dress.licenses.end()}));
  }
  set("renderer", dress.renderer);
  set("parser", dress.parser);
  set("requires", dress.needs);
  return json;
}

Result<ModelDress> parse_dress(const Json& json) {
  if (!json.is_object()) return bad("modelfile");
  ModelDress dress;
  QUIRE_RETURN_IF_ERROR(take_text(json, "from", dress.from));
  QUIRE_RETURN_IF_ERROR(take_text(json, "template", dress.chat_template));
  QUIRE_RETURN_IF_ERROR(take_text(json, "system", dress.system));
  QUIRE_RETURN_IF_ERROR(take_text(json, "renderer", dress.renderer));
  QUIRE_RETURN_IF_ERROR(take_text(json, "parser", dress.parser));
  QUIRE_RETURN_IF_ERROR(take_text(json, "requires", dress.needs));
  if (const Json* parameters = json.find("parameters"); parameters != nullptr) {
    if (!parameters->is_object()) return bad("parameters");
    dress.parameters = *parameters;
  }
  if (const Json* messages = json.find("messages"); messages != nullptr) {
    const bool is_good = messages->is_array() &&
                         messages->items().size() <= ModelDress::kMessagesMax &&
                         std::all_of(messages->items().begin(), messages->items().end(),
                                     is_message);
    if (!is_good) return bad("messages");
    dress.messages = messages->items();
  }
  if (const Json* licenses = json.find("licenses"); licenses != nullptr) {
    const bool is_good = licenses->is_array() &&
                         licenses->items().size() <= ModelDress::kLicensesMax;
    if (!is_good) return bad("licenses");
    for (const Json& text : licenses->items()) {
      if (!text.is_string() || text.as_string().size() > ModelDress::kTextMax) {
        return bad("licenses");
      }
      dress.licenses.push_back(text.as_string());
    }
  }
  return dress;
}

std::string modelfile_of(const std::string& from, const ModelDress& dress,
                         const std::vector<std::string>& adapters) {
  std::string text = "FROM " + from + "\n";
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) text += name + " " + quoted(value) + "\n";
  };
  for (const std::string& adapter : adapters) line("ADAPTER", adapter);
  line("TEMPLATE", dress.chat_template);
  line("SYSTEM", dress.system);
  line("RENDERER", dress.renderer);
  line("PARSER", dress.parser);
  for (const auto& [name, value] : dress.parameters.members()) {
    const std::vector<Json> values =
        value.is_array() ? value.items() : std::vector<Json>{value};
    for (const Json& each : values) text += "PARAMETER " + name + " " + value_text(each) + "\n";
  }
  for (const Json& message : dress.messages) {
    text += "MESSAGE " + message.find("role")->as_string() + " " +
            quoted(message.find("content")->as_string()) + "\n";
  }
  line("REQUIRES", dress.needs);
  for (const std::string& license : dress.licenses) line("LICENSE", license);
  return text;
}

}  // namespace quire::store
