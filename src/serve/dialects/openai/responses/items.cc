#include "serve/dialects/openai/responses/items.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/responses/sealed_text.h"

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 128;  // of a function
constexpr std::size_t kPartsMax = 8192;    // of one item

bool is_system(const Json& item) {
  const std::string_view role = item_text(item, "role");
  return item_text(item, "type") == "message" && (role == "system" || role == "developer");
}

// Reads one item; nothing after a mistake.
class ItemReader {
 public:
  ItemReader(Fields& fields, std::string where) : fields_(&fields), where_(std::move(where)) {}

  std::optional<Json> read(const Json& item) {
    if (!item.is_object()) return fail("", "an object is expected");
    const Json* type = item.find("type");
    if (type != nullptr && !type->is_string()) return fail(".type", "a string is expected");
    const std::string kind = type == nullptr ? "message" : type->as_string();
    if (kind == "message") return read_message(item);
    if (kind == "function_call") return read_call(item, "fc_", "arguments");
    if (kind == "custom_tool_call") return read_call(item, "ctc_", "input");
    if (kind == "function_call_output") return read_output(item, "fco_");
    if (kind == "custom_tool_call_output") return read_output(item, "ctco_");
    if (kind == "reasoning") return read_reasoning(item);
    if (kind == "compaction") return read_compaction(item);
    if (kind == "item_reference") return read_reference(item);
    return refuse(".type", fmt::format("items of type {} are", shown(*type)));
  }

 private:
  std::nullopt_t fail(std::string_view field, std::string_view why) {
    const std::string param = where_ + std::string(field);
    fields_->fail(invalid_value(param, fmt::format("Invalid '{}': {}.", param, why)));
    return std::nullopt;
  }

  std::nullopt_t refuse(std::string_view field, std::string_view what) {
    const std::string param = where_ + std::string(field);
    fields_->fail(unsupported_parameter(
        param, fmt::format("Unsupported parameter: '{}': {} not supported by this server.", param,
                           what)));
    return std::nullopt;
  }

  // Only what is listed may stand in the item.
  bool knows_all(const Json& item, std::initializer_list<std::string_view> names) {
    for (const auto& [name, value] : item.members()) {
      if (value.is_null() || std::find(names.begin(), names.end(), name) != names.end()) continue;
      fail("." + name, "no such field in this item");
      return false;
    }
    return true;
  }

  std::optional<std::string> text(const Json& item, std::string_view name, std::size_t size_max) {
    const Json* value = item.find(name);
    if (value == nullptr || !value->is_string() || value->as_string().empty() ||
        value->as_string().size() > size_max) {
      return fail(fmt::format(".{}", name),
                  fmt::format("expected a string of 1 to {} bytes", size_max));
    }
    return value->as_string();
  }

  std::optional<std::string> id_of(const Json& item, std::string_view prefix) {
    const Json* id = item.find("id");
    if (id == nullptr || id->is_null()) return random_id(prefix);
    return text(item, "id", kIdSizeMax);
  }

  std::optional<Json> begin(const Json& item, std::string_view type, std::string_view prefix) {
    const auto id = id_of(item, prefix);
    if (!id) return std::nullopt;
    return Json::object({{"id", *id}, {"type", type}, {"status", "completed"}});
  }

  std::optional<Json> read_message(const Json& item) {
    if (!knows_all(item, {"id", "type", "status", "role", "content", "phase"})) {
      return std::nullopt;
    }
    const std::string_view role = item_text(item, "role");
    const bool is_known = role == "user" || role == "assistant" || role == "system" ||
                          role == "developer";
    if (!is_known) return fail(".role", "expected user, assistant, system or developer");
    auto out = begin(item, "message", "msg_");
    if (!out) return std::nullopt;
    out->set("role", role);
    const Json* content = item.find("content");
    if (content == nullptr) return fail(".content", "a message needs content");
    auto parts = read_parts(*content, ".content",
                            role == "assistant" ? "output_text" : "input_text");
    if (!parts) return std::nullopt;
    out->set("content", std::move(*parts));
    return out;
  }

  // A text, or a list of parts of text.
  std::optional<Json> read_parts(const Json& content, const std::string& field,
                                 std::string_view kind) {
    Json parts = Json::array();
    if (content.is_string()) {
      parts.push(text_part(kind, content.as_string()));
      return parts;
    }
    if (!content.is_array() || content.items().size() > kPartsMax) {
      return fail(field, "expected a string or a list of parts, got " + shown(content));
    }
    for (std::size_t i = 0; i < content.items().size(); ++i) {
      auto part = read_part(content.items()[i], fmt::format("{}[{}]", field, i), kind);
      if (!part) return std::nullopt;
      parts.push(std::move(*part));
    }
    return parts;
  }

  static Json text_part(std::string_view kind, const std::string& text) {
    Json part = Json::object({{"type", kind}, {"text", text}});
    if (kind != "output_text") return part;
    part.set("annotations", Json::array());
    part.set("logprobs", Json::array());
    return part;
  }

  std::optional<Json> read_part(const Json& part, const std::string& field,
                                std::string_view kind) {
    const std::string_view type = item_text(part, "type");
    const bool is_text = type == "input_text" || type == "output_text" || type == "text" ||
                         type == "summary_text" || type == "reasoning_text";
    const bool is_refusal = type == "refusal";
    if (!is_text && !is_refusal) {
      if (type.starts_with("input_")) {
        return refuse(field + ".type", fmt::format("this model reads text; parts of type '{}' are",
                                                   type));
      }
      return fail(field + ".type", "no such kind of part");
    }
    const Json* text = part.find(is_refusal ? "refusal" : "text");
    if (text == nullptr || !text->is_string()) return fail(field, "a part needs its text");
    return text_part(kind, text->as_string());
  }

  std::optional<Json> read_call(const Json& item, std::string_view prefix,
                                std::string_view words) {
    if (!knows_all(item, {"id", "type", "status", "call_id", "name", "namespace", "caller",
                          words})) {
      return std::nullopt;
    }
    auto out = begin(item, item_text(item, "type"), prefix);
    const auto call_id = text(item, "call_id", kIdSizeMax);
    const auto name = text(item, "name", kNameSizeMax);
    const Json* given = item.find(words);
    if (!out || !call_id || !name) return std::nullopt;
    if (given == nullptr || !given->is_string()) {
      return fail(fmt::format(".{}", words), "a string is expected");
    }
    out->set("call_id", *call_id);
    out->set("name", *name);
    out->set(std::string(words), *given);
    return out;
  }

  std::optional<Json> read_output(const Json& item, std::string_view prefix) {
    if (!knows_all(item, {"id", "type", "status", "call_id", "output", "caller", "name"})) {
      return std::nullopt;
    }
    auto out = begin(item, item_text(item, "type"), prefix);
    const auto call_id = text(item, "call_id", kIdSizeMax);
    if (!out || !call_id) return std::nullopt;
    out->set("call_id", *call_id);
    const Json* output = item.find("output");
    if (output == nullptr) return fail(".output", "an output needs to be there");
    if (output->is_string()) {
      out->set("output", *output);
      return out;
    }
    auto parts = read_parts(*output, ".output", "input_text");
    if (!parts) return std::nullopt;
    out->set("output", std::move(*parts));
    return out;
  }

  std::optional<Json> read_reasoning(const Json& item) {
    if (!knows_all(item, {"id", "type", "status", "summary", "content", "encrypted_content"})) {
      return std::nullopt;
    }
    auto out = begin(item, "reasoning", "rs_");
    if (!out) return std::nullopt;
    for (const auto& [name, kind] : {std::pair("summary", "summary_text"),
                                     std::pair("content", "reasoning_text")}) {
      const Json* list = item.find(name);
      const bool is_there = list != nullptr && !list->is_null();
      if (!is_there && std::string_view(name) == "content") continue;
      auto parts = is_there ? read_parts(*list, std::string(".") + name, kind) : Json::array();
      if (!parts) return std::nullopt;
      out->set(name, std::move(*parts));
    }
    const Json* sealed = item.find("encrypted_content");
    if (sealed == nullptr || sealed->is_null()) return out;
    if (!sealed->is_string() || !unseal_text(sealed->as_string())) {
      return fail(".encrypted_content", "it was not made by this server");
    }
    out->set("encrypted_content", *sealed);
    return out;
  }

  std::optional<Json> read_compaction(const Json& item) {
    if (!knows_all(item, {"id", "type", "encrypted_content", "created_by"})) return std::nullopt;
    const auto id = id_of(item, "cmp_");
    if (!id) return std::nullopt;
    const Json* sealed = item.find("encrypted_content");
    if (sealed == nullptr || !sealed->is_string() || !unseal_text(sealed->as_string())) {
      return fail(".encrypted_content", "it was not made by this server");
    }
    return Json::object({{"id", *id}, {"type", "compaction"}, {"encrypted_content", *sealed}});
  }

  std::optional<Json> read_reference(const Json& item) {
    const auto id = text(item, "id", kIdSizeMax);
    if (!id) return std::nullopt;
    return Json::object({{"id", *id}, {"type", "item_reference"}});
  }

  Fields* fields_;
  std::string where_;
};

// --- messages ---

// The texts of a part list, or the text itself.
std::string joined_text(const Json* content) {
  if (content == nullptr) return {};
  if (content->is_string()) return content->as_string();
  std::string joined;
  if (!content->is_array()) return joined;
  for (const Json& part : content->items()) joined += item_text(part, "text");
  return joined;
}

// What a template reads as a message's content: one text, or parts of text.
Json message_content(const Json& item) {
  const Json* content = item.find("content");
  if (content == nullptr || !content->is_array() || content->items().size() < 2) {
    return joined_text(content);
  }
  Json parts = Json::array();
  for (const Json& part : content->items()) {
    parts.push(Json::object({{"type", "text"}, {"text", item_text(part, "text")}}));
  }
  return parts;
}

std::string thought_of(const Json& item) {
  std::string thought = joined_text(item.find("content"));
  if (thought.empty()) {
    if (const auto sealed = unseal_text(item_text(item, "encrypted_content"))) thought = *sealed;
  }
  return thought.empty() ? joined_text(item.find("summary")) : thought;
}

// Templates read arguments as an object, where they are one.
Json arguments_of(const Json& item) {
  const Json* input = item.find("input");
  if (input != nullptr) return Json::object({{"input", *input}});
  Result<Json> parsed = parse_json(item_text(item, "arguments"));
  return parsed.is_ok() && parsed->is_object() ? *parsed : Json(item_text(item, "arguments"));
}

class MessageList {
 public:
  explicit MessageList(std::string field) : field_(std::move(field)) {}

  void add_system(Json content) {
    const bool joins = !messages_.empty() && is_head_;
    if (!joins) return push("system", std::move(content));
    // One message of system at the head: templates take no second.
    const std::string before = joined_text(messages_.back().find("content"));
    messages_.back().set("content", before + "\n\n" + joined_text(&content));
  }

  std::optional<ApiError> add(const Json& item) {
    const std::string_view type = item_text(item, "type");
    if (type == "message") {
      add_message(item);
    } else if (type == "reasoning") {
      thought_ += thought_of(item);
    } else if (type == "function_call" || type == "custom_tool_call") {
      add_call(item);
    } else if (type == "compaction") {
      add_system("Summary of the conversation so far:\n" +
                 unseal_text(item_text(item, "encrypted_content")).value_or(""));
    } else {
      return add_output(item);
    }
    return std::nullopt;
  }

  std::vector<Json> take() { return std::move(messages_); }

 private:
  void push(std::string_view role, Json content) {
    messages_.push_back(Json::object({{"role", role}, {"content", std::move(content)}}));
    is_head_ = role == "system" && (is_head_ || messages_.size() == 1);
    is_open_ = role == "assistant";
    if (is_open_ && !thought_.empty()) {
      messages_.back().set("reasoning_content", std::exchange(thought_, {}));
    }
  }

  void add_message(const Json& item) {
    const std::string_view role = item_text(item, "role");
    if (role != "assistant") thought_.clear();  // nobody's
    if (is_system(item)) return add_system(message_content(item));
    push(role, message_content(item));
  }

  void add_call(const Json& item) {
    if (!is_open_) push("assistant", "");
    const Json* held = messages_.back().find("tool_calls");
    Json calls = held != nullptr ? *held : Json::array();
    const std::string id(item_text(item, "call_id"));
    calls.push(Json::object({{"id", id}, {"type", "function"},
                             {"function", Json::object({{"name", item_text(item, "name")},
                                                        {"arguments", arguments_of(item)}})}}));
    messages_.back().set("tool_calls", std::move(calls));
    calls_.emplace_back(id, item_text(item, "name"));
  }

  std::optional<ApiError> add_output(const Json& item) {
    const std::string_view id = item_text(item, "call_id");
    const auto call = std::find_if(calls_.begin(), calls_.end(),
                                   [&](const auto& known) { return known.first == id; });
    if (call == calls_.end()) {
      return invalid_value(field_, fmt::format("No tool call found for function call output with "
                                               "call_id {}.", shown(Json(id))));
    }
    push("tool", joined_text(item.find("output")));
    messages_.back().set("tool_call_id", id);
    messages_.back().set("name", call->second);
    return std::nullopt;
  }

  std::string field_;
  std::vector<Json> messages_;
  std::string thought_;  // of the assistant, whose message is to come
  std::vector<std::pair<std::string, std::string>> calls_;  // id, name
  bool is_head_ = true;   // nothing but system's messages yet
  bool is_open_ = false;  // the last message is the assistant's: calls join it
};

}  // namespace

std::string_view item_text(const Json& item, std::string_view name) {
  const Json* value = item.is_object() ? item.find(name) : nullptr;
  return value != nullptr && value->is_string() ? std::string_view(value->as_string())
                                                : std::string_view();
}

std::vector<Json> read_items(Fields& fields, const Json& input, std::string_view field) {
  std::vector<Json> items;
  if (input.is_string()) {
    const Json message = Json::object({{"role", "user"}, {"content", input}});
    if (auto item = ItemReader(fields, std::string(field)).read(message)) {
      items.push_back(std::move(*item));
    }
    return items;
  }
  if (!input.is_array() || input.items().size() > kItemsMax) {
    fields.fail(invalid_value(std::string(field),
                              fmt::format("Invalid '{}': expected a string or a list of at most {} "
                                          "items, got {}.", field, kItemsMax, shown(input))));
    return items;
  }
  for (std::size_t i = 0; i < input.items().size(); ++i) {
    auto item = ItemReader(fields, fmt::format("{}[{}]", field, i)).read(input.items()[i]);
    if (!item) return items;
    items.push_back(std::move(*item));
  }
  return items;
}

Parsed<std::vector<Json>> messages_of(const Json* instructions, std::span<const Json> items,
                                      const std::string& field) {
  MessageList list(field);
  if (instructions != nullptr) list.add_system(*instructions);
  for (const Json& item : items) {
    if (auto error = list.add(item)) return std::move(*error);
  }
  return list.take();
}

std::size_t removable(std::span<const Json> items) {
  const auto may_go = std::count_if(items.begin(), items.end(),
                                    [](const Json& item) { return !is_system(item); });
  return may_go > 0 ? static_cast<std::size_t>(may_go) - 1 : 0;
}

std::vector<Json> without_oldest(std::span<const Json> items, std::size_t count) {
  std::vector<Json> kept;
  std::set<std::string_view> gone;  // call ids
  for (const Json& item : items) {
    const std::string_view type = item_text(item, "type");
    const bool is_output = type.ends_with("_output");
    const bool is_orphan = is_output && gone.contains(item_text(item, "call_id"));
    if (!is_orphan && (count == 0 || is_system(item))) {
      kept.push_back(item);
      continue;
    }
    if (type.ends_with("_call")) gone.insert(item_text(item, "call_id"));
    if (count > 0) --count;
  }
  return kept;
}

}  // namespace quire
